//! The service worker, told what to keep for days without a network.

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::folder::File;
use super::sizes::Part;

const SCRIPT: &str = include_str!("../../assets/sw.js");

/// `sw.js` for a folder of these files, and the name of their build.
///
/// # Errors
/// When a name is no JSON, which none is.
pub fn service_worker(files: &[File]) -> Result<(String, String)> {
    let build = build(files);
    // What a first visit needs anyway. The rest is kept when it is first asked for.
    let first: Vec<&str> = files.iter().map(|f| f.name.as_str()).filter(|n| Part::of(n) == Part::Lessons).collect();
    let script = SCRIPT.replace("{build}", &build).replace("\"{first}\"", &serde_json::to_string(&first)?);
    Ok((script, build))
}

/// A name that differs when any byte of any file does, or the script.
fn build(files: &[File]) -> String {
    let mut digest = Sha256::new_with_prefix(SCRIPT);
    for file in files {
        // Each part with its length, or a byte could move from a name into a file unseen.
        for part in [file.name.as_bytes(), &file.bytes] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_build_has_a_name_of_its_own_and_keeps_what_a_first_visit_needs() {
    let file = |name: &str, bytes: &[u8]| File { name: name.into(), bytes: bytes.into() };
    let files = [file("index.html", b"a"), file("worker/worker.js", b"b")];
    let (script, build) = service_worker(&files).expect("plain names");
    assert!(script.contains(&build) && script.contains("= [\"index.html\"];"), "{script}");
    assert!(!script.contains("{build}") && !script.contains("{first}"), "{script}");
    let (_, other) = service_worker(&[file("index.html", b"a"), file("worker/worker.js", b"c")]).expect("plain names");
    let (_, moved) = service_worker(&[file("index.htm", b"la"), file("worker/worker.js", b"b")]).expect("plain names");
    assert!(build != other && build != moved);
}
