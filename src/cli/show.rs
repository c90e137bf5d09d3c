//! Numbers and tables for people.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, Table};
use indicatif::{HumanBytes, HumanCount};

/// A table with a header; every column but the first is aligned right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    let cells = |row: &[&str]| -> Vec<Cell> {
        let align = |i: usize| if i == 0 { CellAlignment::Left } else { CellAlignment::Right };
        row.iter().enumerate().map(|(i, text)| Cell::new(text).set_alignment(align(i))).collect()
    };
    table.set_header(cells(header));
    for row in rows {
        table.add_row(cells(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    table
}

/// "1,173,120".
pub fn count(n: usize) -> String {
    HumanCount(n as u64).to_string()
}

/// "2.24 MiB".
pub fn bytes(n: u64) -> String {
    HumanBytes(n).to_string()
}

/// "20.0 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
