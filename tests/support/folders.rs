//! Folders of pruned models, held against each other.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// The files of a folder; of the report, what does not depend on the clock.
fn contents(folder: &str) -> BTreeMap<String, Vec<u8>> {
    // The page says how long it took; its other numbers are the report's.
    let files =
        std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).filter(|f| !f.ends_with("slimgpt-report.html"));
    files.map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), comparable(&file))).collect()
}

fn comparable(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    if !file.ends_with("slimgpt-report.json") {
        return bytes;
    }
    let mut report: Value = serde_json::from_slice(&bytes).unwrap();
    report.as_object_mut().unwrap().remove("timing").expect("the report has a timing");
    report.to_string().into_bytes()
}

/// Fails the test unless two folders have the same files with the same bytes, but for what a clock says.
#[track_caller]
pub fn assert_same(whole: &str, resumed: &str) {
    let (whole, resumed) = (contents(whole), contents(resumed));
    assert!(whole.len() >= 4, "{:?}", whole.keys());
    assert_eq!(whole.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>());
    let differing: Vec<&String> = whole.keys().filter(|name| whole[*name] != resumed[*name]).collect();
    assert!(differing.is_empty(), "{differing:?}");
}
