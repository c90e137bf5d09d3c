//! What stands beside the weights of a result, wherever it is put together.

use super::Report;
use crate::checkpoint::Checkpoint;
use crate::export::huggingface::{self, Card};
use crate::shape::ModelConfig;

/// What is known of the model that was pruned besides its weights.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// What it is called.
    pub name: Option<String>,
    /// Whether its tokenizer is a class of its own.
    pub tokenizer_has_code: bool,
}

/// The texts that make a folder of the weights, by name: config.json, code, model card.
pub(super) fn beside(checkpoint: &Checkpoint, report: &Report, source: Source) -> Vec<(String, String)> {
    // From the report, which has the sizes that the layers really have.
    let pruned = report.pruned_config(checkpoint.config());
    let mut texts = huggingface::model_texts(checkpoint.raw_config(), &pruned, report.dtype);
    texts.push((Card::FILE.to_owned(), card(report, &pruned, source).to_markdown()));
    texts
}

/// What the model card tells of a run.
fn card<'a>(report: &'a Report, pruned: &'a ModelConfig, source: Source) -> Card<'a> {
    Card {
        source: source.name,
        quantisation: report.quantisation.clone(),
        config: pruned,
        tokenizer_has_code: source.tokenizer_has_code,
        version: &report.version,
        parameters: [report.parameters_before, report.parameters_after],
        bytes: [report.bytes_before, report.bytes_after],
        decoder_ratio: report.plan.decoder_ratio(),
        calibration_tokens: report.calibration_tokens,
        layers: report.layers.iter().map(|l| [l.before, l.after]).collect(),
        errors: report.layers.iter().map(|l| l.heads.measured_loss + l.channels.measured_loss).collect(),
    }
}
