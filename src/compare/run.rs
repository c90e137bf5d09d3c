//! Runs a comparison, cell by cell, from where it stood.

use std::path::{Path, PathBuf};

use super::store::{self, Store};
use super::{Cell, CellResult, CompareError, Comparison, Dense, Figures, Grid, Outcome, Protocol};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Peak};
use crate::eval::{EvalEntry, EvalRecord, perplexity};
use crate::pipeline::{
    self, Fingerprint, Flow, Job, Limits, PipelineError, Report, Request, Typed, plan, windows_sha256,
};
use crate::report::{self, Folder};
use crate::session::{SessionError, prune_to_folder};
use crate::text::TextError;

/// What all cells share.
pub struct GridContext<'a> {
    /// The dense model, from which every cell is pruned.
    pub checkpoint: &'a Checkpoint,
    /// What it is called.
    pub model: &'a str,
    /// Where it is computed.
    pub device: &'a Device,
    /// What the device and the machine can hold.
    pub limits: Limits,
    /// Everything that the cells do not say.
    pub base: Request,
    /// The text that every model is measured on.
    pub evaluation: Evaluation,
    /// Cuts a cell's calibration windows.
    pub calibrate: &'a Calibrate<'a>,
    /// Where results and pruned folders lie.
    pub out: &'a Path,
    /// Whether the pruned weights stay when they are measured.
    pub keep_weights: bool,
    /// Seconds since any fixed moment.
    pub clock: &'a dyn Fn() -> f64,
    /// The most memory seen in use so far.
    pub memory: &'a dyn Fn() -> Peak,
    /// What was typed to start the comparison.
    pub typed: Option<&'a Typed>,
}

/// Cuts the calibration windows of a cell.
pub type Calibrate<'a> = dyn Fn(&Cell) -> Result<Vec<Vec<u32>>, TextError> + 'a;

/// What every model is measured on.
pub struct Evaluation {
    /// Token ids, window by window; at least two in each.
    pub windows: Vec<Vec<u32>>,
    /// Where they come from.
    pub protocol: Protocol,
}

/// What a comparison tells its observer.
pub enum Event<'a> {
    /// A cell begins; `None` is the dense model.
    Started {
        /// Its place among the cells.
        index: usize,
        /// What will be pruned and measured.
        cell: Option<&'a Cell>,
    },
    /// The pipeline told something.
    Pruning(&'a pipeline::Event),
    /// A model is being measured.
    Measuring {
        /// Steps that are done.
        done: usize,
        /// Steps of the whole measurement.
        total: usize,
    },
    /// A cell has its row.
    Finished {
        /// Its place among the cells.
        index: usize,
        /// What became of the cell.
        row: &'a CellResult,
        /// Whether it was there already.
        reused: bool,
    },
}

type OnEvent<'a> = &'a mut dyn FnMut(Event<'_>) -> Flow;

/// Prunes and measures every cell that has no row yet. The observer's [`Flow::Stop`] ends the run
/// with everything finished kept.
///
/// # Errors
/// When the folder cannot be used or the device fails; what cannot be pruned is a row instead.
pub async fn run(setting: &GridContext<'_>, grid: &Grid, on_event: OnEvent<'_>) -> Result<Comparison, CompareError> {
    let cells = grid.cells();
    let reads: Vec<PathBuf> = setting.checkpoint.folder().map(Path::to_owned).into_iter().collect();
    let store = Store::open(setting.out, &reads, &cells.iter().map(Cell::name).collect::<Vec<_>>())?;
    // First, so that a model or a text that cannot be measured fails before anything is pruned.
    let dense = dense(setting, &store, on_event).await?;
    let mut rows = Vec::with_capacity(cells.len());
    for (index, cell) in cells.iter().enumerate() {
        if on_event(Event::Started { index, cell: Some(cell) }) == Flow::Stop {
            return Err(CompareError::Stopped { finished: rows.len(), cells: cells.len() });
        }
        let (row, reused) = match row(setting, &store, cell, on_event).await {
            // A stop inside of a cell ends the comparison; the cell has no row, and its layers are kept.
            Err(CompareError::Pruning { cause, .. }) if matches!(*cause, PipelineError::Stopped { .. }) => {
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
        rows,
    };
    store.summarise(&comparison)?;
    Ok(comparison)
}

/// What decides a measurement besides the model: the tokens and the device.
fn evaluation_identity(setting: &GridContext<'_>) -> String {
    format!("{} on {}", windows_sha256(&setting.evaluation.windows), setting.device.name())
}

async fn dense(setting: &GridContext<'_>, store: &Store, on_event: OnEvent<'_>) -> Result<Dense, CompareError> {
    let config = setting.checkpoint.config();
    let model = Fingerprint::source_of(setting.checkpoint)?;
    let identity = format!("{model} measured {}", evaluation_identity(setting));
    if let Some(dense) = store.get(store::DENSE, &identity) {
        return Ok(dense);
    }
    on_event(Event::Started { index: 0, cell: None });
    let perplexity = measure(setting, setting.checkpoint, "dense", on_event).await?;
    let dense = Dense { parameters: config.parameters(), perplexity };
    store.put(store::DENSE, &identity, &dense)?;
    Ok(dense)
}

/// The row of a cell, and whether it was there already.
async fn row(
    setting: &GridContext<'_>,
    store: &Store,
    cell: &Cell,
    on_event: OnEvent<'_>,
) -> Result<(CellResult, bool), CompareError> {
    let refused = |reason: String| (CellResult { cell: cell.clone(), outcome: Outcome::Refused(reason) }, false);
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
    let job = Job { checkpoint, windows: &windows, plan: &plan, device, clock, memory, typed };
    // The tokens are part of the identity, so they are cut for a row that is there as well.
    let identity = format!("{} measured {}", Fingerprint::of(&job)?.digest(), evaluation_identity(setting));
    let name = cell.name();
    if let Some(row) = store.get(&name, &identity) {
        return Ok((row, true));
    }
    let report = match pruned(&job, &store.cell_folder(&name), on_event).await {
        Ok(report) => report,
        // The mathematics or the element type failed: that is a result of this cell.
        Err(SessionError::Pruning(
            error @ (PipelineError::Site { .. } | PipelineError::Rounding { .. } | PipelineError::NotFinite { .. }),
        )) => return Ok(refused(error.to_string())),
        // Anything else, such as a disk that is full, would end the other cells too.
        Err(SessionError::Pruning(cause)) => {
            return Err(CompareError::Pruning { cell: name, cause: Box::new(cause) });
        }
        Err(SessionError::Page(error)) => return Err(error.into()),
    };
    let row = measured(setting, cell, &report, &store.cell_folder(&name), on_event).await?;
    // The row first: a process that dies between the two has nothing to prune again.
    store.put(&name, &identity, &row)?;
    if !setting.keep_weights {
        store::remove_weights(&store.cell_folder(&name))?;
    }
    Ok((row, false))
}

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

/// Measures a pruned folder and leaves the figure and a page in it.
async fn measured(
    setting: &GridContext<'_>,
    cell: &Cell,
    report: &Report,
    folder: &Path,
    on_event: OnEvent<'_>,
) -> Result<CellResult, CompareError> {
    let name = cell.name();
    let checkpoint = Checkpoint::open(folder)
        .map_err(|cause| CompareError::Measuring { cell: name.clone(), cause: Box::new(cause.into()) })?;
    // What was written is read back, so that the figure is that of the folder.
    let perplexity = measure(setting, &checkpoint, &name, on_event).await?;
    if !perplexity.is_finite() {
        let reason = format!("the perplexity is {perplexity}: the pruned model computes no numbers");
        return Ok(CellResult { cell: cell.clone(), outcome: Outcome::Refused(reason) });
    }
    let windows = &setting.evaluation.windows;
    // All tokens of a window are predicted but the first.
    let predictions = windows.iter().map(|w| w.len() - 1).sum();
    let what = setting.evaluation.protocol.evaluation();
    EvalRecord::add_to(
        folder,
        [EvalEntry { what, metric: EvalEntry::PPL.into(), value: perplexity, stderr: None, n: predictions }],
    )?;
    // Again, now that the figure for the page stands in the folder.
    report::write_into(folder)?;
    Ok(CellResult { cell: cell.clone(), outcome: Outcome::Measured(Figures::new(report, perplexity)) })
}

async fn measure(
    setting: &GridContext<'_>,
    checkpoint: &Checkpoint,
    name: &str,
    on_event: OnEvent<'_>,
) -> Result<f64, CompareError> {
    let mut progress = |done, total| {
        // `perplexity` cannot be stopped in between, so the answer is left alone.
        on_event(Event::Measuring { done, total });
    };
    let found = perplexity(checkpoint, &setting.evaluation.windows, setting.device, &mut progress).await;
    let found = found.map_err(|cause| CompareError::Measuring { cell: name.into(), cause: Box::new(cause) })?;
    Ok(found.perplexity)
}
