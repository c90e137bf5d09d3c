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
        Some("json") if text.trim_start().starts_with('[') => alpaca(&text, key).map_err(wrong),
        Some("jsonl" | "json") => lines(&text, key).map_err(wrong),
        _ => Err(wrong(
            "the ending says nothing known; give .txt, .jsonl (with --text-key) or .json (Alpaca rows), or one of them with .gz".into(),
        )),
    }
}

fn read_text(path: &Path, gzipped: bool) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?;
    match gzipped {
        true => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text)?,
        false => file.read_to_string(&mut text)?,
    };
    Ok(text)
}

fn lines(text: &str, key: &str) -> Result<Vec<String>, String> {
    let rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(i, line)| {
        let row: Value = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", i + 1))?;
        let text = row[key].as_str().map(str::to_owned);
        text.ok_or_else(|| format!("line {} has no text under \"{key}\"; name the right key with --text-key", i + 1))
    })
    .collect()
}

fn alpaca(text: &str, key: &str) -> Result<Vec<String>, String> {
    let rows: Vec<Value> = serde_json::from_str(text).map_err(|e| format!("not a JSON list of rows: {e}"))?;
    rows.iter().enumerate().map(|(i, row)| alpaca_row(row, key).ok_or_else(|| no_text(i, key))).collect()
}

fn no_text(i: usize, key: &str) -> String {
    format!("row {} has neither \"instruction\" and \"output\" nor \"{key}\"", i + 1)
}

fn alpaca_row(row: &Value, key: &str) -> Option<String> {
    let Some(instruction) = row["instruction"].as_str() else {
        return row[key].as_str().map(str::to_owned);
    };
    let input = row["input"].as_str().filter(|s| !s.is_empty());
    let parts: Vec<&str> = [Some(instruction), input, Some(row["output"].as_str()?)].into_iter().flatten().collect();
    Some(parts.join("\n"))
}
