//! Rust source as far as the tidy rules need it: the code without comments and strings, and the
//! modules of our own crate that it names.

use std::collections::{BTreeMap, BTreeSet};

/// The text without comments, and with empty strings: what is left is code.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        // A space, so that what stood on both sides does not become one word.
        code.push(if skipped.is_some() { ' ' } else { next });
        rest = &rest[skipped.unwrap_or(next.len_utf8())..];
    }
    code
}

/// Length of the comment at the beginning of `text`.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// Length of the string at the beginning of `text`, plain or raw.
fn string(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|&(_, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        return Some(end.map_or(text.len(), |(i, _)| i + 1));
    }
    let hashes = text.strip_prefix('r')?.chars().take_while(|&c| c == '#').count();
    text[1 + hashes..].starts_with('"').then(|| {
        let end = format!("\"{}", "#".repeat(hashes));
        text[2 + hashes..].find(&end).map_or(text.len(), |i| 2 + hashes + i + end.len())
    })
}

/// Length of the character literal at the beginning of `text`; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if let Some(escaped) = inside.strip_prefix('\\') {
        return escaped.get(1..)?.find('\'').map(|end| 2 + 1 + end + 1);
    }
    let c = inside.chars().next()?;
    inside[c.len_utf8()..].starts_with('\'').then(|| 2 + c.len_utf8())
}

/// Whether `word` stands in `text` with nothing before it that would belong to a longer word, and
/// nothing after it either where `word` ends in a letter.
pub fn has_word(text: &str, word: &str) -> bool {
    let belongs = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(i, _)| {
        let before = text[..i].chars().next_back();
        let after = text[i + word.len()..].chars().next();
        let cut = word.ends_with(belongs) && after.is_some_and(belongs);
        !before.is_some_and(belongs) && !cut
    })
}

/// The modules of this crate that `text` names: `a` of `crate::a::b`, `a` and `b` of
/// `crate::{a, b::c}`. Names that begin with a capital are not modules.
pub fn crate_modules(text: &str) -> BTreeSet<String> {
    let from_root = paths(&code(text)).into_iter().filter(|path| path[0] == "crate");
    let modules = from_root.filter_map(|mut path| (path.len() > 1).then(|| path.swap_remove(1)));
    modules.filter(|name| name.starts_with(|c: char| c.is_lowercase())).collect()
}

/// Every path in `code` that begins with `crate`, `super` or `self`, braces multiplied out.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (start, _) in code.match_indices(root) {
            let before = code[..start].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                found.extend(branches(&code[start..]).into_iter().map(|(path, _)| path));
            }
        }
    }
    found
}

/// What `use` brings in, by the name it gets here.
pub fn uses(code: &str) -> BTreeMap<String, Vec<String>> {
    let starts =
        code.match_indices("use ").filter(|(i, _)| !code[..*i].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let trees = starts.flat_map(|(i, word)| branches(&code[i + word.len()..]));
    trees.filter_map(|(path, name)| Some((name.or_else(|| path.last().cloned())?, path))).collect()
}

/// The paths of the tree that `text` begins with (`a::{b, c::d as e}`), each with the name that it
/// is given (`e`).
fn branches(text: &str) -> Vec<(Vec<String>, Option<String>)> {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        return top_level(list).into_iter().flat_map(branches).collect();
    }
    let (name, rest) = text.split_at(word(text));
    if name.is_empty() {
        return vec![];
    }
    let onward = rest.strip_prefix("::").map(branches).unwrap_or_default();
    if onward.is_empty() {
        let given = rest.strip_prefix(" as ").map(|given| given[..word(given)].to_owned());
        return vec![(vec![name.to_owned()], given)];
    }
    let with_name = |(path, given): (Vec<String>, _)| match path.as_slice() {
        // `a::{self}` is `a`.
        [own] if own == "self" => (vec![name.to_owned()], given),
        _ => ([vec![name.to_owned()], path].concat(), given),
    };
    onward.into_iter().map(with_name).collect()
}

/// Length of the name at the beginning of `text`.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The comma-separated parts of a braced list whose brace is already open, inner lists unsplit.
fn top_level(list: &str) -> Vec<&str> {
    let mut depth = 1;
    let mut start = 0;
    let mut parts = Vec::new();
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            parts.push(&list[start..i]);
            start = i + 1;
        }
        if depth == 0 {
            break;
        }
    }
    parts
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let text = "a // b\n/* c */ d(\"e // \\\" f\", r#\"g \" h\"#, '\"', '\\'', '\\n') 'i: &'j str";
    let code: String = code(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, "a d( , , , , ) 'i: &'j str");
}

#[test]
fn words_are_found_whole() {
    assert!(has_word("x; println!(1)", "println!") && !has_word("eprintln!(1)", "println!"));
    assert!(has_word("// ADO: x", "ADO") && !has_word("ADOBE", "ADO") && !has_word("_ADO", "ADO"));
}

#[test]
fn modules_are_found_in_every_form() {
    let text = "use crate::{\n  a,\n b::{c, d}, E, f::G};\nlet x = crate::h::i(); pub(crate) fn y() {}";
    assert_eq!(crate_modules(text).into_iter().collect::<Vec<_>>(), ["a", "b", "f", "h"]);
}

#[test]
fn paths_are_multiplied_out_and_keep_their_new_names() {
    let code = "pub(crate) use super::{a::{self, B}, c as d};\nlet x = self::e::f(); g::super_::h();";
    let joined: Vec<String> = paths(code).iter().map(|path| path.join("/")).collect();
    assert_eq!(joined, ["super/a", "super/a/B", "super/c", "self/e/f"]);
    let names = uses(code);
    assert_eq!(names["d"], ["super", "c"]);
    assert_eq!(names.keys().collect::<Vec<_>>(), ["B", "a", "d"]);
}
