//! A pruning on the devices of several processes: what the first tells the others, and what they do then.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chosen_elsewhere;
use crate::activations::{FolderSpill, Placement, Spill};
use crate::checkpoint::Source;
use crate::device::readback::ReadbackError;
use crate::device::{Device, Peak, caught_async};
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, Plan, Report, prune_following, prune_leading};
use crate::ranks::{Crew, Ranks, RanksError, Task, hear, tell};

/// What other processes are told of a pruning. What was chosen before the first layer follows, or nothing.
#[derive(Serialize, Deserialize)]
struct Pruning {
    source: Source,
    windows: Vec<Vec<u32>>,
    plan: Plan,
    /// Where activations go that fit no memory.
    spill: Option<PathBuf>,
}

/// What the first came to, and each of the others in order.
pub(super) type Joined = (Result<Report, PipelineError>, Vec<Result<(), PipelineError>>);

/// Carries a job out as the first of a crew.
pub(super) fn lead_processes(
    crew: &Crew,
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Joined, RanksError> {
    let (led, followed) = crew.lead(Task::Prune, |ranks| {
        let chosen = chosen_by(job, &*sink)?;
        tell(ranks, &Pruning::of(job, &*sink)?)?;
        ranks.broadcast(chosen)?;
        let work = async {
            with_executor!(job.device, executor => prune_leading(job, ranks, &executor, sink, on_event).await)
        };
        pollster::block_on(caught_async(work))?
    })?;
    Ok((led, followed.into_iter().map(|done| done.map_err(heard)).collect()))
}

/// The part of a process that is not the first in a pruning that this tells it of.
///
/// # Errors
/// In a form that the first can be told.
pub(super) fn follow(ranks: &dyn Ranks, device: &Device) -> Result<(), RanksError> {
    follow_in_its_words(ranks, device).map_err(|error| {
        // What could not be allocated may have left room that nobody uses.
        device.release_unused();
        told(&error)
    })
}

fn follow_in_its_words(ranks: &dyn Ranks, device: &Device) -> Result<(), PipelineError> {
    let Pruning { source, windows, plan, spill } = hear(ranks, "what to prune")?;
    let chosen = ranks.broadcast(Vec::new())?;
    let checkpoint = source.open()?;
    let chosen = match chosen.is_empty() {
        true => None,
        false => Some(chosen_elsewhere(chosen, &checkpoint)?),
    };
    let (checkpoint, scores) = match &chosen {
        Some((tuned, scores)) => (tuned, Some(scores.as_slice())),
        None => (&checkpoint, None),
    };
    let spill = spill.map(|folder| shared(folder, &plan)).transpose()?;
    let (windows, plan) = (windows.as_slice(), &plan);
    let job = Job { checkpoint, windows, plan, scores, device, clock: &|| 0.0, memory: &Peak::unknown, typed: None };
    let work = async { with_executor!(device, executor => prune_following(&job, ranks, &executor, spill).await) };
    pollster::block_on(caught_async(work))?
}

impl Pruning {
    fn of(job: &Job<'_>, sink: &impl LayerSink) -> Result<Self, RanksError> {
        let spill = sink.spill().and_then(|spill| spill.folder().and_then(|folder| std::path::absolute(folder).ok()));
        Ok(Self {
            source: Source::of(job.checkpoint).ok_or(RanksError::InMemory)?,
            windows: job.windows.to_vec(),
            plan: job.plan.clone(),
            spill,
        })
    }
}

/// What was chosen before the first layer, as the sink keeps it; nothing where nothing was.
fn chosen_by(job: &Job<'_>, sink: &impl LayerSink) -> Result<Vec<u8>, PipelineError> {
    match job.scores {
        None => Ok(Vec::new()),
        Some(_) => Ok(sink.choice()?.ok_or(RanksError::InMemory)?),
    }
}

/// Room for activations in the working folder of the first, if this process sees that.
fn shared(folder: PathBuf, plan: &Plan) -> Result<Arc<dyn Spill>, RanksError> {
    let is_seen = folder.parent().is_some_and(std::path::Path::is_dir);
    // Made here it would stay behind, on a disk that nobody clears.
    if plan.memory.activations == Placement::Disk && !is_seen {
        let words = format!(
            "activations are to go to {}, which this machine does not see: it has to be on a disk that all machines share",
            folder.display()
        );
        return Err(RanksError::Failed(words));
    }
    Ok(Arc::new(FolderSpill::new(folder)))
}

/// What went wrong, as another process can be told.
fn told(error: &PipelineError) -> RanksError {
    match error {
        error if error.is_of_another_rank() => RanksError::Ended,
        error if error.is_out_of_memory() => RanksError::OutOfMemory,
        other => RanksError::Failed(other.to_string()),
    }
}

/// What another process was told, as what went wrong there.
fn heard(error: RanksError) -> PipelineError {
    match error {
        // As such it is known to whoever goes on with less.
        RanksError::OutOfMemory => PipelineError::Device(ReadbackError::OutOfMemory),
        other => PipelineError::Ranks(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_what_it_was_there() {
        let full = PipelineError::Readback { layer: 3, cause: ReadbackError::OutOfMemory };
        assert!(heard(told(&full)).is_out_of_memory());
        assert!(heard(told(&RanksError::Ended.into())).is_of_another_rank());
        let other = heard(told(&PipelineError::NoWindows));
        assert!(!other.is_of_another_rank() && !other.is_out_of_memory());
        assert_eq!(other.to_string(), PipelineError::NoWindows.to_string());
    }
}
