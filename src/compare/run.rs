//! Runs a comparison, cell by cell, from where it stood.

use std::path::{Path, PathBuf};

use super::context::{Event, GridContext, OnEvent};
use super::measure::{entries, identity, measure};
use super::store::{self, Named, Store};
use super::{Cell, CellResult, CompareError, Comparison, Dense, Figures, Grid, Outcome, over_seeds};
use crate::checkpoint::Checkpoint;
use crate::eval::{EvalEntry, EvalRecord};
use crate::pipeline::{self, Fingerprint, Flow, Job, PipelineError, Report, plan};
use crate::report::{self, Folder};
use crate::session::{SessionError, prune_to_folder};

/// Prunes and measures every cell that has no row yet. The observer's [`Flow::Stop`] ends the run
/// with everything finished kept.
///
/// # Errors
/// When the folder cannot be used or the device fails; what cannot be pruned is a row instead.
pub async fn run(setting: &GridContext<'_>, grid: &Grid, on_event: OnEvent<'_>) -> Result<Comparison, CompareError> {
    let cells = grid.cells();
    let reads: Vec<PathBuf> = setting.checkpoint.folder().map(Path::to_owned).into_iter().collect();
    let identity = Fingerprint::source_of(setting.checkpoint)?;
    let model = Named { identity: &identity, name: setting.model };
    let store = Store::open(setting.out, &reads, model)?;
    // First, so that a model or a text that cannot be measured fails before anything is pruned.
    let dense = dense(setting, &store, model, on_event).await?;
    let mut rows = Vec::with_capacity(cells.len());
    for (index, cell) in cells.iter().enumerate() {
        if on_event(Event::Started { index, cell: Some(cell) }) == Flow::Stop {
            return Err(CompareError::Stopped { finished: rows.len(), cells: cells.len() });
        }
        let (row, reused) = match row(setting, &store, cell, on_event).await {
            // A stop inside of a cell ends the comparison; the cell has no row, and its layers are kept.
            Err(error) if error.is_stop() => {
                return Err(CompareError::Stopped { finished: rows.len(), cells: cells.len() });
            }
            other => other?,
        };
        // A wish to stop is asked for again before the next cell.
        on_event(Event::Finished { index, row: &row, reused });
        rows.push(row);
    }
    let comparison = Comparison {
        version: env!("CARGO_PKG_VERSION").into(),
        model: setting.model.into(),
        device: setting.device.name().into(),
        protocol: setting.evaluation.protocol.clone(),
        dense,
        over_seeds: over_seeds(&rows),
        rows,
    };
    store.summarise(&comparison)?;
    Ok(comparison)
}

async fn dense(
    setting: &GridContext<'_>,
    store: &Store,
    model: Named<'_>,
    on_event: OnEvent<'_>,
) -> Result<Dense, CompareError> {
    let measured = identity(setting);
    if let Some(dense) = store.get(store::DENSE, model.identity, &measured) {
        return Ok(dense);
    }
    on_event(Event::Started { index: 0, cell: None });
    let (perplexity, further) = measure(setting, setting.checkpoint, "dense", on_event).await?;
    let dense = Dense { parameters: setting.checkpoint.config().parameters(), perplexity, further };
    store.put(store::DENSE, model, &measured, dense.clone())?;
    Ok(dense)
}

/// The row of a cell, and whether it was there already.
async fn row(
    setting: &GridContext<'_>,
    store: &Store,
    cell: &Cell,
    on_event: OnEvent<'_>,
) -> Result<(CellResult, bool), CompareError> {
    let outcome = |folder: Option<String>, outcome| CellResult { cell: cell.clone(), folder, outcome };
    let refused = |reason: String| (outcome(None, Outcome::Refused(reason)), false);
    // Planned before the windows are cut: a cell that cannot be costs nothing.
    let plan = match plan(&cell.request(&setting.base), setting.checkpoint.config(), &setting.limits) {
        Ok(plan) => plan,
        Err(error) => return Ok(refused(error.to_string())),
    };
    let windows = match (setting.calibrate)(cell) {
        Ok(windows) => windows,
        Err(error) => return Ok(refused(error.to_string())),
    };
    let GridContext { checkpoint, device, clock, memory, typed, .. } = *setting;
    let job = Job { checkpoint, windows: &windows, plan: &plan, scores: None, device, clock, memory, typed };
    // The tokens are part of the identity, so they are cut for a row that is there as well.
    let (made, measured) = (Fingerprint::of(&job)?.digest(), identity(setting));
    let name = format!("{}-{}", cell.name(), &made[..DIGITS]);
    if let Some(row) = store.get(&name, &made, &measured) {
        return Ok((row, true));
    }
    let folder = store.place(&name)?;
    // Weights that an earlier comparison was to keep stay, whatever this one is to keep.
    let stay = setting.keep_weights || store.is_kept(&name);
    // Where the weights were removed the folder is made again, and what was measured then is still so.
    let earlier = EvalRecord::read(&folder).unwrap_or_default().entries;
    let report = match pruned(&job, &folder, on_event).await {
        Ok(report) => report,
        // The mathematics or the element type failed: that is a result of this cell.
        Err(SessionError::Pruning(
            error @ (PipelineError::Site { .. }
            | PipelineError::Rounding { .. }
            | PipelineError::NotFinite { .. }
            | PipelineError::Allocate(_)),
        )) if !error.is_out_of_memory() => return Ok(refused(error.to_string())),
        // Anything else, such as a disk that is full, would end the other cells too.
        Err(SessionError::Pruning(cause)) => {
            return Err(CompareError::Pruning { cell: name, cause: Box::new(cause) });
        }
        Err(SessionError::Page(error)) => return Err(error.into()),
    };
    let row = outcome(Some(name.clone()), figures(setting, &name, &report, &folder, earlier, on_event).await?);
    #[cfg(feature = "gradients")]
    let row = with_recovery(setting, store, &name, &folder, row, on_event).await?;
    // The row first: a process that dies between the two has nothing to prune again.
    store.put(&name, Named { identity: &made, name: setting.model }, &measured, row.clone())?;
    if !stay {
        store::remove_weights(&folder)?;
    }
    Ok((row, false))
}

/// The row with what its model is worth after training, where that was asked for.
#[cfg(feature = "gradients")]
async fn with_recovery(
    setting: &GridContext<'_>,
    store: &Store,
    name: &str,
    folder: &Path,
    row: CellResult,
    on_event: OnEvent<'_>,
) -> Result<CellResult, CompareError> {
    let (Some(recovery), Outcome::Measured(figures)) = (&setting.recovery, &row.outcome) else { return Ok(row) };
    // A folder of its own: what was pruned stays as it was measured.
    let out = store.place(&format!("{name}-recovered"))?;
    let found = super::recovered::recovered(setting, recovery, name, folder, &out, on_event).await?;
    let further = super::Further { recovered: Some(found), ..figures.further.clone() };
    Ok(CellResult { outcome: Outcome::Measured(Figures { further, ..figures.clone() }), ..row })
}

/// Digits of the digest in a cell's name, 40 bits: among ten thousand cells that are called alike otherwise, two have
/// the same with a chance of 1 in 20,000; then the later only takes the place of the earlier.
const DIGITS: usize = 10;

/// Prunes into a folder, or takes what stands there if it is of this run and whole.
async fn pruned(job: &Job<'_>, folder: &Path, on_event: OnEvent<'_>) -> Result<Report, SessionError> {
    // An older result of the cell, or one without its weights, is made anew.
    let overwrite = !store::has_weights(folder) || !is_of(job, folder)?;
    let mut observe = |event: pipeline::Event| on_event(Event::Pruning(&event));
    Ok(prune_to_folder(job, folder, overwrite, &mut observe).await?.report)
}

/// Whether the folder's report is of this very run.
fn is_of(job: &Job<'_>, folder: &Path) -> Result<bool, PipelineError> {
    let fingerprint = Fingerprint::of(job)?;
    Ok(Folder::open(folder).is_ok_and(|f| fingerprint.made(&f.report)))
}

/// Measures a pruned folder and leaves the figures, with those that were measured `earlier`, and a page
/// in it.
async fn figures(
    setting: &GridContext<'_>,
    name: &str,
    report: &Report,
    folder: &Path,
    earlier: Vec<EvalEntry>,
    on_event: OnEvent<'_>,
) -> Result<Outcome, CompareError> {
    let checkpoint = Checkpoint::open(folder)
        .map_err(|cause| CompareError::Measuring { cell: name.into(), cause: Box::new(cause.into()) })?;
    // What was written is read back, so that the figures are those of the folder.
    let (perplexity, further) = measure(setting, &checkpoint, name, on_event).await?;
    if !perplexity.is_finite() {
        let reason = format!("the perplexity is {perplexity}: the pruned model computes no numbers");
        return Ok(Outcome::Refused(reason));
    }
    EvalRecord::add_to(folder, earlier.into_iter().chain(entries(setting, perplexity, &further)))?;
    // Again, now that the figures for the page stand in the folder.
    report::write_into(folder)?;
    Ok(Outcome::Measured(Figures::new(report, perplexity, further)))
}
