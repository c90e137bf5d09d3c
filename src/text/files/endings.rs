//! Which files are read as texts, by how their names end: the one list for what opens them, for what lets people choose,
//! and for what tells of them.

use std::path::Path;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text.
    Text,
    /// An object a line.
    Lines,
    /// A list of objects.
    List,
    /// A header and records, with this byte between fields.
    Separated(u8),
    /// Parquet.
    Columns,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// How names end, what such a file holds, and what is said of it.
const ENDINGS: [(&str, Kind, &str); 9] = [
    ("txt", Kind::Text, ""),
    ("md", Kind::Text, ""),
    ("raw", Kind::Text, ""),
    ("ndjson", Kind::Lines, ""),
    ("jsonl", Kind::Lines, " (one object a line)"),
    // Or lines, as the shards of C4 are: only its beginning tells.
    ("json", Kind::List, " (a list of them)"),
    ("csv", Kind::Separated(b','), ""),
    ("tsv", Kind::Separated(b'\t'), ""),
    // Last, because it alone is not packed as a whole.
    ("parquet", Kind::Columns, ""),
];

/// How names of packed files end, behind that of what is packed, and the bytes that such files begin with.
pub(super) const PACKED: [(&str, &[u8], Packing); 2] =
    [("gz", &[0x1f, 0x8b], Packing::Gzip), ("zst", &[0x28, 0xb5, 0x2f, 0xfd], Packing::Zstd)];

/// How the names of all files end that are read, without the dot.
pub fn text_endings() -> Vec<&'static str> {
    ENDINGS.iter().map(|&(ending, ..)| ending).chain(PACKED.iter().map(|&(ending, ..)| ending)).collect()
}

/// Whether a file's name says that it is read here.
pub fn is_readable(name: &str) -> bool {
    kind(name).is_some()
}

/// Whether a file's name says that it holds rows, which have keys.
pub fn has_rows(path: &Path) -> bool {
    kind_of(path).is_some_and(|kind| kind != Kind::Text)
}

/// Whether a file's name says that it holds a text and no rows.
pub(in crate::text) fn is_text(path: &Path) -> bool {
    kind_of(path) == Some(Kind::Text)
}

fn kind_of(path: &Path) -> Option<Kind> {
    kind(&path.file_name()?.to_string_lossy())
}

/// What a file holds by its name, packed or not.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let (_, ending) = unpacked(name).0.rsplit_once('.')?;
    ENDINGS.iter().find(|(known, ..)| *known == ending).map(|&(_, kind, _)| kind)
}

/// The name without the ending of a packed file, and how it is packed.
pub(super) fn unpacked(name: &str) -> (&str, Packing) {
    let known = PACKED.iter().find_map(|&(ending, _, packing)| {
        let name = name.strip_suffix(ending)?.strip_suffix('.')?;
        Some((name, packing))
    });
    known.unwrap_or((name, Packing::Plain))
}

/// What can be read, in words.
pub(super) fn told() -> String {
    told_of(|_| true)
}

/// What has rows, in words.
pub(super) fn told_rows() -> String {
    told_of(|kind| kind != Kind::Text)
}

fn told_of(is_meant: impl Fn(Kind) -> bool) -> String {
    let meant = ENDINGS.iter().filter(|(_, kind, _)| is_meant(*kind));
    let all: Vec<String> = meant.map(|(ending, _, what)| format!(".{ending}{what}")).collect();
    let (last, before) = all.split_last().map_or((String::new(), &all[..]), |(last, before)| (last.clone(), before));
    let packed: Vec<String> = PACKED.iter().map(|(ending, ..)| format!(".{ending}")).collect();
    format!("give {} or {last}, each but the last with {} too", before.join(", "), packed.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_file_holds() {
        assert_eq!(kind("a.txt"), Some(Kind::Text));
        assert_eq!(kind("c4-train.00000-of-01024.json.gz"), Some(Kind::List));
        assert_eq!(kind("a.tsv.zst"), Some(Kind::Separated(b'\t')));
        for other in ["a", "txt", "a.gz", "a.txt.bz2", "a.TXT", ""] {
            assert_eq!(kind(other), None, "{other}");
        }
        assert!(
            has_rows(Path::new("x/a.jsonl.gz")) && !has_rows(Path::new("x/a.md")) && !has_rows(Path::new("x.csv/a"))
        );
    }

    #[test]
    fn all_that_is_read_is_told() {
        let told = told();
        assert!(text_endings().iter().all(|ending| told.contains(&format!(".{ending}"))), "{told}");
        assert!(!told_rows().contains(".txt") && told_rows().starts_with("give .ndjson, .jsonl (one object a line), "));
        assert!(told.ends_with(".tsv or .parquet, each but the last with .gz or .zst too"), "{told}");
    }
}
