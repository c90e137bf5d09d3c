//! Calibration files: plain text, JSON lines, and Alpaca-style rows, gzipped or not.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::TextError;

/// The documents of a file: the whole of a `.txt` (also `.md`, `.raw`), the `key` of every line of a `.jsonl`, every row
/// of a `.json` list (as Alpaca: instruction, input and output joined by line ends). A `.json` that
/// is no list holds lines, as the shards of C4 do. Any of them may end in `.gz`.
///
/// # Errors
/// When the file is unreadable, has another ending, or a row lacks its text; rows are counted from 1.
pub fn read_documents(path: &Path, key: &str) -> Result<Vec<String>, TextError> {
    let wrong = |reason: String| TextError::File { file: path.display().to_string(), reason };
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, gzipped) = match name.strip_suffix(".gz") {
        Some(inner) => (inner.to_owned(), true),
        None => (name, false),
    };
    let text =
        read_text(path, gzipped).map_err(|e| wrong(format!("{e}; give a readable UTF-8 text file, gzipped or not")))?;
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("txt" | "md" | "raw") => Ok(vec![text]),
        Some("json") if text.trim_start().starts_with('[') => alpaca(&text, key).map_err(BadRow::at(path, key)),
        Some("jsonl" | "json") => lines(&text, key).map_err(BadRow::at(path, key)),
        _ => Err(wrong(
            "the ending says nothing known; give .txt, .jsonl (one object a line) or .json (Alpaca rows), or one of them with .gz".into(),
        )),
    }
}

fn read_text(path: &Path, gzipped: bool) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?;
    match gzipped {
        // A file may be several gzip members one after the other.
        true => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?,
        false => file.read_to_string(&mut text)?,
    };
    // The text is as long as a file may be; the mark before it is three bytes.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// What is wrong with a row: it is no JSON, or it has no text.
enum BadRow {
    Wrong(String),
    NoText(String),
}

impl BadRow {
    fn at(path: &Path, key: &str) -> impl Fn(Self) -> TextError {
        let (file, key) = (path.display().to_string(), key.to_owned());
        move |row| match row {
            Self::Wrong(reason) => TextError::File { file: file.clone(), reason },
            Self::NoText(row) => TextError::NoText { file: file.clone(), row, key: key.clone() },
        }
    }
}

fn lines(text: &str, key: &str) -> Result<Vec<String>, BadRow> {
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(i, line)| {
        let row: Value = serde_json::from_str(line).map_err(|e| BadRow::Wrong(format!("line {}: {e}", i + 1)))?;
        row[key].as_str().map(str::to_owned).ok_or_else(|| BadRow::NoText(format!("line {}", i + 1)))
    })
    .collect()
}

fn alpaca(text: &str, key: &str) -> Result<Vec<String>, BadRow> {
    let rows: Vec<Value> =
        serde_json::from_str(text).map_err(|e| BadRow::Wrong(format!("not a JSON list of rows: {e}")))?;
    let text = |(i, row): (usize, &Value)| alpaca_row(row, key).ok_or_else(|| BadRow::NoText(no_text(i)));
    rows.iter().enumerate().map(text).collect()
}

fn no_text(i: usize) -> String {
    format!("row {} is no pair of \"instruction\" and \"output\", and", i + 1)
}

fn alpaca_row(row: &Value, key: &str) -> Option<String> {
    let Some(instruction) = row["instruction"].as_str() else {
        return row[key].as_str().map(str::to_owned);
    };
    // Most rows of Alpaca have an empty input, which makes no line.
    let input = row["input"].as_str().filter(|s| !s.is_empty());
    let parts: Vec<&str> = [Some(instruction), input, Some(row["output"].as_str()?)].into_iter().flatten().collect();
    Some(parts.join("\n"))
}
