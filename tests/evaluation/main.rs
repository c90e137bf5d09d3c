//! Figures by the protocols of papers, held to an f64 scorer that shares no code with the library:
//! prompts, tokens, forward pass and sums are made once more in these tests.

mod commands;
mod independent;
mod likelihoods;
mod long;
#[path = "../support/mod.rs"]
mod support;
mod tasks;

use std::path::{Path, PathBuf};

use slimgpt::checkpoint::Checkpoint;
use slimgpt::text::Tokenizer;

/// A model with its tokenizer.
struct Model {
    folder: PathBuf,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
}

impl Model {
    fn open(folder: &Path) -> Self {
        let checkpoint = Checkpoint::open(folder).unwrap();
        let tokenizer = Tokenizer::open(folder, checkpoint.config().vocab_size).unwrap();
        Self { folder: folder.to_owned(), checkpoint, tokenizer }
    }

    fn shipped() -> Self {
        Self::open(&support::shipped())
    }
}

/// Models and tasks that lie beside the checkout, when they do.
fn data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    data.is_dir().then_some(data)
}
