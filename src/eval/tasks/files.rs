//! Which file of a folder a task reads.

use std::path::{Path, PathBuf};

use crate::disk;
use crate::eval::EvalError;
use crate::format::without_mark;
use crate::text::Files;

/// The ending of files that are read as they are.
const LINES: &str = ".jsonl";
/// Endings of files whose rows are read as such lines.
const TABLES: [&str; 3] = [".parquet", ".jsonl.gz", ".jsonl.zst"];

/// The file of a task in `folder`: `NAME.jsonl` (or `.parquet`, or packed), or the one file whose name begins with
/// `NAME_` and ends so.
///
/// # Errors
/// When there is none or more than one; the message says that `source` is to be fetched.
pub fn find(folder: &Path, name: &str, source: &str) -> Result<PathBuf, EvalError> {
    let endings = || [LINES].into_iter().chain(TABLES);
    let mut plain = endings().map(|ending| folder.join(format!("{name}{ending}")));
    if let Some(plain) = plain.find(|path| path.is_file()) {
        return Ok(plain);
    }
    let wrong = |reason: String| EvalError::File { file: folder.display().to_string(), reason };
    let entries =
        std::fs::read_dir(folder).map_err(|e| wrong(format!("{e}; it should be a folder of .jsonl files")))?;
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let is_own = |n: &String| n.starts_with(&format!("{name}_")) && endings().any(|ending| n.ends_with(ending));
    let mut own: Vec<String> = names.filter(is_own).collect();
    // A folder lists names in any order; a message should not.
    own.sort();
    match &own[..] {
        [one] => Ok(folder.join(one)),
        [] => Err(wrong(format!(
            "neither {name}.jsonl nor {name}_*.jsonl is here, nor a .parquet of that name; fetch {source}, one JSON \
             object a line, for instance with Hugging Face's datasets: load_dataset(…).to_json(\"{name}.jsonl\")"
        ))),
        several => {
            let ending = endings().find(|ending| several[0].ends_with(ending)).unwrap_or(LINES);
            Err(wrong(format!("{} could all be {name}; rename the right one to {name}{ending}", several.join(", "))))
        }
    }
}

/// A file's name without its folder, and its text: an object a line, also of a table.
///
/// # Errors
/// When it cannot be read.
pub fn read(file: &Path) -> Result<(String, String), EvalError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if TABLES.iter().any(|ending| name.ends_with(ending)) {
        return Ok((name, lines(file)?));
    }
    let wrong = |e: String| EvalError::File {
        file: file.display().to_string(),
        reason: format!("{e}; give readable UTF-8 text"),
    };
    let bytes = disk::read_named(file, disk::ROWS).map_err(|e| wrong(e.cause.to_string()))?;
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(|e| wrong(e.to_string()))?;
    Ok((name, text.to_owned()))
}

/// The rows of a table as lines.
fn lines(file: &Path) -> Result<String, EvalError> {
    let mut text = String::new();
    let files = Files { paths: &[file.to_owned()], key: "", documents: None };
    files.rows(None, &mut |row, _| {
        text += &row.to_string();
        text.push('\n');
        match text.len() as u64 > disk::ROWS {
            true => Err(format!("the rows before it have {} bytes, more than those of any task", disk::ROWS)),
            false => Ok(()),
        }
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_tasks_name() {
        let folder = tempfile::tempdir().unwrap();
        let find = |name: &str| find(folder.path(), name, "the split").map(|p| p.file_name().unwrap().to_owned());
        let put = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        let missing = find("piqa").unwrap_err().to_string();
        assert!(missing.contains("piqa.jsonl") && missing.contains("fetch the split"), "{missing}");
        put("piqa_val.jsonl");
        put("piqa_notes.txt");
        assert_eq!(find("piqa").unwrap(), "piqa_val.jsonl");
        put("piqa_test.jsonl");
        let two = find("piqa").unwrap_err().to_string();
        assert!(two.contains("piqa_test.jsonl, piqa_val.jsonl") && two.contains("rename"), "{two}");
        put("piqa.jsonl");
        assert_eq!(find("piqa").unwrap(), "piqa.jsonl");
        put("boolq_validation-00000-of-00001.parquet");
        assert_eq!(find("boolq").unwrap(), "boolq_validation-00000-of-00001.parquet");
    }

    #[test]
    fn rows_that_are_packed_are_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("piqa.jsonl.zst");
        let rows = "{\"goal\":\"a\",\"label\":0}\n{\"goal\":\"b\",\"label\":1}\n";
        let packed = ruzstd::encoding::compress_to_vec(rows.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        std::fs::write(&path, packed).unwrap();
        assert_eq!(read(&path).unwrap(), ("piqa.jsonl.zst".into(), rows.into()));
    }
}
