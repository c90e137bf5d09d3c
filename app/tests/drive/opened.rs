//! Ways to a model besides its folder: the cache of the hub, one of its files, a GGUF, an archive, low-rank factors;
//! by a button, or dropped on the window.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slimgpt::checkpoint::Checkpoint;
use slimgpt::export::gguf;
use slimgpt::shape::Projection;
use slimgpt_app::model::{Model, Origin};
use slimgpt_app::saved::Saved;
use slimgpt_app::screens::Screen;

use crate::adapter::write_adapter;
use crate::hand::Hand;
use crate::zip::zip;

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

/// What the window has open after `path` was chosen on the Start screen.
fn opened(data: &Path, path: &Path) -> (Hand, Arc<Model>) {
    let mut hand = Hand::with(data, Saved { recent: vec![path.to_owned()], ..Saved::default() });
    hand.press(path.file_name().unwrap().to_str().unwrap());
    hand.see("Plan the pruning");
    let model = hand.window.state().plan().model.clone().expect("a model that can be planned for");
    (hand, model)
}

/// The weights of the first layer's queries.
fn queries(checkpoint: &Checkpoint) -> Vec<f32> {
    checkpoint.layer(0).unwrap().weight(Projection::Q).values.clone()
}

#[test]
fn a_gguf_is_opened_as_the_folder_that_it_stands_for() {
    let data = tempfile::tempdir().unwrap();
    let (folder, file) = (copied(&data.path().join("tiny")), data.path().join("tiny.gguf"));
    let dense = Checkpoint::open(&folder).unwrap();
    gguf::export(&dense, &file, gguf::Options { dtype: None, overwrite: false }, &mut |_, _| {}).unwrap();
    let (_hand, model) = opened(data.path(), &file);
    assert_eq!(model.origin, Origin::Folder(file));
    assert_eq!(model.beside("slim"), data.path().join("tiny-slim"));
    assert_eq!(queries(&model.checkpoint), queries(&dense));
}

#[test]
fn an_archive_is_unpacked_and_stays_what_was_opened() {
    let data = tempfile::tempdir().unwrap();
    let folder = copied(&data.path().join("tiny"));
    let files =
        ["config.json", "tokenizer.json", "model.safetensors"].map(|name| (name, fs::read(folder.join(name)).unwrap()));
    let files = files.each_ref().map(|(name, bytes)| (*name, bytes.as_slice()));
    let archive = data.path().join("sent.zip");
    fs::write(&archive, zip(&files, true)).unwrap();
    let (hand, model) = opened(data.path(), &archive);
    assert!(model.folder().unwrap().starts_with(data.path().join("unpacked")));
    assert_eq!(hand.window.state().saved().recent, [archive]);
    // A folder of this program's own is no place for results.
    assert_eq!(model.beside("slim"), data.path().join("sent-slim"));
}

/// Low-rank factors for a model, named by `base`.
fn factors(to: &Path, base: &str) -> PathBuf {
    write_adapter(to, base);
    to.to_owned()
}

#[test]
fn factors_are_added_to_the_model_beside_them() {
    let data = tempfile::tempdir().unwrap();
    let folder = copied(&data.path().join("tiny"));
    let lora = factors(&data.path().join("lora"), "org/tiny");
    let (mut hand, model) = opened(data.path(), &lora);
    hand.see("the low-rank factors in");
    assert_eq!(model.origin, Origin::Folder(lora.clone()));
    assert_eq!(model.beside("slim"), data.path().join("lora-slim"));
    let (with, without) = (queries(&model.checkpoint), queries(&Checkpoint::open(&folder).unwrap()));
    // lora_alpha / r = 1, and every product of a row and a column is 0.05 · 0.05.
    assert!(with.iter().zip(&without).all(|(with, without)| (with - without - 0.0025).abs() < 1e-6));
    // The run reads both, and its result stands for neither.
    let reads: Vec<PathBuf> = model.reads().collect();
    assert!(reads.contains(&lora) && reads.contains(&folder), "{reads:?}");
}

#[test]
fn factors_without_their_model_say_which_it_is_and_what_helps() {
    let data = tempfile::tempdir().unwrap();
    let lora = factors(&data.path().join("lora"), "org/tiny");
    let mut hand = Hand::with(data.path(), Saved { recent: vec![lora], ..Saved::default() });
    hand.press("lora");
    hand.see("This folder cannot be used");
    hand.see("org/tiny, which is neither beside it nor in the cache; download it by its name");
}

#[test]
fn what_is_dropped_is_for_the_screen_that_it_is_dropped_on() {
    let data = tempfile::tempdir().unwrap();
    let folder = copied(&data.path().join("tiny"));
    let mut hand = Hand::on(data.path());
    // One of its files stands for the folder.
    hand.drop_on_it(&folder.join("tokenizer.json"));
    hand.see("Plan the pruning");
    let opened = hand.window.state().plan().model.clone().unwrap();
    assert_eq!(opened.origin, Origin::Folder(folder));
    let other = copied(&data.path().join("other"));
    hand.press("Compare");
    hand.drop_on_it(&other);
    hand.see("other");
    assert_eq!(hand.window.state().saved().screen, Screen::Compare);
    let still = hand.window.state().plan().model.clone().unwrap();
    assert_eq!(still.origin, opened.origin, "the model of the Start screen stays");
}
