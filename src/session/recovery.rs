//! The steps of a recovery that touch files.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::device::caught_async;
use crate::disk::{self, NewFolder};
use crate::pipeline::Report;
use crate::place::{Kind, Place, PlaceError};
use crate::recover::{ADAPTER, Event, Flow, Format, Job, Record, RecoverError, Source, begun, check_adapter, recover};
use crate::remedy::{Remedied, Remedy};
use crate::report::{self, ReportError};
use crate::text::{ChatTemplate, Files, Tokenizer, TokenizerSettings};

/// Why a recovery has no result, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum RecoverySessionError {
    /// It ended early; its state is kept.
    #[error(transparent)]
    Recovery(#[from] RecoverError),
    /// The folder is whole, but the adapter could not be put where it was asked for.
    #[error("the recovered model is whole, but its adapter could not be put there: {0}")]
    Adapter(#[from] PlaceError),
    /// The folder is whole, but the page about it could not be made.
    #[error("the recovered model is whole, but its page could not be made: {0}")]
    Page(#[from] ReportError),
}

/// What the rows of `files` are read with, for the model in `folder`.
///
/// # Errors
/// When a file of the tokenizer or the template cannot be read, or nothing says what ends a text.
pub fn examples<'a>(
    files: Files<'a>,
    format: Option<Format>,
    folder: &Path,
    checkpoint: &Checkpoint,
    tokenizer: &'a Tokenizer,
) -> Result<Source<'a>, RecoverError> {
    let settings = TokenizerSettings::open(folder)?;
    let named = settings.token("eos_token").and_then(|token| tokenizer.token(token));
    let end = named.or(checkpoint.config().eos_tokens.first().copied()).ok_or(RecoverError::NoEnd)?;
    // A model without a template learns from rows of other kinds; rows that need one are refused by name.
    let template = ChatTemplate::open(folder, &settings, None).ok();
    let begin = tokenizer.begin(&settings)?;
    Ok(Source { files, format, tokenizer, begin, end: Some(tokenizer.embedded(end)?), template })
}

/// Trains into a folder and leaves the page about it there; the low-rank factors go to `adapter` too, if it is given. A run
/// for which the device has no room goes on with less on it, and says so ([`Event::OutOfMemory`]).
///
/// # Errors
/// When training ends early, or what belongs to the result cannot be made.
pub async fn recover_to_folder(
    job: &Job<'_>,
    out: &Path,
    adapter: Option<&Path>,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Record, RecoverySessionError> {
    if adapter.is_some() {
        check_adapter(job)?;
    }
    let record = recover_with_room(job, out, overwrite, on_event).await?;
    if out.join(Report::FILE).is_file() {
        report::write_into(out)?;
    }
    if let Some(adapter) = adapter {
        copy_adapter(&out.join(ADAPTER), &Place::new(adapter, Kind::Adapter, overwrite))?;
    }
    Ok(record)
}

async fn recover_with_room(
    job: &Job<'_>,
    out: &Path,
    overwrite: bool,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Record, RecoverError> {
    let (mut plan, mut overwrite) = (begun(out, job)?, overwrite);
    loop {
        let job = Job { plan: &plan, ..*job };
        // What a driver refuses may come as an unwinding.
        let ended = caught_async(recover(&job, out, overwrite, on_event)).await;
        let error = match ended.unwrap_or_else(|trouble| Err(trouble.into())) {
            Err(error) if error.is_out_of_memory() => error,
            other => return other,
        };
        let smaller = plan.with_less_on_device().ok_or(error)?;
        let from_the_first_step = smaller.micro_batch != plan.micro_batch;
        let micro_batch = smaller.micro_batch;
        // Whether to go on is asked again before the first step, where it is known how many are done.
        on_event(Event::OutOfMemory { micro_batch, from_the_first_step });
        // What could not be allocated may have left room that nobody uses.
        job.device.release_unused();
        // The working folder is then of another run, which this one takes the place of.
        overwrite |= from_the_first_step;
        plan = smaller;
    }
}

fn copy_adapter(from: &Path, place: &Place) -> Result<(), PlaceError> {
    place.stands()?;
    let folder = NewFolder::begin(place.out())?;
    for name in disk::names(from)? {
        disk::copy(&from.join(&name), &folder.path().join(&name))?;
    }
    folder.finish(|at| place.may_go(at).map(drop))
}

impl Remedied for RecoverySessionError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Recovery(error) => error.remedy(),
            Self::Adapter(error) => error.remedy(),
            Self::Page(_) => None,
        }
    }
}
