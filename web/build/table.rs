//! The measured tables of the README, each with the words before it that say how it was measured.

use pulldown_cmark::{Options, Parser, html};

use super::markdown::{ends_table, unaligned};
use super::section::Section;
use super::{Files, Wrong, unbroken};

/// The headings under which the tables stand, and what a reader with a screen reader is told of each.
const TABLES: [(&str, &str); 2] = [
    ("Figures", "Perplexity after pruning by several scores and schedules"),
    ("Methods compared", "Perplexity after pruning by several methods"),
];

/// The tables as HTML.
pub fn read(files: &Files, path: &str) -> Result<String, Wrong> {
    let text = files.read(path)?;
    let sections = Section::all(path, &text);
    let mut out = String::new();
    for (heading, label) in TABLES {
        let section = sections.iter().find(|section| section.heading == heading);
        let section = section.ok_or_else(|| Wrong::new(path, 1, format!("no section {heading}")))?;
        out += &upto_table(section, label)?;
    }
    Ok(out)
}

/// What a section says up to the end of its first table. The table may be wider than a phone.
fn upto_table(section: &Section, label: &str) -> Result<String, Wrong> {
    let events: Vec<_> = Parser::new_ext(section.text, Options::ENABLE_TABLES).map(unaligned).collect();
    let end = events.iter().position(ends_table).ok_or_else(|| section.amiss("no table here"))?;
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter().take(end + 1));
    let out = unbroken(&out);
    let scrolls = format!("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{label}\"><table>");
    Ok(headed(&out).replace("<table>", &scrolls).replace("</table>", "</table></div>"))
}

/// A table whose first cells say what stands in their rows, as its first row does for its columns.
fn headed(table: &str) -> String {
    let mut rows = table.split("<tr><td>");
    let before = rows.next().unwrap_or_default().replace("<th>", "<th scope=\"col\">");
    rows.fold(before, |html, row| html + "<tr><th scope=\"row\">" + &row.replacen("</td>", "</th>", 1))
}
