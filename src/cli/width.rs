//! How wide the terminal is, where that can be believed: some report no columns at all (a serial
//! line, a terminal of an editor or of a build server, `COLUMNS=0`), and nothing fits into so few.

/// Fewer columns than this hold no table and no help.
const LEAST: u16 = 40;
/// What is taken instead where something must be wrapped.
const USUAL: u16 = 100;

/// Whether standard error is a terminal too narrow for a bar.
pub fn has_no_room_for_a_bar() -> bool {
    is_too_narrow(comfy_table::Table::new().use_stderr().width())
}

/// Whether a table is to be broken to the width of the terminal; otherwise it stays whole.
pub fn fits_tables() -> bool {
    terminal().is_some_and(|columns| columns >= LEAST)
}

/// The width for help, where the one that is reported cannot be meant.
pub fn for_help() -> Option<u16> {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    (is_too_narrow(terminal()) || is_too_narrow(told)).then_some(USUAL)
}

fn is_too_narrow(columns: Option<u16>) -> bool {
    columns.is_some_and(|columns| columns < LEAST)
}

/// Columns of the terminal that results are shown in, if they are shown in one.
fn terminal() -> Option<u16> {
    comfy_table::Table::new().width()
}
