//! What is to go, and how it is chosen: one flag for each knob of a [`Request`].

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use slimgpt::activations::Elements;
use slimgpt::allocate::{AllocateError, Allocation, FinalShape, Rounding, Schedule, SiteRatio, Target};
use slimgpt::checkpoint::{Checkpoint, Dtype};
use slimgpt::device::Device;
use slimgpt::eval::{LayerTimes, TimesError};
use slimgpt::obs::{ChannelSteps, HeadUnit, Options, Score, Selection};
use slimgpt::pipeline::{Limits, Measure, Method, PlanError, Propagate, Request};
use slimgpt::search::{Bounds, Found, SearchError};
use slimgpt::session::searched_model;
use slimgpt::shape::ModelConfig;

use super::schedule::{ScheduleArgument, ScheduleFlag, Scheduled};
use super::target::TargetArgument;
use super::{CalibrationSize, limits, window_length};
use crate::cli::choice::{choice, listed, suggesting};
use crate::cli::exit::Usage;
use crate::cli::parse;
use crate::cli::{out, variables};

/// What is to go, and how it is chosen.
#[derive(Args, Clone)]
pub struct Pruning {
    #[command(flatten)]
    target: TargetArgument,
    #[command(flatten)]
    schedule: ScheduleFlag,
    /// Sizes that every layer is to have afterwards, such as kv_heads=2,channels=1024
    ///
    /// Takes the place of a target and a schedule.
    #[arg(
        long,
        value_name = "SIZES",
        value_parser = parse::shape,
        conflicts_with_all = ["target", "target_params", "target_bytes", "target_time", "uniform", "schedule", "first_ratio", "head_ratio", "channel_ratio", "keep_layers"], hide_short_help = true
    )]
    shape: Option<FinalShape>,
    /// Ratio of the first layer; by default 0.3125 × target
    ///
    /// Of the last layer for a decreasing curve.
    #[arg(long, value_name = "R", value_parser = parse::first_ratio, allow_negative_numbers = true, hide_short_help = true)]
    first_ratio: Option<f64>,
    /// The heads' ratio, as a factor of the layer's or a list
    ///
    /// 0 keeps all heads. A list has one ratio for each layer, with commas between.
    #[arg(long, value_name = "FACTOR|LIST", value_parser = parse::site_ratio, default_value = "1", hide_short_help = true)]
    head_ratio: SiteRatio,
    /// The channels' ratio, as a factor of the layer's or a list
    ///
    /// A list has one ratio for each layer, with commas between.
    #[arg(long, value_name = "FACTOR|LIST", value_parser = parse::site_ratio, default_value = "1", hide_short_help = true)]
    channel_ratio: SiteRatio,
    /// Layers that lose nothing, counted from 0, such as 0,1,31
    #[arg(long, value_name = "LIST", value_delimiter = ',', hide_short_help = true)]
    keep_layers: Vec<usize>,
    /// Search for one shape for all layers, which opens everywhere
    #[arg(long, conflicts_with = "keep_layers", hide_short_help = true)]
    uniform: bool,
    /// Let a layer lose its whole attention or feed-forward part
    ///
    /// A search then measures what that costs, and a schedule of exact sizes may have 0 heads and 0 key/value heads, or 0
    /// channels. A layer that loses both leaves the model. `slimgpt inspect --compat PATH` tells which programs open a
    /// layer with one half.
    #[arg(long, conflicts_with = "uniform", hide_short_help = true)]
    whole_sites: bool,
    /// A method by name; --help lists them
    #[arg(
        long,
        value_name = "NAME",
        value_parser = choice::<Method>(),
        hide_possible_values = true,
        conflicts_with = "paper",
        long_help = listed::<Method>("A method by name. What is given beside it holds")
    )]
    method: Option<Method>,
    /// By what the next group is chosen; exact is the default
    #[arg(long, value_name = "NAME", value_parser = choice::<Score>(), hide_short_help = true)]
    score: Option<Score>,
    /// How many channels go at a time
    ///
    /// Besides the words below: dynamic:FLOOR (groups of at least FLOOR channels, by default 8), or
    /// fixed:N at a time.
    #[arg(long, value_name = "STEPS", value_parser = suggesting(ChannelSteps::from_str, CHANNEL_STEPS), hide_short_help = true)]
    channels: Option<ChannelSteps>,
    /// Everything as in the SlimGPT paper
    ///
    /// That is grouped-cholesky, dynamic, channel multiple 1, rounding by layer. What is given beside it
    /// holds: --paper --channels dynamic:64 is its published code.
    #[arg(long)]
    paper: bool,
    /// Which activations the next layer is fitted to
    #[arg(long, value_name = "NAME", value_parser = choice::<Propagate>(), default_value = "pruned", hide_short_help = true)]
    propagate: Propagate,
    /// Calibration tokens that the losses in the report are measured on
    #[arg(long, value_name = "WHICH", value_parser = choice::<Measure>(), default_value = "sample", hide_short_help = true)]
    measure: Measure,
    /// Numbers in which activations wait between two passes over the calibration tokens
    #[arg(long, value_name = "TYPE", value_parser = choice::<Elements>(), default_value = "f32", hide_short_help = true)]
    activations: Elements,
    /// Element type of the output; by default the source's
    #[arg(long, value_name = "TYPE", value_parser = choice::<Dtype>())]
    dtype: Option<Dtype>,
    /// What goes from attention as one
    #[arg(long, value_name = "UNIT", value_parser = choice::<HeadUnit>(), default_value = "kv")]
    heads: HeadUnit,
    /// λ in units of the mean of the Hessian's diagonal
    #[arg(long, default_value = "0.01", value_name = "LAMBDA", value_parser = parse::not_negative, allow_negative_numbers = true, hide_short_help = true)]
    damping: f64,
    /// How far what stays is fitted to the dense model's residual stream, from 0 to 1
    ///
    /// 0 fits each layer to what it would have made of its own inputs, as the paper does. Above that it is also to make up
    /// for what the layers before it lost: it costs one more stream of activations.
    #[arg(long, default_value = "0", value_name = "ALPHA", value_parser = parse::share, allow_negative_numbers = true, hide_short_help = true)]
    residual: f64,
    /// Units of each site that may change places with units that stayed, once enough have gone
    ///
    /// Each such swap lowers the error of the layer; there are fewer where no more do. It needs exact, grouped-cholesky or
    /// diagonal scores.
    #[arg(long, default_value = "0", value_name = "N", allow_negative_numbers = true, hide_short_help = true)]
    swaps: usize,
    #[command(flatten)]
    pub knobs: Knobs,
}

/// Stands for a target that a search is yet to find.
const UNKNOWN_RATIO: f64 = 0.01;

const KEPT: &str = "--keep-layers belongs to the search: the sizes of a plan are what they are";

const UNIFORM: &str = "--uniform belongs to the search (`slimgpt search`, or --schedule search): a curve that is the same \
for all layers is --schedule uniform, and one shape that is known already is --shape";

/// The words for steps that need no number.
const CHANNEL_STEPS: [(&str, &str); 2] = [("one-by-one", "the default"), ("dynamic", "in groups of the paper's sizes")];

/// The knobs that one pruning and a comparison of many share.
#[derive(Args, Clone)]
pub struct Knobs {
    /// What is rounded to whole heads and channels
    ///
    /// By default the model, but each layer with --paper and with a list of ratios.
    #[arg(long, value_name = "WHAT", value_parser = choice::<Rounding>(), hide_short_help = true)]
    rounding: Option<Rounding>,
    /// Kept channels are a multiple of N; by default gcd(width, 32) (`compare`: 1)
    ///
    /// 256 is worth it for llama.cpp's k-quants (Q4_K_M …): they cut rows into blocks of 256 and keep 5
    /// to 8 bits instead of 4 to 6 for each weight of a row that leaves a rest.
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, hide_short_help = true)]
    channel_multiple: Option<usize>,
    /// Memory that may be used where the work is done, such as 8G
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = parse::bytes,
        env = variables::MEMORY,
        long_help = format!("Memory that may be used where the work is done, such as 8G\n\n{}", parse::SIZES)
    )]
    memory: Option<u64>,
}

impl Knobs {
    /// A request that says nothing else.
    pub fn request(&self) -> Request {
        let (rounding, channel_multiple) = (self.rounding, self.channel_multiple);
        Request { allocation: Allocation { rounding, channel_multiple, ..Allocation::default() }, ..Request::default() }
    }

    /// What the device and this machine can hold, with activations perhaps on the disk of `folder`.
    pub fn limits(&self, device: &Device, folder: &Path) -> Limits {
        limits(device, folder, self.memory)
    }

    /// `limits` within the memory that was allowed.
    pub fn within(&self, limits: Limits) -> Limits {
        limits.within(self.memory)
    }
}

impl Pruning {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.schedule.argument.file().into_iter().chain(&self.target.times)
    }

    /// The measured times, if a table was given.
    ///
    /// # Errors
    /// When it cannot be read, or is of another model or device.
    pub fn layer_times(&self, config: &ModelConfig, device: &Device) -> Result<Option<LayerTimes>> {
        self.target.layer_times(config, device)
    }

    /// Whether the sizes are to be searched for.
    pub fn is_search(&self) -> bool {
        self.shape.is_none() && matches!(self.schedule.argument, ScheduleArgument::Search)
    }

    /// How much is to go, if that was said.
    ///
    /// # Errors
    /// When it is a number of bytes that no pruning of the model comes to.
    pub fn target(&self, checkpoint: &Checkpoint) -> Result<Option<Target>> {
        let method = self.method.map_or_else(Request::default, |method| method.of(Request::default()));
        self.target.target(checkpoint, &Request { dtype: self.dtype, ..method })
    }

    /// What sizes that are searched for must keep to.
    pub fn bounds(&self) -> Bounds {
        let (keep_layers, channel_multiple) = (self.keep_layers.clone(), self.knobs.channel_multiple);
        let (uniform, whole_sites) = (self.uniform, self.whole_sites);
        Bounds { keep_layers, channel_multiple, uniform, whole_sites, times: None }
    }

    /// What is asked for, with so many calibration windows. Sizes that are still to be searched for are those of the
    /// usual curve: they need as much memory.
    ///
    /// # Errors
    /// When nothing says how much is to go, a window is longer than the model's context, or a plan is of another model.
    pub fn request(&self, size: &CalibrationSize, checkpoint: &Checkpoint, seed: u64) -> Result<Request> {
        if let Some(file) = self.schedule.argument.file() {
            out::detail(format_args!("schedule: {}", file.display()));
        }
        // Refused now and not after a search.
        self.method_takes_sizes()?;
        let config = checkpoint.config();
        if let Some(shape) = self.shape {
            return self.with(size, config, seed, Schedule::Shape(shape), None);
        }
        if self.uniform && !self.is_search() {
            return Err(Usage(UNIFORM.into()).into());
        }
        let target = self.target(checkpoint)?;
        match self.schedule.argument.read()? {
            Scheduled::As(schedule) => self.with(size, config, seed, schedule, target),
            // That nothing says how much goes is told by what makes a plan of it.
            Scheduled::Search if target.is_none() => self.with(size, config, seed, Schedule::default(), None),
            Scheduled::Search => self.towards(target, size, config, seed),
            Scheduled::Found(plan) => {
                // Without weights nothing tells whether it is the model that was searched.
                let model = checkpoint.has_weights().then(|| searched_model(checkpoint)).transpose()?;
                if model.is_some_and(|model| plan.model != model) {
                    let source = plan.source.clone().unwrap_or_else(|| "a model in memory".into());
                    return Err(SearchError::OtherModel(source).into());
                }
                if !self.keep_layers.is_empty() {
                    return Err(Usage(KEPT.into()).into());
                }
                self.found(size, config, seed, plan.found(target)?)
            }
        }
    }

    /// What is asked for where a search is to find the sizes for a target: those of the usual curve meanwhile. A target that
    /// is not known yet is taken to be a small one, by which the work takes the most memory.
    ///
    /// # Errors
    /// When a window is longer than the model's context, the method takes no sizes, or time is asked for without a table.
    pub fn towards(
        &self,
        target: Option<Target>,
        size: &CalibrationSize,
        config: &ModelConfig,
        seed: u64,
    ) -> Result<Request> {
        // Refused now and not after the search.
        self.method_takes_sizes()?;
        let target = match target {
            Some(Target::Time(_)) if self.target.times.is_none() => return Err(TimesError::Missing.into()),
            // How many parameters that will be nobody knows either.
            Some(Target::Time(_)) | None => Target::Ratio(UNKNOWN_RATIO),
            Some(target) => target,
        };
        self.with(size, config, seed, Schedule::default(), Some(target))
    }

    /// What is asked for, with sizes that were searched for.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn found(&self, size: &CalibrationSize, config: &ModelConfig, seed: u64, found: &Found) -> Result<Request> {
        self.method_takes_sizes()?;
        self.with(size, config, seed, Schedule::Shapes(found.layers.clone()), None)
    }

    /// Refuses sizes or a schedule beside a method that shares out by itself how much goes.
    fn method_takes_sizes(&self) -> Result<()> {
        let flag = match self.shape {
            Some(_) => "--shape",
            None if self.schedule.is_typed => "--schedule",
            None => return Ok(()),
        };
        match self.method.filter(|method| method.shares_out()) {
            Some(method) => {
                Err(Usage(format!("--method {method} says itself how much each layer loses; leave {flag} out")).into())
            }
            None => Ok(()),
        }
    }

    fn with(
        &self,
        size: &CalibrationSize,
        config: &ModelConfig,
        seed: u64,
        schedule: Schedule,
        target: Option<Target>,
    ) -> Result<Request> {
        let shared = self.knobs.request();
        // Lists and sizes say by themselves how much goes; a curve only says where.
        if target.is_none() && !schedule.needs_no_target() {
            return Err(PlanError::from(AllocateError::NoTarget).into());
        }
        let allocation = Allocation {
            target,
            schedule,
            first_ratio: self.first_ratio,
            head_ratio: self.head_ratio.clone(),
            channel_ratio: self.channel_ratio.clone(),
            keep_layers: self.keep_layers.clone(),
            whole_sites: self.whole_sites,
            head_unit: self.heads,
            ..shared.allocation
        };
        let asked = Request {
            allocation,
            dtype: self.dtype,
            propagate: self.propagate,
            measure: self.measure,
            activations: self.activations,
            options: Options { damping: self.damping, residual: self.residual, swaps: self.swaps, ..shared.options },
            seed,
            windows: size.samples,
            window_tokens: window_length(size.seq_len, config)?,
            ..shared
        };
        // clap lets only one of --method and --paper through.
        Ok(self.with_what_was_given(match self.method {
            Some(method) => method.of(asked),
            None if self.paper => asked.as_in_the_paper(),
            None => asked,
        }))
    }

    /// What was typed goes before what a preset says.
    fn with_what_was_given(&self, preset: Request) -> Request {
        let allocation = Allocation {
            // Only what a preset sets can be at odds with what was typed; the rest is in the request already.
            rounding: self.knobs.rounding.or(preset.allocation.rounding),
            channel_multiple: self.knobs.channel_multiple.or(preset.allocation.channel_multiple),
            ..preset.allocation
        };
        Request {
            allocation,
            options: Options {
                selection: self.score.map_or(preset.options.selection, Selection::Elimination),
                ..preset.options
            },
            channel_steps: self.channels.unwrap_or(preset.channel_steps),
            ..preset
        }
    }
}
