//! Tables, and lists of numbers.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableComponent};

use super::{out, width};

/// A table with a header; every column but the first is aligned right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    // Wide cells are broken to the width of the terminal; without one they stay whole.
    if width::fits_tables() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    // Lines between the rows would double the height of a table of 80 layers.
    for line in [TableComponent::HorizontalLines, TableComponent::MiddleIntersections] {
        table.remove_style(line);
    }
    let cells = |row: &[&str]| -> Vec<Cell> {
        let align = |i: usize| if i == 0 { CellAlignment::Left } else { CellAlignment::Right };
        row.iter().enumerate().map(|(i, text)| Cell::new(out::visible(text)).set_alignment(align(i))).collect()
    };
    table.set_header(cells(header));
    for row in rows {
        table.add_row(cells(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    table
}

/// "1-3, 7": ascending numbers with runs drawn together; "-" for none.
pub fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &n in numbers {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == n => *end = n,
            _ => runs.push((n, n)),
        }
    }
    let texts = runs.iter().map(|&(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    if runs.is_empty() { "-".into() } else { texts.collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_numbers_are_drawn_together() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
        assert_eq!(ranges(&[]), "-");
    }

    #[test]
    fn a_table_has_one_line_for_each_row() {
        let rows = [["0", "8"], ["1", "6"]].map(|row| row.map(str::to_owned).to_vec());
        // Above, header, between, the rows, below.
        assert_eq!(table(&["layer", "heads"], &rows).to_string().lines().count(), 6);
    }
}
