//! A file to one that is a little, or very, different.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::Format;

/// Numbers at which something begins or ends.
const NUMBERS: [&str; 20] = [
    "0",
    "-1",
    "1",
    "2",
    "3",
    "7",
    "255",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-1e308",
    "5e-324",
    "NaN",
];
/// Texts that somebody might trip over.
const TEXTS: [&str; 12] = [
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"../../etc/passwd\"",
    "\"/dev/zero\"",
    "\"é😀\\u0301\"",
    "\"\\u001b[2J\"",
    "\"NaN\"",
    "\"(a+)+$\"",
    "\"\u{feff}\"",
    "\"__proto__\"",
];
const VALUES: [&str; 8] = ["null", "true", "false", "[]", "{}", "[[]]", "[null]", "{\"\": null}"];
/// Depths of nesting.
const DEPTHS: [usize; 5] = [3, 100, 127, 129, 20_000];
/// Longest file that is made.
const LONGEST: usize = 1 << 20;

/// A value of a JSON text, or a key with its value.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    to: usize,
    is_member: bool,
}

/// The file with some changes.
pub fn mutated(seed: &[u8], format: &Format, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut file = seed.to_vec();
    // Mostly one: what differs in much is refused at the first difference.
    let changes = [1, 1, 1, 2, 3, 6][rng.random_range(0..6)];
    for _ in 0..changes {
        let structured = rng.random_range(0..10) < 7;
        file = match structured {
            true if format.is_json => of_json(&file, rng),
            true if !format.parts.is_empty() => with_part(&file, format.parts, rng),
            _ => of_bytes(file, rng),
        };
        file.truncate(LONGEST);
    }
    file
}

fn of_bytes(mut file: Vec<u8>, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let length = file.len();
    let at = rng.random_range(0..=length);
    let end = (at + rng.random_range(1..=16)).min(length);
    match rng.random_range(0..8) {
        0 if at < length => file[at] ^= 1 << rng.random_range(0..8),
        1 if at < length => file[at] = rng.random(),
        2 => drop(file.drain(at..end)),
        3 => file.truncate(at),
        4 => {
            let part = file[at..end].to_vec();
            let times = [1, 3, 1000][rng.random_range(0..3)];
            file.splice(at..at, part.repeat(times));
        }
        5 => {
            let bytes: Vec<u8> = (0..rng.random_range(1..9)).map(|_| rng.random()).collect();
            file.splice(at..at, bytes);
        }
        6 if at < end => {
            let number = [0u64, 1, u64::MAX, 1 << 31, 1 << 53, 1 << 63][rng.random_range(0..6)].to_le_bytes();
            let end = (at + 8).min(length);
            file[at..end].copy_from_slice(&number[..end - at]);
        }
        _ => {
            let other = rng.random_range(0..=length);
            let part = file[other..(other + end - at).min(length)].to_vec();
            file.splice(at..end, part);
        }
    }
    file
}

/// Puts one of the format's own parts in the place of something.
fn with_part(file: &[u8], parts: &[&str], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let part = parts[rng.random_range(0..parts.len())];
    let at = rng.random_range(0..=file.len());
    let end = (at + [0, 0, 4, 20][rng.random_range(0..4)]).min(file.len());
    [&file[..at], part.as_bytes(), &file[end..]].concat()
}

fn of_json(file: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let parts = parts(file);
    if parts.is_empty() {
        return of_bytes(file.to_vec(), rng);
    }
    let pick = |rng: &mut ChaCha8Rng| parts[rng.random_range(0..parts.len())];
    let mut part = pick(rng);
    let other = pick(rng);
    let own = |part: Part| file[part.from..part.to].to_vec();
    let one = |all: &[&str], rng: &mut ChaCha8Rng| all[rng.random_range(0..all.len())].as_bytes().to_vec();
    // Of a key with its value, mostly the value is meant.
    let what = rng.random_range(0..11);
    if part.is_member && what < 7 {
        part = parts.iter().copied().find(|p| p.to == part.to && p.from > part.from && !p.is_member).unwrap_or(part);
    }
    let new = match what {
        0..=2 => one(&NUMBERS, rng),
        3 => one(&TEXTS, rng),
        4 => one(&VALUES, rng),
        5 => own(other),
        6 => {
            let depth = DEPTHS[rng.random_range(0..DEPTHS.len())];
            let (open, close) = [("[", "]"), ("{\"a\":", "}")][rng.random_range(0..2)];
            [open.repeat(depth).as_bytes(), &own(part), close.repeat(depth).as_bytes()].concat()
        }
        // A list or an object has one member less, twice the same, or very many.
        7 => return without(file, part),
        8 => [&own(part)[..], b",", &own(part)].concat(),
        9 => {
            let times = [10, 5000][rng.random_range(0..2)];
            [&own(part)[..], &[&b","[..], &own(part)].concat().repeat(times)].concat()
        }
        _ => own(other),
    };
    [&file[..part.from], &new, &file[part.to..]].concat()
}

fn without(file: &[u8], part: Part) -> Vec<u8> {
    let after = file[part.to..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let comma = file.get(part.to + after) == Some(&b',');
    let to = if comma { part.to + after + 1 } else { part.to };
    let mut left = [&file[..part.from], &file[to..]].concat();
    // The last one has its comma before it.
    let before = file[..part.from].iter().rposition(|b| !b.is_ascii_whitespace());
    if let Some(before) = before.filter(|&at| !comma && file[at] == b',') {
        left.remove(before);
    }
    left
}

/// The values of a JSON text, and its keys with their values.
fn parts(file: &[u8]) -> Vec<Part> {
    let (mut parts, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    // Of each bracket that is open, where it began and the key before a value that is awaited.
    let mut key: Option<usize> = None;
    while at < file.len() {
        let from = at;
        let to = match file[at] {
            b'{' | b'[' => {
                open.push((at, key.take()));
                at += 1;
                continue;
            }
            b'}' | b']' => {
                at += 1;
                let Some((began, before)) = open.pop() else { continue };
                push(&mut parts, began, at, before);
                continue;
            }
            b'"' => string_end(file, at),
            b'-' | b'0'..=b'9' | b'a'..=b'z' => word_end(file, at),
            _ => {
                at += 1;
                continue;
            }
        };
        at = to;
        let after = file[to..].iter().position(|b| !b.is_ascii_whitespace()).map_or(to, |n| to + n);
        if file[from] == b'"' && file.get(after) == Some(&b':') {
            (key, at) = (Some(from), after + 1);
            continue;
        }
        push(&mut parts, from, to, key.take());
    }
    parts
}

fn push(parts: &mut Vec<Part>, from: usize, to: usize, key: Option<usize>) {
    parts.push(Part { from, to, is_member: false });
    parts.extend(key.map(|key| Part { from: key, to, is_member: true }));
}

fn string_end(file: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < file.len() && file[at] != b'"' {
        at += if file[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(file.len())
}

fn word_end(file: &[u8], from: usize) -> usize {
    let is_in = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    from + file[from..].iter().take_while(|b| is_in(b)).count().max(1)
}

#[test]
fn the_parts_of_a_json_text_are_its_values_and_members() {
    let text = br#"{"a": [1, "b\"", null], "c": {"d": -2.5e3}}"#;
    let found: Vec<&str> = parts(text).iter().map(|p| std::str::from_utf8(&text[p.from..p.to]).unwrap()).collect();
    let whole = std::str::from_utf8(text).unwrap();
    let values = ["1", r#""b\"""#, "null", r#"[1, "b\"", null]"#, r#""a": [1, "b\"", null]"#];
    let rest = ["-2.5e3", r#""d": -2.5e3"#, r#"{"d": -2.5e3}"#, r#""c": {"d": -2.5e3}"#, whole];
    assert_eq!(found, [&values[..], &rest].concat());
    let part = parts(text).into_iter().find(|p| p.is_member && text[p.from..].starts_with(br#""c""#)).unwrap();
    assert_eq!(without(text, part), br#"{"a": [1, "b\"", null] }"#);
}
