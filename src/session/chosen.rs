//! What a selection needs of the whole model before the first layer is pruned: scores from gradients, or from training
//! that changes the weights too.

use crate::checkpoint::Checkpoint;
use crate::device::readback::ReadbackError;
use crate::gradient::{GradientError, Importance, Taylor, importance};
use crate::obs::Brought;
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, UnitScores};
use crate::recover::{Choice, Choosing, choose};

/// Windows that gradients are taken over, and tokens of each: as LLM-Pruner's published code takes them.
const GRADIENT_WINDOWS: (usize, usize) = (10, 64);

/// The model and the scores that the job's selection works with, where nobody has brought them: as the sink has kept
/// them, or computed and kept.
pub(super) async fn chosen(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<(Checkpoint, Vec<UnitScores>)>, PipelineError> {
    let Some(brought) = job.plan.request.options.brought().filter(|_| job.scores.is_none()) else { return Ok(None) };
    let layers = job.plan.layers.len();
    let choice = match sink.choice()? {
        Some(bytes) => Choice::decoded(bytes, layers)?,
        None => {
            let stopped = PipelineError::Stopped { finished: sink.finished(), layers };
            let choice = computed(job, brought, on_event).await?.ok_or(stopped)?;
            sink.keep_choice(&choice.encoded()?)?;
            choice
        }
    };
    Ok(Some((choice.tuned(job.checkpoint)?, choice.scores)))
}

/// `None` if it was stopped.
async fn computed(
    job: &Job<'_>,
    brought: Brought,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<Choice>, PipelineError> {
    let mut watch = |done, total| on_event(Event::Choosing { done, total });
    let trained = match brought {
        Brought::Taylor => return of_gradients(job, Taylor::Element, &mut watch).await,
        Brought::TaylorVector => return of_gradients(job, Taylor::Vector, &mut watch).await,
        Brought::LoraGradients => Choosing::LoraGradients,
        Brought::Gates => Choosing::Gates,
    };
    let found = choose(job.checkpoint, job.plan, job.windows, trained, job.device, &mut watch).await;
    found.map_err(|error| match error.is_out_of_memory() {
        // As such it is known to whoever goes on with less.
        true => PipelineError::Device(ReadbackError::OutOfMemory),
        false => PipelineError::Gradients(error.to_string()),
    })
}

async fn of_gradients(
    job: &Job<'_>,
    taylor: Taylor,
    watch: &mut dyn FnMut(usize, usize) -> Flow,
) -> Result<Option<Choice>, PipelineError> {
    let (count, length) = GRADIENT_WINDOWS;
    let cut = |window: &Vec<u32>| window[..window.len().min(length)].to_vec();
    let windows: Vec<Vec<u32>> = job.windows.iter().take(count).map(cut).collect();
    let mut progress = |done, total| watch(done, total) == Flow::Continue;
    let of = |layer: Importance| UnitScores { groups: layer.of_groups(), heads: layer.heads, channels: layer.channels };
    match importance(job.checkpoint, &windows, taylor, job.device, &mut progress).await {
        Ok(found) => Ok(Some(Choice::of_scores(found.into_iter().map(of).collect()))),
        Err(GradientError::Stopped) => Ok(None),
        Err(error) => Err(PipelineError::Gradients(error.to_string())),
    }
}
