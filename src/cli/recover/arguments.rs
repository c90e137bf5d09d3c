//! What is learnt, how fast and for how long.

use anyhow::Result;
use clap::Args;
use slimgpt::recover::{Counted, Length, Settings, Targets, Train};
use slimgpt::shape::ModelConfig;

use crate::cli::choice::choice;
use crate::cli::exit::Usage;
use crate::cli::parse;

/// What is learnt, how fast and for how long. Defaults are the paper's, but for the held-out share.
#[derive(Args, Clone)]
pub struct Learning {
    /// Learn as the SlimGPT paper does: LoRA of rank 8 on all projections, one epoch of 64 × 256 tokens, 2000
    /// rows held out
    #[arg(long, conflicts_with_all = ["train", "lora_rank", "lora_alpha", "dropout", "targets", "lr", "warmup", "epochs", "steps", "batch", "seq_len", "hold_out", "teacher", "patience"])]
    paper: bool,
    /// What is learnt
    #[arg(long, value_name = "WHAT", value_parser = choice::<Train>(), default_value = "lora")]
    train: Train,
    /// Columns of the low-rank factors
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "8", hide_short_help = true)]
    lora_rank: usize,
    /// The factors' product counts this divided by the rank
    #[arg(long, value_name = "A", value_parser = parse::positive, default_value = "16", hide_short_help = true)]
    lora_alpha: f64,
    /// Share of the factors' inputs that is dropped while learning
    #[arg(long, value_name = "SHARE", value_parser = parse::share, default_value = "0.05", hide_short_help = true)]
    dropout: f64,
    /// Projections that get factors: all, attention, mlp, or names with commas
    #[arg(long, value_name = "LIST", value_parser = Targets::parse, default_value = "all", hide_short_help = true)]
    targets: Targets,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", value_parser = parse::positive, default_value = "1e-4")]
    lr: f64,
    /// Steps in which the rate rises to it; afterwards it falls like a cosine
    #[arg(long, value_name = "N", default_value_t = 10, hide_short_help = true)]
    warmup: usize,
    /// How often through the data
    #[arg(long, value_name = "N", value_parser = parse::positive, default_value = "1", conflicts_with = "steps")]
    epochs: f64,
    /// Steps in place of epochs
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    steps: Option<usize>,
    /// Sequences of a step
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "64")]
    batch: usize,
    /// Sequences that go through a layer together; by default as many as are fast
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, hide_short_help = true)]
    micro_batch: Option<usize>,
    /// Most tokens of a sequence; longer rows are cut there
    #[arg(long, value_name = "N", value_parser = parse::window_length, default_value = "256")]
    seq_len: usize,
    /// How much the teacher's expectation counts beside the text's own words, from 0 to 1; 1 where the text is poor
    #[arg(long, value_name = "SHARE", value_parser = parse::share, default_value_t = Settings::TEACHER_SHARE, requires = "teacher", hide_short_help = true)]
    teacher_share: f64,
    /// The teacher's and the model's logits are divided by it before they are compared
    #[arg(long, value_name = "T", value_parser = parse::positive, default_value = "1", requires = "teacher", hide_short_help = true)]
    temperature: f64,
    /// Steps between two looks at what is held out
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, default_value = "50", hide_short_help = true)]
    eval_every: usize,
    /// Sequences that are held out; by default a tenth, and at most 2000
    #[arg(long, value_name = "N")]
    hold_out: Option<usize>,
    /// End after so many looks without a better held-out loss
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    patience: Option<usize>,
    /// Norm that the gradient is shortened to
    #[arg(long, value_name = "NORM", value_parser = parse::positive, default_value = "1", hide_short_help = true)]
    clip: f64,
    /// Seed of the factors, the order of the data and what is dropped
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    seed: u64,
}

/// What the paper holds out.
const PAPER_HELD_OUT: usize = 2000;

impl Learning {
    /// What was asked for.
    pub fn settings(&self, counted: Counted, has_teacher: bool, config: &ModelConfig) -> Result<Settings> {
        let (micro_batch, eval_every, seed) = (self.micro_batch, self.eval_every, self.seed);
        if self.paper {
            let hold_out = Some(PAPER_HELD_OUT);
            return Ok(Settings {
                hold_out,
                micro_batch,
                eval_every,
                seed,
                counted: Counted::Response,
                ..Settings::default()
            });
        }
        if self.seq_len > config.max_positions {
            let context = config.max_positions;
            return Err(Usage(format!(
                "--seq-len {} is longer than the model's context of {context} tokens",
                self.seq_len
            ))
            .into());
        }
        Ok(Settings {
            train: self.train,
            rank: self.lora_rank,
            alpha: self.lora_alpha,
            // Only factors drop something.
            dropout: if self.train == Train::Lora { self.dropout } else { 0.0 },
            targets: self.targets.clone(),
            rate: self.lr,
            warm_up: self.warmup,
            length: self.steps.map_or(Length::Epochs(self.epochs), Length::Steps),
            batch: self.batch,
            micro_batch,
            window: self.seq_len,
            counted,
            teacher: if has_teacher { self.teacher_share } else { 0.0 },
            temperature: self.temperature,
            eval_every,
            hold_out: self.hold_out,
            patience: self.patience,
            clip: self.clip,
            seed,
        })
    }
}
