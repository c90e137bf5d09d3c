//! The glossary: every symbol that formulas may point at.

use std::fmt::Write;

use super::section::Section;
use super::{Files, Formulas, Wrong, markdown};

/// A symbol and what it means.
pub struct Symbol {
    id: String,
    math: String,
    name: String,
    meaning: String,
}

/// The symbols of a file, and formulas that know them. A symbol is `## $TeX$ id`, a line with its
/// name, then what it means.
pub fn read(files: &Files, path: &str) -> Result<(Formulas, Vec<Symbol>), Wrong> {
    let text = files.read(path)?;
    let sections: Vec<Section> = Section::all(path, &text).into_iter().filter(|s| s.depth == 2).collect();
    let mut formulas = Formulas::new().map_err(|what| Wrong::new(path, 1, what))?;
    // All are known before any is explained: meanings point at other symbols.
    for section in &sections {
        let (tex, id) = heading(section)?;
        formulas.add(id, tex).map_err(|what| section.amiss(what))?;
    }
    let symbols = sections.iter().map(|section| symbol(section, &formulas)).collect::<Result<_, _>>()?;
    Ok((formulas, symbols))
}

fn heading<'a>(section: &Section<'a>) -> Result<(&'a str, &'a str), Wrong> {
    let parts = section.heading.strip_prefix('$').and_then(|rest| rest.split_once('$'));
    let parts = parts.map(|(tex, id)| (tex, id.trim()));
    let named = parts.filter(|(_, id)| !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase()));
    named.ok_or_else(|| section.amiss("not ## $TeX$ id, with an id in small letters"))
}

fn symbol(section: &Section, formulas: &Formulas) -> Result<Symbol, Wrong> {
    let (tex, id) = heading(section)?;
    let math = formulas.formula(tex, false).map_err(|what| section.amiss(what))?.html;
    let (at, name) = section.lines().next().ok_or_else(|| section.amiss("a symbol needs its name"))?;
    let after = section.text[at..].find('\n').map_or(section.text.len(), |end| at + end);
    // Under the name's own line, so that what is wrong is told at its place.
    let above = section.text[..after].matches('\n').count();
    let rest = Section { text: &section.text[after..], line: section.line + above, ..*section };
    let meaning = markdown::html(&rest, formulas)?.html;
    if meaning.is_empty() {
        return Err(section.amiss("a symbol needs what it means"));
    }
    Ok(Symbol { id: id.into(), math, name: name.into(), meaning })
}

/// `SYMBOLS`.
pub fn write(out: &mut String, symbols: &[Symbol]) {
    let _ = writeln!(out, "/// The glossary, in its order.\npub static SYMBOLS: &[Symbol] = &[");
    for Symbol { id, math, name, meaning } in symbols {
        let _ = writeln!(out, "    Symbol {{ id: {id:?}, math: {math:?}, name: {name:?}, meaning: {meaning:?} }},");
    }
    out.push_str("];\n\n");
}
