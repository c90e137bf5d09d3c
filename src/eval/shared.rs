//! A measurement on several devices: of this process a thread for each, of which the first is the caller's, or of other
//! processes, which open the model for themselves.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::EvalError;
use crate::checkpoint::{Checkpoint, Source};
use crate::device::Device;
use crate::ranks::{Ranks, RanksError, Task, ThreadRank, hear, on_threads, outcome, tell};

/// What other processes are told of a measurement: the model, and what is asked of it.
#[derive(Serialize, Deserialize)]
pub(super) struct Measurement<T> {
    source: Source,
    asked: T,
}

impl<T: Serialize + DeserializeOwned> Measurement<T> {
    /// Of what is asked of a model, which others can open too.
    pub fn of(checkpoint: &Checkpoint, asked: T) -> Result<Self, RanksError> {
        Ok(Self { source: Source::of(checkpoint).ok_or(RanksError::InMemory)?, asked })
    }

    /// The model that the first process measures, opened here, and what it asks.
    pub fn heard(ranks: &dyn Ranks) -> Result<(Checkpoint, T), EvalError> {
        let Self { source, asked } = hear(ranks, "what to measure")?;
        Ok((source.open()?, asked))
    }
}

/// What `work` comes to on the first of the devices that share it, each with its share; `progress` is told how far the
/// first is. Other processes are told the `measurement` ([`Measurement`]).
pub(super) fn on_all<T: Send, M: Serialize>(
    device: &Device,
    measurement: impl FnOnce() -> Result<M, RanksError>,
    progress: &mut dyn FnMut(usize, usize),
    work: impl AsyncFn(&dyn Ranks, &Device, &mut dyn FnMut(usize, usize)) -> Result<T, EvalError> + Sync,
) -> Result<T, EvalError> {
    let names = device.names();
    let mut devices = device.each().into_iter();
    // A device is always one of its own.
    let Some(first) = devices.next() else { return Err(RanksError::Ended.into()) };
    let is_consequence = |error: &EvalError| matches!(error, EvalError::Ranks(RanksError::Ended));
    let (led, followed) = match device.crew() {
        Some(crew) => {
            let (led, followed) = crew.lead(Task::Measure, |ranks| {
                tell(ranks, &measurement()?)?;
                pollster::block_on(work(ranks, &first, progress))
            })?;
            (led, followed.into_iter().map(|done| done.map_err(EvalError::Ranks)).collect())
        }
        None => {
            let lead = |rank: &ThreadRank| pollster::block_on(work(rank, &first, progress));
            let follow =
                |rank: &ThreadRank, device: Device| pollster::block_on(work(rank, &device, &mut |_, _| {})).map(drop);
            on_threads(devices.collect(), lead, follow, is_consequence)?
        }
    };
    outcome(led, followed, is_consequence).map_err(|(rank, cause)| match rank {
        0 => cause,
        rank => EvalError::Rank { rank, device: names[rank].clone(), cause: Box::new(cause) },
    })
}
