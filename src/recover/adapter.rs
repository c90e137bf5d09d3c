//! Low-rank factors as `peft` keeps them, by themselves.

use std::path::Path;

use serde_json::json;

use super::learnt::{Learnt, Parameter, What};
use super::{Job, Record, RecoverError, Train};
use crate::checkpoint::{Adapter, Dtype, HostTensor, encode_tensors};
use crate::disk;

/// The folder of an adapter in the folder of its model.
pub const FOLDER: &str = "adapter";

/// Refuses an adapter that peft would not open.
///
/// # Errors
/// [`RecoverError::Fused`] for a family whose projections are fused: peft looks for modules of their own.
pub fn check(job: &Job<'_>) -> Result<(), RecoverError> {
    let family = job.checkpoint.config().family;
    match job.settings.targets.projections().iter().any(|&of| family.fuses(of)) {
        true => Err(RecoverError::Fused(family)),
        false => Ok(()),
    }
}

/// Writes what was learnt as an adapter, if it is one and peft would open it.
pub(super) fn put(folder: &Path, learnt: &Learnt, job: &Job<'_>, record: &Record) -> Result<(), RecoverError> {
    let settings = job.settings;
    if settings.train != Train::Lora || check(job).is_err() {
        return Ok(());
    }
    let targets: Vec<String> = settings.targets.projections().iter().map(ToString::to_string).collect();
    // `fan_in_fan_out` is peft's word for weights stored (in, out); ours are (out, in).
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": record.source,
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "target_modules": targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
    });
    disk::make_folder(folder)?;
    disk::put(&folder.join(Adapter::CONFIG), format!("{config:#}\n").as_bytes())?;
    let named = named(learnt);
    // Single precision, as peft keeps what it trains: the factors are small beside what they change.
    let named: Vec<_> = named.iter().map(|(name, tensor)| (name.clone(), tensor, Dtype::F32)).collect();
    disk::put(&folder.join(Adapter::FACTORS), &encode_tensors(&named)?)?;
    Ok(())
}

/// The factors by their names in peft.
pub(super) fn named(learnt: &Learnt) -> Vec<(String, HostTensor)> {
    let of = |(layer, parameters): (usize, &Vec<Parameter>)| -> Vec<(String, HostTensor)> {
        parameters.iter().filter_map(|parameter| Some((name(layer, parameter)?, host(parameter)))).collect()
    };
    learnt.layers().iter().enumerate().flat_map(of).collect()
}

fn host(parameter: &Parameter) -> HostTensor {
    HostTensor { shape: parameter.shape.clone(), values: parameter.moments.values.clone() }
}

fn name(layer: usize, parameter: &Parameter) -> Option<String> {
    match parameter.what {
        What::A(projection) => Some(Adapter::name(layer, projection, 'A')),
        What::B(projection) => Some(Adapter::name(layer, projection, 'B')),
        _ => None,
    }
}
