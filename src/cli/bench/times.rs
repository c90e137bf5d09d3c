//! `slimgpt bench MODEL --times FILE`: what smaller layers take, as a table that a search reads.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{MeasuredTimes, TimePoint, TokenTimed, layer_times};
use slimgpt::model::fits;
use slimgpt::place::{Kind, Place};

use crate::cli::exit::{Interrupted, Usage, named};
use crate::cli::interrupt::Interrupt;
use crate::cli::{out, progress, show};

/// Tokens that are timed of every shape, in each of two rounds, unless fewer are asked for: a median of twice as many
/// tells apart what shapes differ by.
const MOST_TOKENS: usize = 32;

/// A table that is to be made.
pub struct TimesFile<'a> {
    file: &'a Path,
    place: Place,
}

impl<'a> TimesFile<'a> {
    /// Refuses what cannot be written before anything is measured.
    pub fn ask(file: &'a Path, models: &[PathBuf]) -> Result<Self> {
        if models.len() > 1 {
            return Err(Usage("--times measures one model; give a file for each".into()).into());
        }
        let place = Place::new(file, Kind::Times, false);
        named("--times", place.ask(models))?;
        Ok(Self { file, place })
    }

    /// Measures, writes the table, and shows it.
    pub fn run(&self, checkpoint: &Checkpoint, timed: TokenTimed, device: &Device, json: bool) -> Result<()> {
        let config = checkpoint.config();
        fits(config, device)?;
        let timed = TokenTimed { tokens: timed.tokens.min(MOST_TOKENS), ..timed }.within(config.max_positions);
        let interrupt = Interrupt::listen_saying("stopping; a table that is not whole is not kept");
        let started = Instant::now();
        // Seconds from any moment will do: only differences are taken.
        let clock = || started.elapsed().as_secs_f64();
        let mut bar = progress::counting("tokens", json);
        let mut on_step = |done, steps| {
            bar(done, steps);
            !interrupt.is_pressed()
        };
        let found = block_on(layer_times(config, timed, device, &clock, &mut on_step))?;
        let Some(found) = found else { return Err(Interrupted.into()) };
        named("--times", self.place.write_json(&found))?;
        if json {
            return out::json(&found);
        }
        out::line(table(&found))?;
        let (file, n) = (self.file.display(), found.context_tokens);
        Ok(out::line(format_args!(
            "milliseconds for a token behind {n} others, with all layers of one shape, on {}; the table is in {file}: \
search by it with --target-time 0.8x --times {file}",
            found.device
        ))?)
    }
}

fn table(found: &MeasuredTimes) -> comfy_table::Table {
    let first = found.points.first().map_or(1.0, |point| point.seconds);
    let row = |point: &TimePoint| {
        let shape = point.layer;
        vec![
            shape.kv_heads.to_string(),
            shape.heads.to_string(),
            shape.channels.to_string(),
            format!("{:.3}", 1e3 * point.seconds),
            format!("{:.2}×", point.seconds / first),
        ]
    };
    let heading = ["K/V heads", "query heads", "channels", "ms", "of the first"];
    show::table(&heading, &found.points.iter().map(row).collect::<Vec<_>>())
}
