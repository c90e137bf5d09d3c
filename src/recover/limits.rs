//! Bytes of a step, counted before any work: how much is kept on the device, and whether it fits.
//!
//! With N tokens of a step, B of a micro-batch, L layers of P parameters, hidden width D, q = heads · head_dim,
//! c channels, V rows of the vocabulary and T numbers that are learnt:
//!
//! ```text
//! layers        P · 4            one, or all where they fit: then none crosses the bus again
//! kept          N D (L + 1) · 4  every layer's input, on the device, the host or the disk; or in place of
//!                                them N times what autodiff keeps of a token in a layer, where that fits too
//! one layer     B (9 D + 8 q + 6 c) · 4 + scores of some heads: what autodiff keeps, and as much again for
//!                                gradients on their way
//! head          V D · 4 + pieces of the logits; twice where it is learnt
//! learnt        T · 4 · 4        values, two moments, gradients; and the values of the best look
//! ```

use serde::{Deserialize, Serialize};

use super::{RecoverError, Settings, Train};
use crate::activations::Placement;
use crate::eval::cost::{multiply_adds, weight_bytes};
use crate::format;
use crate::gradient::{self, Keep};
use crate::model::{SCORE_BYTES, embedding_bytes, largest_layer_bytes, logit_bytes, pieces, widths};
use crate::pipeline::{BATCH_TOKENS, CAUTIOUS_DEVICE_BYTES, Limits, MemoryPart, refuse_unbindable};
use crate::shape::{LayerShape, ModelConfig, Part, Projection};

const F32: u64 = 4;
/// Tokens of a batch on the CPU, where activations that outgrow the caches take longer.
const CPU_TOKENS: usize = 2048;
/// Scores of as many heads as go together: before and after the softmax, and their gradients.
const SCORES: u64 = 4 * SCORE_BYTES as u64;

/// How a recovery uses the memory there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPlan {
    /// Bytes on the device at the worst moment; 0 when the CPU computes.
    pub device_bytes: u64,
    /// Bytes on the host at the worst moment.
    pub host_bytes: u64,
    /// Bytes on disk at the worst moment, state and output not counted.
    pub disk_bytes: u64,
    /// Whether all layers stay where they are computed with.
    pub is_resident: bool,
    /// Where every layer's input waits for the way back; `None` where nothing is computed twice.
    pub inputs: Option<Placement>,
    /// Sequences that go through a layer together.
    pub micro_batch: usize,
    /// How often every layer's weights go to the device in a step.
    pub crossings: usize,
    /// Floating-point operations of a step.
    pub operations: f64,
    /// The lines that the sums are made of.
    pub parts: Vec<MemoryPart>,
}

impl RecoveryPlan {
    /// The same with less on the device, for one that had no room for it: first what waits for the way back goes
    /// elsewhere, which changes no bit, then as many layers as can, then micro-batches are of half as many sequences, which
    /// have other last bits. `None` where all of it is done. The sums stay those of the plan that did not fit.
    pub fn with_less_on_device(&self) -> Option<Self> {
        let less = self.clone();
        match (self.inputs, self.is_resident) {
            (None, _) => {
                let inputs = Some(Placement::Device);
                // What stayed stays; what had to come had to come once.
                Some(Self { inputs, crossings: crossings(self.crossings == 0, inputs), ..less })
            }
            (Some(Placement::Device), _) => Some(Self { inputs: Some(Placement::Host), ..less }),
            (_, true) => Some(Self { is_resident: false, crossings: 2, ..less }),
            _ => self.with_smaller_batches(),
        }
    }

    /// The same in micro-batches of half as many sequences; `None` where it is one.
    pub(super) fn with_smaller_batches(&self) -> Option<Self> {
        let micro_batch = Some(self.micro_batch / 2).filter(|&sequences| sequences > 0)?;
        Some(Self { micro_batch, ..self.clone() })
    }

    /// The same in micro-batches of twice as many sequences; `None` where a step has not so many.
    pub(super) fn with_larger_batches(&self, batch: usize) -> Option<Self> {
        let micro_batch = Some(self.micro_batch * 2).filter(|&sequences| sequences <= batch)?;
        Some(Self { micro_batch, ..self.clone() })
    }

    /// What is kept for the way back.
    pub(super) fn keep(&self) -> Keep {
        self.inputs.map_or(Keep::Graphs, Keep::Inputs)
    }
}

/// The bytes of each kind, before it is decided where they lie.
struct Needs {
    layer: u64,
    layers: u64,
    inputs: u64,
    graphs: u64,
    graph: u64,
    head: u64,
    learnt: u64,
    outer: u64,
    /// Whether every step leaves other weights in the layers, which then cross the bus wherever the old ones lie.
    is_renewed: bool,
}

impl Needs {
    fn of(settings: &Settings, config: &ModelConfig, teacher: Option<&ModelConfig>, micro_batch: usize) -> Self {
        let (d, q, c) = widths(config);
        let (layers, window) = (config.layers.len() as u64, settings.window as u64);
        let (tokens, together) = (settings.batch as u64 * window, micro_batch as u64 * window);
        let of_token = (9 * d + 8 * q + 6 * c) * F32;
        let (embedding, head) = embedding_bytes(config);
        let of_teacher = teacher.map_or(0, |teacher| embedding_bytes(teacher).0);
        let dropped: Vec<u64> = config.layers.iter().map(|layer| dropped(settings, config, *layer)).collect();
        let largest = teacher.map_or(0, largest_layer_bytes).max(largest_layer_bytes(config));
        let learnt = parameters(settings, config) as u64;
        Self {
            layer: largest + gradients_of_a_layer(settings, config),
            layers: weight_bytes(config) - embedding - head,
            inputs: tokens * d * F32 * (layers + 1 + u64::from(teacher.is_some())),
            // Half: gradients on their way are those of one layer at a time.
            graphs: tokens * (of_token * layers / 2 + dropped.iter().sum::<u64>()),
            graph: together * (of_token + dropped.iter().max().unwrap_or(&0)) + SCORES,
            head: (embedding.max(head) + of_teacher) * if settings.train == Train::All { 2 } else { 1 }
                + logit_bytes(config) * if teacher.is_some() { 3 } else { 2 },
            learnt: learnt * F32 * 5,
            outer: embedding + head,
            is_renewed: settings.train == Train::All,
        }
    }
}

/// What dropout keeps of a token in a layer: of the input of every projection with factors its mask, and what that left.
fn dropped(settings: &Settings, config: &ModelConfig, shape: LayerShape) -> u64 {
    if settings.train != Train::Lora || settings.dropout == 0.0 {
        return 0;
    }
    settings
        .targets
        .in_layer(shape)
        .map(|projection| 2 * projection.axes()[1].entries(config, shape) as u64 * F32)
        .sum()
}

/// What is read back of a layer where all its weights are learnt.
fn gradients_of_a_layer(settings: &Settings, config: &ModelConfig) -> u64 {
    if settings.train == Train::All { 2 * largest_layer_bytes(config) } else { 0 }
}

/// How many numbers are learnt.
pub(super) fn parameters(settings: &Settings, config: &ModelConfig) -> usize {
    let of_layers = |count: &dyn Fn(&LayerShape) -> usize| config.layers.iter().map(count).sum::<usize>();
    match settings.train {
        Train::All => config.parameters(),
        Train::Norms => {
            let is_learnt = |part: &Part| !matches!(part, Part::Weight(_));
            let of_layer = |shape: &LayerShape| -> usize {
                config.parts_of(*shape).filter(is_learnt).map(|part| part.elements(config, *shape)).sum()
            };
            of_layers(&of_layer) + config.hidden_size
        }
        Train::Lora => of_layers(&|shape| {
            let ends = |p: Projection| p.axes().map(|axis| axis.entries(config, *shape)).iter().sum::<usize>();
            settings.targets.in_layer(*shape).map(ends).sum::<usize>() * settings.rank
        }),
    }
}

/// Decides where things lie and refuses what does not fit, or cannot be asked for.
///
/// # Errors
/// [`RecoverError::Setting`], [`RecoverError::Binding`], [`RecoverError::Memory`], or of a teacher that reads other tokens.
pub fn plan(
    settings: &Settings,
    config: &ModelConfig,
    teacher: Option<&ModelConfig>,
    limits: &Limits,
) -> Result<RecoveryPlan, RecoverError> {
    check(settings, config)?;
    for learns in std::iter::once(config).chain(teacher) {
        gradient::check(learns)?;
    }
    if let Some(teacher) = teacher.filter(|teacher| teacher.vocab_size != config.vocab_size) {
        return Err(RecoverError::OtherTeacher { teacher: teacher.vocab_size, student: config.vocab_size });
    }
    refuse_unbindable(gradients_in_one_piece(settings, config), limits)?;
    let wanted = if limits.is_gpu { BATCH_TOKENS } else { CPU_TOKENS } / settings.window.max(1);
    let mut micro_batch = settings.micro_batch.unwrap_or(wanted).clamp(1, settings.batch);
    let of = |micro_batch| placed(limits, &Needs::of(settings, config, teacher, micro_batch), micro_batch);
    let mut plan = of(micro_batch);
    let is_over =
        |plan: &RecoveryPlan| limits.is_gpu && limits.device_bytes.is_some_and(|most| plan.device_bytes > most);
    // Fewer sequences together are slower, and many more models can be trained so.
    while settings.micro_batch.is_none() && micro_batch > 1 && is_over(&plan) {
        micro_batch /= 2;
        plan = of(micro_batch);
    }
    // A token attends to half of its window on the average.
    let teacher_cost = teacher.map_or(0, |teacher| multiply_adds(teacher, settings.window / 2).total());
    let once = multiply_adds(config, settings.window / 2).total();
    // Back costs twice what forward does, and where inputs are kept forward is computed twice.
    let passes = if plan.inputs.is_some() { 4 } else { 3 };
    let tokens = (settings.batch * settings.window) as f64;
    let operations = 2.0 * tokens * (once * passes + teacher_cost) as f64;
    within(limits, RecoveryPlan { operations, ..plan })
}

/// Weights, embedding and head are in blocks; their gradients, where all is learnt, are not.
fn gradients_in_one_piece(settings: &Settings, config: &ModelConfig) -> impl Iterator<Item = (String, u64)> {
    let head = (config.vocab_size * config.hidden_size) as u64 * F32;
    let all = std::iter::once(("the output head".to_owned(), head)).chain(pieces(config));
    let are_made = settings.train == Train::All;
    all.filter(move |_| are_made).map(|(what, bytes)| (format!("the gradient of {what}"), bytes))
}

/// As much on the device as fits: first the layers, then what autodiff needs.
fn placed(limits: &Limits, needs: &Needs, micro_batch: usize) -> RecoveryPlan {
    let budget = match limits.is_gpu {
        true => limits.device_bytes.unwrap_or(CAUTIOUS_DEVICE_BYTES),
        // What could be computed twice may take only what leaves half of the memory alone.
        false => limits.host_bytes.unwrap_or(CAUTIOUS_DEVICE_BYTES) / 2,
    };
    let device = if limits.is_gpu { Placement::Device } else { Placement::Host };
    // Where the CPU computes there is one memory, in which what the host keeps lies too.
    let fixed = needs.head + needs.graph + if limits.is_gpu { 0 } else { needs.outer + needs.learnt };
    let all_layers = needs.layers + needs.layer;
    let is_resident = fixed + all_layers + needs.inputs <= budget;
    let layers = if is_resident { all_layers } else { needs.layer };
    let keeps_graphs = is_resident && fixed + layers + needs.graphs <= budget;
    let inputs = match () {
        () if keeps_graphs => None,
        () if fixed + layers + needs.inputs <= budget => Some(Placement::Device),
        // The disk is slow, so it is used only where the inputs are known not to fit the host.
        () => {
            let on_host = needs.inputs + needs.outer + needs.learnt + 2 * needs.layer;
            let fits = limits.host_bytes.is_none_or(|host| on_host <= host);
            Some(if fits || limits.disk_bytes.is_none() { Placement::Host } else { Placement::Disk })
        }
    };
    let part = |what: &str, place, bytes| MemoryPart { what: what.into(), place, bytes };
    let on = |place| if place == Placement::Device { device } else { place };
    let kept = match inputs {
        None => part("what autodiff needs of all layers", device, needs.graphs),
        Some(place) => part("every layer's input", on(place), needs.inputs),
    };
    let parts = vec![
        part(if is_resident { "all layers" } else { "one layer" }, device, layers),
        part("one layer forward and back", device, needs.graph),
        part("the head and its logits", device, needs.head),
        kept,
        part("what is learnt, its moments and gradients", Placement::Host, needs.learnt),
        part("embeddings, and a layer as it is read", Placement::Host, needs.outer + 2 * needs.layer),
    ];
    let sum = |place| parts.iter().filter(|p| p.place == place).map(|p| p.bytes).sum();
    RecoveryPlan {
        device_bytes: sum(Placement::Device),
        host_bytes: sum(Placement::Host),
        disk_bytes: sum(Placement::Disk),
        is_resident,
        inputs,
        micro_batch,
        crossings: crossings(is_resident && !needs.is_renewed, inputs),
        operations: 0.0,
        parts,
    }
}

/// How often a layer's weights go to the device in a step.
fn crossings(stays: bool, inputs: Option<Placement>) -> usize {
    match (stays, inputs) {
        (true, _) => 0,
        (false, None) => 1,
        // It is needed again on the way back.
        (false, Some(_)) => 2,
    }
}

fn within(limits: &Limits, plan: RecoveryPlan) -> Result<RecoveryPlan, RecoverError> {
    let sums = [
        ("on the device", Placement::Device, plan.device_bytes, limits.device_bytes.filter(|_| limits.is_gpu)),
        ("in the host's memory", Placement::Host, plan.host_bytes, limits.host_bytes),
        ("on the output's disk", Placement::Disk, plan.disk_bytes, limits.disk_bytes),
    ];
    for (name, place, needed, budget) in sums {
        if let Some(budget) = budget.filter(|&budget| needed > budget) {
            let own = plan.parts.iter().filter(|part| part.place == place);
            let parts =
                own.map(|part| format!("{} {}", part.what, format::bytes(part.bytes))).collect::<Vec<_>>().join(" + ");
            return Err(RecoverError::Memory { place: name, needed, budget, parts });
        }
    }
    Ok(plan)
}

/// Refuses settings that mean nothing.
fn check(settings: &Settings, config: &ModelConfig) -> Result<(), RecoverError> {
    let refuse = |what, value: String, wanted: String| Err(RecoverError::Setting { what, value, wanted });
    // At 1 nothing would be left, and what is left is divided by 1 − share.
    let share = |value: f64| (0.0..1.0).contains(&value);
    match settings {
        Settings { window, .. } if *window < 2 || *window > config.max_positions => {
            let wanted = format!("it must be from 2 to the model's context of {}", config.max_positions);
            refuse("the length of a sequence", window.to_string(), wanted)
        }
        Settings { rank: 0, .. } => refuse("the rank", "0".into(), "1 is the least".into()),
        Settings { batch: 0, .. } => refuse("the batch", "0".into(), "1 is the least".into()),
        Settings { dropout, .. } if !share(*dropout) => {
            refuse("the dropout", dropout.to_string(), "it must be at least 0 and below 1".into())
        }
        Settings { rate, .. } if !(rate.is_finite() && *rate > 0.0) => {
            refuse("the learning rate", rate.to_string(), "it must be above 0".into())
        }
        Settings { temperature, .. } if !(temperature.is_finite() && *temperature > 0.0) => {
            refuse("the temperature", temperature.to_string(), "it must be above 0".into())
        }
        Settings { teacher, .. } if !(0.0..=1.0).contains(teacher) => {
            refuse("the teacher's share", teacher.to_string(), "it must be from 0 to 1".into())
        }
        // Infinity is a length that nothing exceeds, so it may be asked for.
        Settings { clip, .. } if clip.is_nan() || *clip <= 0.0 => {
            refuse("the longest gradient", clip.to_string(), "it must be above 0".into())
        }
        _ => Ok(()),
    }
}
