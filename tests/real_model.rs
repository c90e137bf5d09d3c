//! The trained model that lies beside the checkout, when it does: figures computed in f64 elsewhere.

mod support;

use std::path::{Path, PathBuf};

use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, read_documents, windows};

fn data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    data.is_dir().then_some(data)
}

#[test]
fn the_dense_perplexity_of_stories260k_on_both_devices() {
    let Some(data) = data() else { return };
    let checkpoint = Checkpoint::open(&data.join("models/stories260K")).unwrap();
    let config = checkpoint.config();
    let tokenizer = Tokenizer::open(&data.join("models/stories260K"), config.vocab_size).unwrap();
    let text = read_documents(&data.join("text/tinystories-eval.txt"), "text").unwrap();
    let which = Windows { count: Some(64), length: 256, sampling: Sampling::Sequential, bos: Bos::Each, seed: 0 };
    let cut = windows(&tokenizer, &text, config.bos_token, &which).unwrap();
    for device in [Device::cpu(), support::software_gpu()] {
        let measured = block_on(perplexity(&checkpoint, &cut, &device, &mut |_, _| {})).unwrap();
        assert_eq!(measured.tokens, 64 * 255);
        assert!((measured.perplexity / 6.3327 - 1.0).abs() < 1e-4, "{}: {}", device.name(), measured.perplexity);
    }
}
