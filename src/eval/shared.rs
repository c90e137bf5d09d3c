//! A measurement on several devices of this machine: a thread for each, of which the first is the caller's.

use super::EvalError;
use crate::device::Device;
use crate::ranks::{Ranks, RanksError, ThreadRank, on_threads, outcome};

/// What `work` comes to on the first of the devices that share it, each with its share; `progress` is told how far the
/// first is.
pub(super) fn on_all<T: Send>(
    device: &Device,
    progress: &mut dyn FnMut(usize, usize),
    work: impl AsyncFn(&dyn Ranks, &Device, &mut dyn FnMut(usize, usize)) -> Result<T, EvalError> + Sync,
) -> Result<T, EvalError> {
    let mut devices = device.each().into_iter();
    let names: Vec<String> = devices.as_slice().iter().map(|device| device.name().to_owned()).collect();
    // A device is always one of its own.
    let Some(first) = devices.next() else { return Err(RanksError::Ended.into()) };
    let lead = |rank: &ThreadRank| pollster::block_on(work(rank, &first, progress));
    let follow = |rank: &ThreadRank, device: Device| pollster::block_on(work(rank, &device, &mut |_, _| {})).map(drop);
    let is_consequence = |error: &EvalError| matches!(error, EvalError::Ranks(RanksError::Ended));
    let (led, followed) = on_threads(devices.collect(), lead, follow, is_consequence)?;
    outcome(led, followed, is_consequence).map_err(|(rank, cause)| match rank {
        0 => cause,
        rank => EvalError::Rank { rank, device: names[rank].clone(), cause: Box::new(cause) },
    })
}
