//! What every model of a comparison is measured by: perplexity, and tasks and latency where they are
//! asked for, by the code of the commands that measure one model.

use sha2::{Digest, Sha256};

use super::context::{Evaluation, Event, GridContext, OnEvent, TaskSet};
use super::{CompareError, Further, Latency, TaskFigure};
use crate::checkpoint::Checkpoint;
use crate::eval::tasks::{Metric, TaskScore, answers, seven_average};
use crate::eval::{EvalEntry, EvalError, Timed, perplexity, speed};
use crate::format::hex;
use crate::model::{Decoder, fits};
use crate::pipeline::windows_sha256;

/// What decides a measurement besides the model: the tokens, what is done with them, and the device.
pub(super) fn identity(setting: &GridContext<'_>) -> String {
    let Evaluation { windows, tasks, timed, .. } = &setting.evaluation;
    // The device too: figures of another one differ in their last digits.
    let mut identity = format!("{} on {}", windows_sha256(windows), setting.device.name());
    for TaskSet { what, questions, .. } in tasks {
        let requests = questions.iter().flat_map(|q| &q.value.requests);
        let tokens: Vec<Vec<u32>> = requests.flat_map(|r| [r.context.clone(), r.continuation.clone()]).collect();
        // What counts as right too: a file whose answers were corrected asks the same tokens.
        let gold: Vec<u32> = questions.iter().map(|q| q.value.item.gold as u32).collect();
        identity += &format!(", {what}: {} {}", windows_sha256(&tokens), windows_sha256(&[gold]));
    }
    if let Some(Timed { prompt_tokens, new_tokens, repeats }) = timed {
        identity += &format!(", {prompt_tokens} tokens read, {new_tokens} written, {repeats} times");
    }
    #[cfg(feature = "gradients")]
    if let Some(recovery) = &setting.recovery {
        identity += &recovery.identity();
    }
    // What is measured in many tasks is a long name; a digest tells it from others as well.
    hex(&Sha256::digest(identity))
}

/// The perplexity of a model, and what else is asked for.
pub(super) async fn measure(
    setting: &GridContext<'_>,
    checkpoint: &Checkpoint,
    name: &str,
    on_event: OnEvent<'_>,
) -> Result<(f64, Further), CompareError> {
    let measured = all(setting, checkpoint, on_event).await;
    measured.map_err(|cause| CompareError::Measuring { cell: name.into(), cause: Box::new(cause) })
}

async fn all(
    setting: &GridContext<'_>,
    checkpoint: &Checkpoint,
    on_event: OnEvent<'_>,
) -> Result<(f64, Further), EvalError> {
    let Evaluation { windows, tasks, timed, .. } = &setting.evaluation;
    let mut progress = |done, total| {
        // A measurement cannot be stopped in between, so the answer is left alone.
        on_event(Event::Measuring { done, total });
    };
    let found = perplexity(checkpoint, windows, setting.device, &mut progress).await?.perplexity;
    let mut further = Further::default();
    let mut scores = Vec::new();
    for TaskSet { task, what, questions } in tasks {
        let answers = answers(checkpoint, questions, setting.device, None, &mut progress).await?;
        let score = match task {
            Some(task) => TaskScore::of(task, &answers),
            None => TaskScore::of_mmlu(questions, &answers),
        };
        let headline = task.map_or(Metric::Acc, |task| task.headline);
        further.tasks.extend(score.iter().flat_map(|score| TaskFigure::of(score, headline, what)));
        scores.extend(score);
    }
    further.average_of_seven = seven_average(&scores);
    if let Some(timed) = timed {
        further.latency = latency(setting, checkpoint, *timed, &mut progress).await?;
    }
    Ok((found, further))
}

/// The whole model is loaded, measured, and let go.
async fn latency(
    setting: &GridContext<'_>,
    checkpoint: &Checkpoint,
    timed: Timed,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Latency>, EvalError> {
    // Writing has the whole model on the device, where a perplexity has one layer at a time.
    fits(checkpoint.config(), setting.device)?;
    let decoder = Decoder::load(checkpoint, setting.device.tensor_device())?;
    let mut on_step = |done, total| {
        progress(done, total);
        true
    };
    let found = speed(&decoder, checkpoint.config(), timed, setting.clock, &mut on_step).await?;
    Ok(found.as_ref().map(Latency::from))
}

/// The figures for the record in a cell's folder. Latency is none: it says more of a machine than of a
/// model.
pub(super) fn entries(setting: &GridContext<'_>, perplexity: f64, further: &Further) -> Vec<EvalEntry> {
    let Evaluation { windows, protocol, .. } = &setting.evaluation;
    // All tokens of a window are predicted but the first.
    let n = windows.iter().map(|w| w.len() - 1).sum();
    let ppl =
        EvalEntry { what: protocol.evaluation(), metric: EvalEntry::PPL.into(), value: perplexity, stderr: None, n };
    let tasks = further.tasks.iter().map(|t| EvalEntry {
        what: t.what.clone(),
        metric: t.metric.clone(),
        value: t.value,
        stderr: t.stderr,
        n: t.n,
    });
    std::iter::once(ppl).chain(tasks).collect()
}
