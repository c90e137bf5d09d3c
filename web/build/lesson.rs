//! A lesson: a question, a few words, one thing to do, two to remember, the lines that ran.

use std::fmt::Write;

use super::section::Section;
use super::{Files, Formulas, Wrong, colour, function, markdown};

/// Longest body: a reader has ten minutes for nine lessons.
const MOST_WORDS: usize = 150;

/// A lesson as HTML.
pub struct Lesson {
    number: usize,
    slug: String,
    title: String,
    body: String,
    task: String,
    remember: Vec<String>,
    lines: Vec<Lines>,
    symbols: Vec<String>,
}

struct Lines {
    name: String,
    path: String,
    first_line: usize,
    html: String,
}

/// The lesson of a file `N-slug.md`.
pub fn read(files: &Files, path: &str, formulas: &Formulas) -> Result<Lesson, Wrong> {
    let text = files.read(path)?;
    let sections = Section::all(path, &text);
    let [question, todo, remember, lines] = parts(path, &sections)?;

    let body = markdown::html(question, formulas)?;
    if body.words > MOST_WORDS {
        return Err(question.amiss(format!("{} words, and at most {MOST_WORDS} are read", body.words)));
    }
    let task = markdown::html(todo, formulas)?;
    let (remembered, in_remembered) = markdown::items(remember, formulas)?;
    if remembered.len() != 2 {
        return Err(remember.amiss("two things are to be remembered"));
    }
    let (number, slug) = named(path)?;
    let mut symbols = body.symbols;
    for id in task.symbols.into_iter().chain(in_remembered) {
        if !symbols.contains(&id) {
            symbols.push(id);
        }
    }
    let lines = lines.lines().map(|(at, line)| shown(files, line).map_err(|what| lines.wrong(at, what)));
    Ok(Lesson {
        number,
        slug,
        title: question.heading.into(),
        body: body.html,
        task: task.html,
        remember: remembered,
        lines: lines.collect::<Result<_, _>>()?,
        symbols,
    })
}

/// Question, what to do, what to remember and the lines that ran, in this order and nothing else.
fn parts<'a, 'b>(path: &str, sections: &'b [Section<'a>]) -> Result<[&'b Section<'a>; 4], Wrong> {
    let expected = [(1, None), (2, Some("Do")), (2, Some("Remember")), (2, Some("Lines"))];
    for (index, (depth, heading)) in expected.into_iter().enumerate() {
        let name = heading.unwrap_or("the question");
        let section = sections.get(index).ok_or_else(|| Wrong::new(path, 1, format!("no section: {name}")))?;
        if section.depth != depth || heading.is_some_and(|heading| heading != section.heading) {
            return Err(section.amiss(format!("here should be: {name}")));
        }
        if section.lines().next().is_none() {
            return Err(section.amiss("nothing stands here"));
        }
    }
    match sections {
        [a, b, c, d] => Ok([a, b, c, d]),
        more => Err(more[expected.len()].amiss("a lesson ends with its lines")),
    }
}

/// Number and slug from `…/N-slug.md`.
fn named(path: &str) -> Result<(usize, String), Wrong> {
    let name = path.rsplit('/').next().unwrap_or(path).strip_suffix(".md");
    let parts = name.and_then(|name| name.split_once('-'));
    let named = parts.and_then(|(number, slug)| Some((number.parse().ok()?, slug.to_owned())));
    named.ok_or_else(|| Wrong::new(path, 1, "not N-slug.md"))
}

/// `- path/from/root.rs function`.
fn shown(files: &Files, line: &str) -> Result<Lines, String> {
    let parts = line.strip_prefix("- ").and_then(|line| line.split_once(' '));
    let (path, name) = parts.ok_or("not - path/from/root.rs function")?;
    let source = files.read(path).map_err(|wrong| wrong.to_string())?;
    let function = function::cut(&source, name.trim()).map_err(|what| format!("{path}: {what}"))?;
    let html = colour::html(&function.text)?;
    Ok(Lines { name: name.trim().into(), path: path.into(), first_line: function.first_line, html })
}

/// `LESSONS`.
pub fn write(out: &mut String, lessons: &[Lesson]) {
    let _ = writeln!(out, "/// The lessons, in their order.\npub static LESSONS: [Lesson; {}] = [", lessons.len());
    for Lesson { number, slug, title, body, task, remember, lines, symbols } in lessons {
        let _ = writeln!(out, "    Lesson {{\n        number: {number},\n        slug: {slug:?},");
        let _ = writeln!(out, "        title: {title:?},\n        body: {body:?},\n        task: {task:?},");
        let _ = writeln!(out, "        remember: {remember:?},\n        symbols: &{symbols:?},\n        lines: &[");
        for Lines { name, path, first_line, html } in lines {
            let _ = writeln!(
                out,
                "            Lines {{ name: {name:?}, path: {path:?}, first_line: {first_line}, html: {html:?} }},"
            );
        }
        out.push_str("        ],\n    },\n");
    }
    out.push_str("];\n\n");
}
