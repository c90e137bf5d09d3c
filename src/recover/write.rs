//! The result: the model with what was learnt in it, as a folder like that of its source.

use std::path::Path;

use super::learnt::Learnt;
use super::{Job, Record, RecoverError, adapter};
use crate::checkpoint::{self, SHARD_BYTES, encode_layer, encode_outer};
use crate::disk;
use crate::export::huggingface::{self, TrainedCard};
use crate::pipeline::{Report, Work};

/// Writes the folder and gives it its name.
pub(super) fn write(job: &Job<'_>, work: &mut Work, learnt: &Learnt, record: &Record) -> Result<(), RecoverError> {
    let whole = work.whole()?;
    disk::make_folder(&whole)?;
    weights(job, work, learnt, &whole)?;
    let checkpoint = job.checkpoint;
    let (config, types) = (checkpoint.config(), checkpoint.types(None));
    let put = |name: &str, bytes: &[u8]| disk::put(&whole.join(name), bytes);
    for (name, text) in huggingface::model_texts(checkpoint.raw_config(), config, types.bulk()) {
        put(&name, text.as_bytes())?;
    }
    put(TrainedCard::FILE, card(job, record).to_markdown().as_bytes())?;
    if let Some(source) = checkpoint.folder() {
        huggingface::carry(source, &whole)?;
        // What was pruned before stays told.
        let report = source.join(Report::FILE);
        if report.is_file() {
            disk::copy(&report, &whole.join(Report::FILE))?;
        }
    }
    adapter::put(&whole.join(adapter::FOLDER), learnt, job, record)?;
    put(Record::FILE, &json(record))?;
    Ok(work.publish()?)
}

/// Layer by layer, so that no more than one is in memory.
fn weights(job: &Job<'_>, work: &Work, learnt: &Learnt, whole: &Path) -> Result<(), RecoverError> {
    let (checkpoint, types) = (job.checkpoint, job.checkpoint.types(None));
    let family = checkpoint.config().family;
    let mut parts = vec![work.folder().join("layer-outer.safetensors")];
    disk::write(&parts[0], &encode_outer(&learnt.merged_outer(checkpoint.outer()?), &types)?)?;
    for layer in 0..checkpoint.config().layers.len() {
        let merged = learnt.merged(layer, checkpoint.layer(layer)?);
        parts.push(work.folder().join(format!("layer-{layer:05}.safetensors")));
        disk::write(&parts[layer + 1], &encode_layer(layer, &merged, family, &types)?)?;
    }
    Ok(checkpoint::assemble(&parts, whole, SHARD_BYTES)?)
}

fn card<'a>(job: &'a Job<'_>, record: &'a Record) -> TrainedCard<'a> {
    let folder = job.checkpoint.folder();
    TrainedCard {
        source: folder.map(|folder| huggingface::name(folder, job.checkpoint.raw_config())),
        quantisation: job.checkpoint.quantisation(),
        config: job.checkpoint.config(),
        tokenizer_has_code: folder.is_some_and(huggingface::tokenizer_has_code),
        version: &record.version,
        trained: format!(
            "{} were trained for {} steps of {} sequences on {} examples{}",
            <&str>::from(record.settings.train),
            record.kept,
            record.settings.batch,
            record.examples,
            record.teacher.as_ref().map_or(String::new(), |_| ", taught by the dense model".to_owned()),
        ),
        held_out: record.held_out_change(),
    }
}

fn json(record: &Record) -> Vec<u8> {
    // Numbers, strings and lists of them always have a JSON form.
    let mut text = serde_json::to_vec_pretty(record).unwrap_or_default();
    text.push(b'\n');
    text
}
