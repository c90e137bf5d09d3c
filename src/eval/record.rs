//! `slimgpt-eval.json`: the figures that were measured for a model, kept in its folder.
//!
//! ```text
//! {"entries": [{"what": "wikitext-2-raw-test.txt, windows of 128 tokens, …", "metric": "ppl",
//!               "value": 12.6, "stderr": null, "n": 325000}, …]}
//! ```

use serde::{Deserialize, Serialize};

/// The file's name in a model folder.
#[cfg(not(target_arch = "wasm32"))]
const EVAL_FILE: &str = "slimgpt-eval.json";
/// Beside it, while somebody adds to it.
#[cfg(not(target_arch = "wasm32"))]
const EVAL_LOCK: &str = "slimgpt-eval.json.lock";

/// One figure of a model, with its protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalEntry {
    /// Protocol and data in words: two figures compare when this is the same.
    pub what: String,
    /// "ppl", "word_ppl", "acc", "acc_norm", "f1", …
    pub metric: String,
    /// The figure; shares are between 0 and 1.
    pub value: f64,
    /// Its standard error, where the protocol has one.
    pub stderr: Option<f64>,
    /// Predictions, items or questions it was taken over.
    pub n: usize,
}

impl EvalEntry {
    /// The metric of a model's perplexity.
    pub const PPL: &'static str = "ppl";
    /// The metric of its perplexity before it was trained.
    pub const PPL_BEFORE: &'static str = "ppl, before recovery";
    /// The metric of the perplexity of the model that it was pruned from.
    pub const DENSE_PPL: &'static str = "ppl, dense";
}

/// The figures of one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalRecord {
    /// In the order in which they were first measured.
    pub entries: Vec<EvalEntry>,
}

impl EvalRecord {
    /// Adds figures; one of the same protocol, data and metric takes the place of the older.
    pub fn put(&mut self, entries: impl IntoIterator<Item = EvalEntry>) {
        for entry in entries {
            match self.entries.iter_mut().find(|e| e.what == entry.what && e.metric == entry.metric) {
                // In place, so that figures keep the order in which they were first measured.
                Some(older) => *older = entry,
                None => self.entries.push(entry),
            }
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod files {
    use std::io::ErrorKind;
    use std::path::Path;

    use super::{EVAL_FILE, EVAL_LOCK, EvalEntry, EvalRecord};
    use crate::disk;
    use crate::eval::EvalError;

    impl EvalRecord {
        /// The record of a model folder; empty where nothing was measured yet.
        ///
        /// # Errors
        /// When the file is there and cannot be read.
        pub fn read(folder: &Path) -> Result<Self, EvalError> {
            let path = folder.join(EVAL_FILE);
            match disk::read(&path) {
                Err(e) if e.cause.kind() == ErrorKind::NotFound => Ok(Self::default()),
                Err(e) => Err(e.into()),
                Ok(json) => serde_json::from_slice(&json).map_err(|e| EvalError::File {
                    file: path.display().to_string(),
                    reason: format!("{e}; it is no record of figures: move it away and measure again"),
                }),
            }
        }

        /// Adds figures to the record of a model folder, as [`Self::put`] does, and returns all.
        ///
        /// # Errors
        /// When the record there cannot be read, or the folder cannot be written to.
        pub fn add_to(folder: &Path, entries: impl IntoIterator<Item = EvalEntry>) -> Result<Self, EvalError> {
            // Between reading and writing nobody else may add a figure, which would be lost.
            disk::in_turn(&folder.join(EVAL_LOCK), || {
                let mut record = Self::read(folder)?;
                record.put(entries);
                disk::write_json(&folder.join(EVAL_FILE), &record)?;
                Ok(record)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: &str, metric: &str, value: f64) -> EvalEntry {
        EvalEntry { what: what.into(), metric: metric.into(), value, stderr: None, n: 5 }
    }

    #[test]
    fn the_same_figure_is_replaced_and_another_is_added() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(EvalRecord::read(folder.path()).unwrap(), EvalRecord::default());
        EvalRecord::add_to(folder.path(), [entry("a", "ppl", 3.0), entry("b", "ppl", 4.0)]).unwrap();
        let with_error = EvalEntry { stderr: Some(0.1), ..entry("a", "acc", 0.5) };
        EvalRecord::add_to(folder.path(), [entry("a", "ppl", 2.0), with_error.clone()]).unwrap();
        let read = EvalRecord::read(folder.path()).unwrap();
        assert_eq!(read.entries, [entry("a", "ppl", 2.0), entry("b", "ppl", 4.0), with_error]);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [EVAL_FILE]);
    }

    #[test]
    fn figures_that_are_added_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for i in 0..8 {
                let path = folder.path();
                let add = move || EvalRecord::add_to(path, [entry(&i.to_string(), "ppl", f64::from(i))]).unwrap();
                scope.spawn(move || (0..8).for_each(|_| drop(add())));
            }
        });
        let mut kept: Vec<String> =
            EvalRecord::read(folder.path()).unwrap().entries.into_iter().map(|e| e.what).collect();
        kept.sort();
        assert_eq!(kept, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(crate::disk::names(folder.path()).unwrap(), [EVAL_FILE]);
    }

    #[test]
    fn a_damaged_record_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(EVAL_FILE), "[]").unwrap();
        let error = EvalRecord::add_to(folder.path(), [entry("a", "ppl", 3.0)]).unwrap_err().to_string();
        assert!(error.contains(EVAL_FILE) && error.contains("measure again"), "{error}");
        assert_eq!(std::fs::read(folder.path().join(EVAL_FILE)).unwrap(), b"[]");
    }

    #[test]
    fn the_layout_is_what_reports_read() {
        let record = EvalRecord { entries: vec![entry("a", "ppl", 3.5)] };
        let want = r#"{"entries":[{"what":"a","metric":"ppl","value":3.5,"stderr":null,"n":5}]}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), want);
    }
}
