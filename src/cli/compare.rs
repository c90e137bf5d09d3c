//! `slimgpt compare`: methods, ratios, schedules and calibrations against each other.

mod arguments;
mod further;
mod progress;
mod recovery;
mod show;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use pollster::block_on;
use slimgpt::compare::{Cell, GridContext, Recovery, plot, run};
use slimgpt::place::{Kind, Place};
use slimgpt::text::{TextError, Tokenizer, windows_watched};

pub use arguments::Compare;
use progress::Cells;

use super::exit::named;
use super::interrupt::Interrupt;
use super::peak::Watch;
use super::progress::counting;
use super::typed::typed;
use super::{arguments as shared, out};

impl Compare {
    pub fn run(&self) -> Result<()> {
        // What was typed wrong is told before a device is opened.
        let (checkpoint, tokenizer) = shared::open(&self.model)?;
        let grid = self.grid(checkpoint.config())?;
        let tasks = self.measures.chosen()?;
        let files = tasks.iter().flat_map(|task| task.files()).cloned().collect::<Vec<_>>();
        let plot_place = self.places(&files)?;
        let texts = self.calibration_texts(&checkpoint)?;
        let evaluation = self.evaluation(&checkpoint, &tokenizer, &tasks)?;
        let lessons = self.recovering.lessons(&checkpoint, &tokenizer, self.text_key())?;
        let device = self.device.open()?;
        let cut = Cutter {
            command: self,
            tokenizer: &tokenizer,
            bos: checkpoint.config().bos_token,
            texts,
            kept: RefCell::default(),
        };
        let started = Instant::now();
        let watch = Watch::start(&device);
        let model = self.model_name();
        let setting = GridContext {
            checkpoint: &checkpoint,
            model: &model,
            device: &device,
            limits: self.knobs.limits(&device, &self.out),
            base: self.base(),
            evaluation,
            recovery: lessons.as_ref().map(|lessons| Recovery {
                data: &lessons.data,
                sources: &lessons.sources,
                settings: &lessons.settings,
                is_taught: lessons.is_taught,
            }),
            calibrate: &|cell| cut.windows(cell),
            out: &self.out,
            keep_weights: self.keep_weights,
            clock: &|| started.elapsed().as_secs_f64(),
            memory: &|| watch.look(),
            typed: Some(&typed("compare")),
        };
        let interrupt = Interrupt::listen();
        let mut cells = Cells::new(self.json, grid.cells().len());
        let comparison = block_on(run(&setting, &grid, &mut |event| {
            cells.show(&event);
            interrupt.flow()
        }))?;
        // The bar is cleared before anything else is printed.
        drop(cells);
        if let Some(place) = plot_place {
            named("--plot", place.write(plot(&comparison).standalone().as_bytes()))?;
        }
        if self.json {
            return out::json(&comparison);
        }
        show::print(&comparison, &self.out)
    }
}

impl Compare {
    /// Whether results and chart may be put where they are to be; the place of the chart, if one is wanted.
    fn places(&self, tasks: &[PathBuf]) -> Result<Option<Place>> {
        let reads: Vec<PathBuf> = [&self.model]
            .into_iter()
            .chain(self.texts())
            .chain(self.recovering.files())
            .chain(tasks)
            .cloned()
            .collect();
        Place::new(&self.out, Kind::Results, true).ask(&reads)?;
        let Some(file) = &self.plot else { return Ok(None) };
        let place = Place::new(file, Kind::Figure, true);
        named("--plot", place.ask(&reads))?;
        Ok(Some(place))
    }
}

/// Windows by calibration, samples, tokens of a window and seed.
type WindowsByCalibration = HashMap<(String, usize, usize, u64), Vec<Vec<u32>>>;

/// Cuts calibration windows, and remembers those it has cut.
struct Cutter<'a> {
    command: &'a Compare,
    tokenizer: &'a Tokenizer,
    bos: Option<u32>,
    /// Documents by the name of the calibration.
    texts: Vec<(String, Vec<String>)>,
    // `Calibrate` is a `Fn`, which asks through a shared reference.
    kept: RefCell<WindowsByCalibration>,
}

impl Cutter<'_> {
    fn windows(&self, cell: &Cell) -> Result<Vec<Vec<u32>>, TextError> {
        // Cells that differ in method, target or schedule share their windows.
        let key = (cell.calibration.clone(), cell.samples, cell.seq_len, cell.seed);
        if let Some(kept) = self.kept.borrow().get(&key) {
            return Ok(kept.clone());
        }
        let text = self.texts.iter().find(|(name, _)| *name == cell.calibration);
        let documents = text.map(|(_, documents)| documents.as_slice()).unwrap_or_default();
        let which = self.command.calibration_windows(cell);
        let mut progress = counting("reading the text", self.command.json);
        let cut = windows_watched(self.tokenizer, documents, self.bos, &which, &mut progress)?;
        self.kept.borrow_mut().insert(key, cut.clone());
        Ok(cut)
    }
}
