//! The trained model that lies beside the checkout, when it does, pruned end to end: the figures
//! were computed in f64 elsewhere.

use std::path::{Path, PathBuf};

use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::pipeline::{Limits, Report, Request, plan};
use slimgpt::shape::Site;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, read_documents, windows};

use crate::support::pruned::{job, rounded_by_layer, to_folder};
use crate::support::software_gpu;

const EXACT: f64 = 9.1588;
const PAPER: f64 = 9.4838;

struct Stories {
    data: PathBuf,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
}

impl Stories {
    fn open() -> Option<Self> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let model = data.join("models/stories260K");
        let checkpoint = model.is_dir().then(|| Checkpoint::open(&model).unwrap())?;
        let tokenizer = Tokenizer::open(&model, checkpoint.config().vocab_size).unwrap();
        Some(Self { data, checkpoint, tokenizer })
    }

    fn windows(&self, text: &str, count: usize) -> Vec<Vec<u32>> {
        let text = read_documents(&self.data.join("text").join(text), "text").unwrap();
        let which =
            Windows { count: Some(count), length: 256, sampling: Sampling::Sequential, bos: Bos::Each, seed: 0 };
        windows(&self.tokenizer, &text, self.checkpoint.config().bos_token, &which).unwrap()
    }

    /// The perplexity of the folder that comes out, and the report.
    fn prune(&self, request: &Request, device: &Device) -> (f64, Report) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        // Not this machine's memory: how the batches are cut must not depend on it.
        let (is_gpu, max_binding_bytes) = (device.is_gpu(), device.max_binding_bytes());
        let limits = Limits { is_gpu, max_binding_bytes, ..Limits::default() };
        let plan = plan(request, self.checkpoint.config(), &limits).unwrap();
        let calibration = self.windows("tinystories-calibration.txt", 128);
        let report = to_folder(&job(&self.checkpoint, &calibration, &plan, device), &out);
        let pruned = Checkpoint::open(&out).unwrap();
        let eval = self.windows("tinystories-eval.txt", 64);
        (block_on(perplexity(&pruned, &eval, device, &mut |_, _| {})).unwrap().perplexity, report)
    }
}

fn request(target: f64) -> Request {
    Request { allocation: rounded_by_layer(target), windows: 128, window_tokens: 256, ..Request::default() }
}

/// Where predicted and measured loss of a site are more than a thousandth apart.
fn disagreements(report: &Report) -> Vec<String> {
    let sites =
        report.layers.iter().flat_map(|l| [(l.layer, Site::Heads, &l.heads), (l.layer, Site::Channels, &l.channels)]);
    sites
        .filter(|(_, _, r)| (r.predicted_loss - r.measured_loss).abs() > 1e-3 * r.measured_loss)
        .map(|(layer, site, r)| format!("layer {layer} {site}: {} {}", r.predicted_loss, r.measured_loss))
        .collect()
}

#[test]
fn a_fifth_of_stories260k_goes_at_the_known_cost_on_both_devices() {
    let Some(stories) = Stories::open() else { return };
    for (request, want) in [(request(0.2), EXACT), (request(0.2).as_in_the_paper(), PAPER)] {
        let mut kept = Vec::new();
        for device in [Device::cpu(), software_gpu()] {
            let (perplexity, report) = stories.prune(&request, &device);
            println!("{} {want}: {perplexity:.4}", device.name());
            assert!((perplexity / want - 1.0).abs() < 5e-3, "{}: {perplexity}, want {want}", device.name());
            assert_eq!(disagreements(&report), [""; 0], "{}", device.name());
            let of = |l: &slimgpt::pipeline::LayerRecord| (l.kept_heads.clone(), l.kept_channels.clone());
            kept.push(report.layers.iter().map(of).collect::<Vec<_>>());
        }
        assert_eq!(kept[0], kept[1], "the devices keep different heads or channels");
    }
}

#[test]
fn at_half_exact_scores_are_no_worse_than_the_papers() {
    let Some(stories) = Stories::open() else { return };
    let (exact, report) = stories.prune(&request(0.5), &Device::cpu());
    let (paper, _) = stories.prune(&request(0.5).as_in_the_paper(), &Device::cpu());
    println!("exact {exact:.4}, paper {paper:.4}");
    assert!(exact <= paper, "{exact} {paper}");
    assert_eq!(disagreements(&report), [""; 0]);
}
