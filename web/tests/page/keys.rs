//! Keys as the browser wants them told.

use serde_json::{Value, json};

/// What is pressed: the key's name, its place on the keyboard, its number and what it writes.
const NAMED: &[(&str, &str, u32, &str)] = &[
    ("Tab", "Tab", 9, ""),
    ("Enter", "Enter", 13, "\r"),
    ("Escape", "Escape", 27, ""),
    (" ", "Space", 32, " "),
    ("PageUp", "PageUp", 33, ""),
    ("PageDown", "PageDown", 34, ""),
    ("End", "End", 35, ""),
    ("Home", "Home", 36, ""),
    ("ArrowLeft", "ArrowLeft", 37, ""),
    ("ArrowUp", "ArrowUp", 38, ""),
    ("ArrowRight", "ArrowRight", 39, ""),
    ("ArrowDown", "ArrowDown", 40, ""),
    ("Backspace", "Backspace", 8, ""),
];

/// The two events of pressing `key`: a name of the list above, or one letter or digit.
pub fn events(key: &str) -> [Value; 2] {
    let named = NAMED.iter().find(|(name, ..)| *name == key);
    let (code, number, text) = match (named, key.chars().next()) {
        (Some((_, code, number, text)), _) => ((*code).to_owned(), *number, (*text).to_owned()),
        (None, Some(c)) if key.len() == 1 && c.is_ascii_alphanumeric() => {
            let code = if c.is_ascii_digit() { format!("Digit{c}") } else { format!("Key{}", c.to_ascii_uppercase()) };
            (code, u32::from(c.to_ascii_uppercase()), key.to_owned())
        }
        _ => panic!("no key is called {key:?}"),
    };
    let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
    let event = |kind: &str| json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number });
    let mut pressed = event(down);
    if !text.is_empty() {
        pressed["text"] = text.into();
    }
    [pressed, event("keyUp")]
}
