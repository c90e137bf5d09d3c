//! Stub until build.rs makes it.
#![allow(missing_docs, reason = "a stub")]
pub struct Lesson {
    pub number: usize,
    pub slug: &'static str,
    pub title: &'static str,
    pub body: &'static str,
    pub task: &'static str,
    pub remember: [&'static str; 2],
    pub lines: &'static [Lines],
    pub symbols: &'static [&'static str],
}
pub struct Lines {
    pub name: &'static str,
    pub path: &'static str,
    pub first_line: usize,
    pub html: &'static str,
}
pub struct Symbol {
    pub id: &'static str,
    pub math: &'static str,
    pub name: &'static str,
    pub meaning: &'static str,
}
const fn l(number: usize) -> Lesson {
    Lesson { number, slug: "x", title: "T", body: "B", task: "K", remember: ["a", "b"], lines: &[], symbols: &[] }
}
pub static LESSONS: [Lesson; 9] = [l(1), l(2), l(3), l(4), l(5), l(6), l(7), l(8), l(9)];
pub static SYMBOLS: &[Symbol] = &[];
pub static TABLE: &str = "";
pub mod say {
    use std::fmt::Display;

    pub fn two_figure() -> &'static str {
        "A layer with eight inputs: weights, inputs, Hessian and its inverse"
    }
    pub fn two_column() -> &'static str {
        "Column to remove"
    }
    pub fn two_obs_chooses() -> &'static str {
        "OBS chooses"
    }
    pub fn two_bar_magnitude(column: impl Display) -> String {
        format!("Smallest column {column}, set to zero")
    }
    pub fn two_bar_compensated(column: impl Display) -> String {
        format!("Smallest column {column}, compensated")
    }
    pub fn two_bar_obs(column: impl Display) -> String {
        format!("OBS: column {column}, compensated")
    }
    pub fn two_bar_yours(column: impl Display) -> String {
        format!("Yours: column {column}, compensated")
    }
    pub fn two_look(column: impl Display) -> String {
        format!("Before the cut. The smallest column is {column}; go forward.")
    }
    pub fn two_score(
        smallest: impl Display,
        its_cost: impl Display,
        cheapest: impl Display,
        least_cost: impl Display,
    ) -> String {
        format!(
            "What each would cost: smallest column {smallest}: {its_cost}; cheapest, column {cheapest}: {least_cost}."
        )
    }
    pub fn two_cut(column: impl Display, error: impl Display) -> String {
        format!("Column {column} is set to zero and nothing else has moved: {error} % of the output’s energy is wrong.")
    }
    pub fn two_flow(before: impl Display, after: impl Display) -> String {
        format!("The survivors make up for it: the error falls from {before} % to {after} %.")
    }
    pub fn two_open(column: impl Display) -> String {
        format!("So far the smallest column, {column}, is also the cheapest to remove. Make the inputs more alike.")
    }
    pub fn two_done(smallest: impl Display, cheapest: impl Display, percent: impl Display) -> String {
        format!("Column {smallest} is the smallest, but removing column {cheapest} costs {percent} % less.")
    }
    pub fn page_title() -> &'static str {
        "How to remove parts of a language model"
    }
    pub fn page_lede() -> &'static str {
        "Optimal Brain Surgeon decides which attention heads and feed-forward channels a model can do without, and changes the rest so that little is lost. Every figure here is computed in front of you, by the program that prunes real models."
    }
    pub fn contents() -> &'static str {
        "Contents"
    }
    pub fn glossary() -> &'static str {
        "Glossary"
    }
    pub fn used_in() -> &'static str {
        "Used in lesson"
    }
    pub fn skip() -> &'static str {
        "To the lessons"
    }
    pub fn dismiss() -> &'static str {
        "Dismiss"
    }
    pub fn footer() -> &'static str {
        "Nothing on this page leaves your computer."
    }
    pub fn damaged_version() -> &'static str {
        "This link was made by another version of this page, so what it showed is not known here. The page begins anew."
    }
    pub fn damaged_part(part: impl Display) -> String {
        format!("This link is damaged: “{part}” means nothing here. The page begins anew.")
    }
    pub fn toolbar(number: impl Display) -> String {
        format!("Lesson {number}: undo, reset, copy link")
    }
    pub fn undo() -> &'static str {
        "Undo"
    }
    pub fn reset() -> &'static str {
        "Reset"
    }
    pub fn copy_link() -> &'static str {
        "Copy link"
    }
    pub fn link_copied() -> &'static str {
        "Link copied:"
    }
    pub fn to_do() -> &'static str {
        "To do"
    }
    pub fn to_remember() -> &'static str {
        "To remember"
    }
    pub fn done() -> &'static str {
        "✓"
    }
    pub fn symbols() -> &'static str {
        "Symbols of this lesson"
    }
    pub fn lines_that_ran() -> &'static str {
        "The lines that ran"
    }
    pub fn line(line: impl Display) -> String {
        format!("line {line}")
    }
    pub fn steps() -> &'static str {
        "Steps; arrow keys go back and forward, space plays"
    }
    pub fn step_back() -> &'static str {
        "Back"
    }
    pub fn step_forward() -> &'static str {
        "Forward"
    }
    pub fn play() -> &'static str {
        "Play"
    }
    pub fn pause() -> &'static str {
        "Pause"
    }
    pub fn step_of(step: impl Display, last: impl Display) -> String {
        format!("step {step} of {last}")
    }
    pub fn cell(matrix: impl Display, row: impl Display, column: impl Display, value: impl Display) -> String {
        format!("{matrix}, row {row}, column {column}: {value}")
    }
    pub fn shape(matrix: impl Display, rows: impl Display, columns: impl Display) -> String {
        format!("{matrix}: {rows} rows, {columns} columns")
    }
    pub fn edit_cell(matrix: impl Display, row: impl Display, column: impl Display) -> String {
        format!("Another value for {matrix}, row {row}, column {column}")
    }
    pub fn edit_none(matrix: impl Display) -> String {
        format!("Touch a cell of {matrix} to change it")
    }
    pub fn correlation() -> &'static str {
        "Correlation of neighbouring inputs"
    }
    pub fn damping() -> &'static str {
        "Damping λ, as a share of H’s mean diagonal"
    }
    pub fn other_numbers() -> &'static str {
        "Other numbers"
    }
}
