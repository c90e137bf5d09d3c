//! Tables, and lists of numbers.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableComponent};

use slimgpt::activations::Placement;
use slimgpt::format;
use slimgpt::pipeline::MemoryPart;
use slimgpt::recover::RecoveryPlan;

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

/// Bytes by the memory that they lie in, and what they are for, a line each.
pub fn memory(parts: &[MemoryPart]) -> String {
    let of = |place: Placement, name: &str| {
        let own: Vec<&MemoryPart> = parts.iter().filter(|part| part.place == place && part.bytes > 0).collect();
        let bytes = own.iter().map(|part| part.bytes).sum::<u64>();
        let words: Vec<String> =
            own.iter().map(|part| format!("{} {}", part.what, format::bytes(part.bytes))).collect();
        (bytes > 0).then(|| format!("{name}: {} ({})", format::bytes(bytes), words.join(", ")))
    };
    let lines = [
        of(Placement::Device, "memory on the device"),
        of(Placement::Host, "memory on the host"),
        of(Placement::Disk, "room on the output's disk"),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What a recovery takes: bytes, and how often a layer crosses the bus.
pub fn recovery_memory(plan: &RecoveryPlan) -> String {
    let crossings = match plan.crossings {
        0 => "all layers stay where they are computed with".to_owned(),
        1 => "every layer goes to the device once a step".to_owned(),
        times => format!("every layer goes to the device {times} times a step"),
    };
    let twice = if plan.inputs.is_some() { "computed again on the way back" } else { "nothing is computed twice" };
    format!("{}\n{crossings}; {twice}; {} sequences together", memory(&plan.parts), plan.micro_batch)
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
