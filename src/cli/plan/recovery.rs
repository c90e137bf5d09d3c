//! `slimgpt plan --recover`: what a step of a recovery takes.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::format;
use slimgpt::pipeline::Limits;
use slimgpt::recover::{RecoveryPlan, Settings, Train, plan};
use slimgpt::shape::ModelConfig;

use crate::cli::arguments::open_sizes;
use crate::cli::choice::choice;
use crate::cli::{out, parse, show};

/// Of a recovery only what decides its memory.
#[derive(Args)]
pub struct Recovery {
    /// Tell what `slimgpt recover` takes, in place of what pruning does
    #[arg(long)]
    recover: bool,
    /// What is learnt
    #[arg(long, value_name = "WHAT", value_parser = choice::<Train>(), default_value = "lora", requires = "recover", hide_short_help = true)]
    train: Train,
    /// Columns of the low-rank factors
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "8", requires = "recover", hide_short_help = true)]
    lora_rank: usize,
    /// Sequences of a step
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "64", requires = "recover", hide_short_help = true)]
    batch: usize,
    /// Sequences that go through a layer together
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, requires = "recover", hide_short_help = true)]
    micro_batch: Option<usize>,
    /// Folder or name of a dense model that teaches
    #[arg(long, value_name = "DENSE", requires = "recover", hide_short_help = true)]
    teacher: Option<PathBuf>,
}

/// Operations a second of cards that people have, in single precision.
const RATES: [(&str, f64); 3] =
    [("a laptop's GPU (5 TFLOP/s)", 5e12), ("an RTX 4070 (29 TFLOP/s)", 29e12), ("an H100 (67 TFLOP/s)", 67e12)];
/// Of which a training step reaches about this share.
const REACHED: f64 = 0.3;

impl Recovery {
    /// Whether a recovery is what is planned.
    pub fn is_asked(&self) -> bool {
        self.recover
    }

    /// The teacher, to put a path in the place of a name.
    pub fn teacher_mut(&mut self) -> Option<&mut PathBuf> {
        self.teacher.as_mut()
    }

    /// Prints the plan of a recovery in windows of `window` tokens.
    pub fn run(&self, config: &ModelConfig, window: Option<usize>, limits: &Limits, as_json: bool) -> Result<()> {
        let (train, rank, batch, micro_batch) = (self.train, self.lora_rank, self.batch, self.micro_batch);
        let usual = Settings::default();
        let window = window.unwrap_or(usual.window.min(config.max_positions));
        let settings = Settings { train, rank, batch, micro_batch, window, ..usual };
        // Its weights need not be there for a plan.
        let teacher = self.teacher.as_deref().map(open_sizes).transpose()?;
        let plan = plan(&settings, config, teacher.as_ref().map(Checkpoint::config), limits)?;
        match as_json {
            true => out::json(&json!({ "settings": settings, "plan": plan })),
            false => Ok(out::line(words(&settings, &plan))?),
        }
    }
}

fn words(settings: &Settings, plan: &RecoveryPlan) -> String {
    let of = |(card, rate): &(&str, f64)| format!("{} on {card}", format::seconds(plan.operations / (rate * REACHED)));
    format!(
        "a step of {} × {} tokens: {:.1} TFLOP, about {}\n{}",
        settings.batch,
        settings.window,
        plan.operations / 1e12,
        RATES.iter().map(of).collect::<Vec<_>>().join(", "),
        show::recovery_memory(plan)
    )
}
