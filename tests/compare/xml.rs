//! A small check that a text is well-formed: tags close in order, attributes are quoted, every `&`
//! and `<` means something. Pages are written so that they pass as XML.

/// Fails the test where the text is not well-formed.
#[track_caller]
pub fn check(text: &str) {
    if let Err(problem) = problem(text) {
        panic!("not well-formed: {problem}");
    }
}

fn problem(text: &str) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        entities(&rest[..at])?;
        let end =
            rest[at..].find('>').ok_or_else(|| format!("a tag that does not end: {}", excerpt(&rest[at..])))? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') || tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(last) if last == name => continue,
                last => return Err(format!("</{name}> closes {last:?}")),
            }
        }
        let name: String = tag.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
        attributes(&tag[name.len()..]).map_err(|e| format!("<{tag}>: {e}"))?;
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    entities(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("not closed: {open:?}")) }
}

fn attributes(text: &str) -> Result<(), String> {
    let mut rest = text.trim_end_matches('/').trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").ok_or_else(|| format!("an attribute without a value: {rest}"))?;
        if name.trim().is_empty() || name.trim().contains(char::is_whitespace) {
            return Err(format!("an attribute without a value: {name}"));
        }
        let (value, after) = value.split_once('"').ok_or_else(|| format!("a value that does not end: {value}"))?;
        entities(value)?;
        rest = after.trim();
    }
    Ok(())
}

fn entities(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('&') {
        let name: String = text[at + 1..].chars().take_while(|c| *c != ';').take(8).collect();
        let known = ["amp", "lt", "gt", "quot", "apos"].contains(&name.as_str()) || name.starts_with('#');
        if !known {
            return Err(format!("a bare &: {}", excerpt(&text[at..])));
        }
    }
    Ok(())
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn the_check_notices_what_it_must() {
    for right in ["<a b=\"c\"><d/>x &amp; y</a>", "<!DOCTYPE html><p>1 &#x27; 2</p>"] {
        assert_eq!(problem(right), Ok(()), "{right}");
    }
    for wrong in ["<a>", "<a></b>", "<a b=c></a>", "<a b></a>", "a & b", "<a b=\"c></a>", "<p>&nbsp;</p>"] {
        assert!(problem(wrong).is_err(), "{wrong}");
    }
}
