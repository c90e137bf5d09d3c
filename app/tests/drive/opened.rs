//! Ways to a model besides its folder: the cache of the hub, one of its files.

use std::fs;
use std::path::{Path, PathBuf};

use slimgpt_app::saved::Saved;

use crate::hand::Hand;

/// The shipped model's files in a folder.
fn copied(to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny_model");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(shipped.join(file), to.join(file)).unwrap();
    }
    to.to_owned()
}

#[test]
fn a_model_of_the_cache_is_found_by_its_name() {
    let data = tempfile::tempdir().unwrap();
    // Where the hand says that the cache is.
    let commit = "c".repeat(40);
    copied(&data.path().join("hub/models--org--tiny/snapshots").join(&commit));
    let mut hand = Hand::on(data.path());
    hand.press("org/tiny");
    hand.see("Plan the pruning");
    assert!(!hand.shows("This folder cannot be used"));
}

#[test]
fn a_file_of_weights_opens_its_model() {
    let data = tempfile::tempdir().unwrap();
    let file = copied(&data.path().join("tiny")).join("model.safetensors");
    let mut hand = Hand::with(data.path(), Saved { recent: vec![file], ..Saved::default() });
    hand.press("model.safetensors");
    hand.see("Plan the pruning");
}
