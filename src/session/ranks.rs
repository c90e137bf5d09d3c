//! A pruning on several devices that share its windows, of this process or of several.

use super::processes::{Joined, lead_processes};
use crate::device::{Device, Peak, caught_async};
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, Report, prune_following, prune_leading};
use crate::ranks::{RanksError, ThreadRank, on_threads, outcome};

/// Carries a job out on all devices that share its work. Of what failed the cause is returned and not what followed
/// from it elsewhere.
pub(super) fn execute_on_all(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    let (led, followed) = match job.device.crew() {
        Some(crew) => lead_processes(crew, job, sink, on_event)?,
        None => on_all_threads(job, sink, on_event)?,
    };
    outcome(led, followed, PipelineError::is_of_another_rank).map_err(|(rank, cause)| match rank {
        0 => cause,
        rank => PipelineError::Rank { rank, device: job.device.names()[rank].clone(), cause: Box::new(cause) },
    })
}

/// With a thread for each device, of which the first is the caller's.
fn on_all_threads(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Joined, RanksError> {
    let spill = sink.spill();
    // What a job has besides is of the caller's thread: the clock, the memory that is measured, what was typed.
    let Job { checkpoint, windows, plan, scores, .. } = *job;
    let lead = |rank: &ThreadRank| {
        let work =
            async { with_executor!(job.device, executor => prune_leading(job, rank, &executor, sink, on_event).await) };
        pollster::block_on(caught_async(work))?
    };
    let follow = |rank: &ThreadRank, device: Device| {
        let job = Job {
            checkpoint,
            windows,
            plan,
            scores,
            device: &device,
            clock: &|| 0.0,
            memory: &Peak::unknown,
            typed: None,
        };
        let work =
            async { with_executor!(device, executor => prune_following(&job, rank, &executor, spill.clone()).await) };
        pollster::block_on(caught_async(work))?
    };
    let others = job.device.each().into_iter().skip(1).collect();
    on_threads(others, lead, follow, PipelineError::is_of_another_rank)
}
