//! Which file of a folder a task reads.

use std::path::{Path, PathBuf};

use crate::disk;
use crate::eval::EvalError;
use crate::format::without_mark;

/// The file of a task in `folder`: `NAME.jsonl`, or the one file whose name begins with `NAME_`
/// and ends with `.jsonl`.
///
/// # Errors
/// When there is none or more than one; the message says that `source` is to be fetched.
pub fn find(folder: &Path, name: &str, source: &str) -> Result<PathBuf, EvalError> {
    let plain = folder.join(format!("{name}.jsonl"));
    if plain.is_file() {
        return Ok(plain);
    }
    let wrong = |reason: String| EvalError::File { file: folder.display().to_string(), reason };
    let entries =
        std::fs::read_dir(folder).map_err(|e| wrong(format!("{e}; it should be a folder of .jsonl files")))?;
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let mut own: Vec<String> = names.filter(|n| n.starts_with(&format!("{name}_")) && n.ends_with(".jsonl")).collect();
    // A folder lists names in any order; a message should not.
    own.sort();
    match &own[..] {
        [one] => Ok(folder.join(one)),
        [] => Err(wrong(format!(
            "neither {name}.jsonl nor {name}_*.jsonl is here; fetch {source}, one JSON object a line, for instance with \
             Hugging Face's datasets: load_dataset(…).to_json(\"{name}.jsonl\")"
        ))),
        several => {
            Err(wrong(format!("{} could all be {name}; rename the right one to {name}.jsonl", several.join(", "))))
        }
    }
}

/// A file's name without its folder, and its text.
///
/// # Errors
/// When it cannot be read.
pub fn read(file: &Path) -> Result<(String, String), EvalError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wrong = |e: String| EvalError::File {
        file: file.display().to_string(),
        reason: format!("{e}; give readable UTF-8 text"),
    };
    let bytes = disk::read_named(file, disk::ROWS).map_err(|e| wrong(e.cause.to_string()))?;
    let text = std::str::from_utf8(without_mark(&bytes)).map_err(|e| wrong(e.to_string()))?;
    Ok((name, text.to_owned()))
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
    }
}
