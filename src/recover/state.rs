//! The state of a run between two steps, in one file that is whole or not there.
//!
//! A line of JSON with how far it is, then the numbers as little-endian floats: of every parameter its values and both moments,
//! and the values of the best look, if they are others.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::learnt::Learnt;
use super::{HeldOut, RecoverError, StepRecord};
use crate::disk;
use crate::format::hex;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps done.
    pub done: usize,
    pub steps: Vec<StepRecord>,
    pub held_out: Vec<HeldOut>,
    /// The look with the least loss.
    pub best: Option<HeldOut>,
    /// Looks since.
    pub since_best: usize,
}

#[derive(Serialize, Deserialize)]
struct Header<P> {
    progress: P,
    has_best: bool,
    sha256: String,
}

/// Values of every parameter, in their order.
pub(super) type Values = Vec<Vec<f32>>;

/// Keeps a run's state in place of the one before.
pub(super) fn save(
    path: &Path,
    progress: &Progress,
    learnt: &Learnt,
    best: Option<&Values>,
) -> Result<(), RecoverError> {
    Ok(disk::write(path, &encode(progress, learnt, best))?)
}

/// Takes a run's state up, if there is one.
pub(super) fn load(path: &Path, learnt: &mut Learnt) -> Result<Option<(Progress, Option<Values>)>, RecoverError> {
    if !path.is_file() {
        return Ok(None);
    }
    // As large as it was written: its hash says whether it is that.
    let bytes = disk::read_within(path, u64::MAX - 1)?;
    decode(&bytes, learnt).map(Some).ok_or_else(|| RecoverError::State(path.display().to_string()))
}

/// How far something is that learns, and what it has learnt by then.
pub(super) fn encode<P: Serialize>(progress: &P, learnt: &Learnt, best: Option<&Values>) -> Vec<u8> {
    let mut numbers: Vec<u8> = Vec::new();
    let mut put = |values: &[f32]| numbers.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    for parameter in learnt.iter() {
        let moments = &parameter.moments;
        [&moments.values, &moments.mean, &moments.square].into_iter().for_each(|values| put(values));
    }
    best.into_iter().flatten().for_each(|values| put(values));
    let header = Header { progress, has_best: best.is_some(), sha256: digest(&numbers) };
    // Numbers and lists of them always have a JSON form.
    let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend(numbers);
    bytes
}

/// Takes up what [`encode`] made of the same parameters; `None` of anything else, and then nothing is changed.
pub(super) fn decode<P: DeserializeOwned>(bytes: &[u8], learnt: &mut Learnt) -> Option<(P, Option<Values>)> {
    // JSON on one line holds no line end, so the first is the header's.
    let line = bytes.iter().position(|&byte| byte == b'\n')?;
    let header: Header<P> = serde_json::from_slice(&bytes[..line]).ok()?;
    let numbers = &bytes[line + 1..];
    let count = learnt.count() * (3 + usize::from(header.has_best)) * size_of::<f32>();
    if numbers.len() != count || digest(numbers) != header.sha256 {
        return None;
    }
    let mut left = numbers.chunks_exact(size_of::<f32>()).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut best = Vec::new();
    for parameter in learnt.iter_mut() {
        let moments = &mut parameter.moments;
        for values in [&mut moments.values, &mut moments.mean, &mut moments.square] {
            values.iter_mut().zip(&mut left).for_each(|(value, stored)| *value = stored);
        }
    }
    for parameter in learnt.iter().take(if header.has_best { usize::MAX } else { 0 }) {
        best.push((&mut left).take(parameter.moments.values.len()).collect());
    }
    Some((header.progress, header.has_best.then_some(best)))
}

/// The SHA-256 of the numbers.
fn digest(numbers: &[u8]) -> String {
    hex(&Sha256::digest(numbers))
}
