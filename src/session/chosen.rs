//! What a selection needs of the whole model before the first layer is pruned: scores from gradients, or from training
//! that changes the weights too.

use crate::checkpoint::Checkpoint;
use crate::device::readback::ReadbackError;
use crate::gradient::{GradientError, Importance, Taylor, importance};
use crate::obs::Brought;
use crate::pipeline::{Event, Flow, Job, LayerSink, PipelineError, UnitScores};
use crate::recover::{Choice, Choosing, Lesson, RecoverError, Training};

/// Windows that gradients are taken over, and tokens of each: as LLM-Pruner's published code takes them.
const GRADIENT_WINDOWS: (usize, usize) = (10, 64);

/// What it takes to choose.
enum Way {
    Gradients(Taylor),
    Training(Choosing),
}

impl Way {
    /// `None` where it takes neither: the pipeline looks at the model as it is by itself.
    fn of(brought: Brought) -> Option<Self> {
        match brought {
            Brought::Taylor => Some(Self::Gradients(Taylor::Element)),
            Brought::TaylorVector => Some(Self::Gradients(Taylor::Vector)),
            Brought::LoraGradients => Some(Self::Training(Choosing::LoraGradients)),
            Brought::Gates => Some(Self::Training(Choosing::Gates)),
            Brought::Fluctuation => None,
        }
    }
}

/// The model and the scores that the job's selection works with, where nobody has brought them: as the sink has kept
/// them, or computed and kept.
pub(super) async fn chosen(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<(Checkpoint, Vec<UnitScores>)>, PipelineError> {
    let brought = job.plan.request.options.brought().filter(|_| job.scores.is_none());
    let Some(way) = brought.and_then(Way::of) else { return Ok(None) };
    let layers = job.plan.layers.len();
    let choice = match sink.choice()?.filter(|kept| !Training::is_state(kept)) {
        Some(bytes) => Choice::decoded(bytes, layers)?,
        None => {
            let stopped = PipelineError::Stopped { finished: sink.finished(), layers };
            let choice = computed(job, way, sink, on_event).await?.ok_or(stopped)?;
            sink.keep_choice(&choice.encoded()?)?;
            choice
        }
    };
    Ok(Some((choice.tuned(job.checkpoint)?, choice.scores)))
}

/// The same of what another process chose and kept, for the `checkpoint` as it is.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn chosen_elsewhere(
    kept: Vec<u8>,
    checkpoint: &Checkpoint,
) -> Result<(Checkpoint, Vec<UnitScores>), PipelineError> {
    let choice = Choice::decoded(kept, checkpoint.config().layers.len())?;
    Ok((choice.tuned(checkpoint)?, choice.scores))
}

/// `None` if it was stopped.
async fn computed(
    job: &Job<'_>,
    way: Way,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<Choice>, PipelineError> {
    let mut watch = |done, total| on_event(Event::Choosing { done, total });
    match way {
        Way::Gradients(taylor) => of_gradients(job, taylor, &mut watch).await,
        Way::Training(how) => trained(job, how, sink, on_event).await,
    }
}

/// Trains, and keeps the state on the way: it goes on from there.
async fn trained(
    job: &Job<'_>,
    how: Choosing,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<Choice>, PipelineError> {
    let allowed = job.plan.memory.allowed_bytes;
    let mut lesson = Lesson::new(job.checkpoint, job.windows, job.device, allowed).map_err(told)?;
    loop {
        let error = match trained_by(&lesson, job, how, sink, on_event).await {
            Err(error) if error.is_out_of_memory() => error,
            other => return other,
        };
        lesson = lesson.with_less_on_device().ok_or(error)?;
        let (batch_windows, activations) = lesson.placed();
        on_event(Event::OutOfMemory { batch_windows, activations, from_the_first_layer: false });
        // What could not be allocated may have left room that nobody uses.
        job.device.release_unused();
    }
}

async fn trained_by(
    lesson: &Lesson,
    job: &Job<'_>,
    how: Choosing,
    sink: &mut impl LayerSink,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Option<Choice>, PipelineError> {
    let kept = sink.choice()?;
    let mut training =
        Training::new(job.checkpoint, lesson, job.plan, how, job.device, kept.as_deref()).map_err(told)?;
    while !training.is_done() {
        let stepped = training.step(&mut |done, total| on_event(Event::Choosing { done, total })).await;
        // Whoever goes on with less on the device goes on from here, too.
        if !matches!(stepped, Ok(Flow::Continue)) || training.is_keeping_due() {
            sink.keep_choice(&training.state())?;
        }
        if stepped.map_err(told)? == Flow::Stop {
            return Ok(None);
        }
    }
    Ok(Some(training.choice()))
}

fn told(error: RecoverError) -> PipelineError {
    match error.is_out_of_memory() {
        // As such it is known to whoever goes on with less.
        true => PipelineError::Device(ReadbackError::OutOfMemory),
        false => PipelineError::Gradients(error.to_string()),
    }
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
