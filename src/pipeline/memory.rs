//! Bytes, counted before any work: what lies on the device, what on the host, and whether it fits.
//!
//! With N tokens of calibration, B of a batch, hidden width D, q = heads · head_dim, c channels and
//! n = max(q, c):
//!
//! ```text
//! one layer's weights       parameters · 4
//! the solver                3 n² · 4 + 4 D n · 4      H, and two of: H + λI, its factor, H⁻¹; W, W as it was left,
//!                                                     and what is made of them (the CPU: 4 n² and 3 D n)
//! activations               N (D + q) · 4             hidden states and attention contexts: on the
//!                                                     device, else in host memory, else on disk
//! kept inner activations    N c · 4                   only where there is room to spare
//! one batch                 B (3c + 4D + 4q) · 4 + attention's scores
//! ```
//!
//! Solving and passing batches through take turns: a GPU holds H and a batch, or the solver. The new o_proj and how
//! far it is from the old one stay there meanwhile, and the new down_proj where H is gone.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Request;
use crate::activations::Placement;
use crate::allocate::{LayerPlan, Schedule};
use crate::device::{Device, room};
use crate::format;
use crate::model::{batch_bytes, embedding_bytes, largest_layer_bytes, widths};
use crate::shape::ModelConfig;

mod error;

pub use error::{MemoryError, WouldFit};

const F32: u64 = 4;
/// The line of the plan that may lie anywhere.
const ACTIVATIONS: &str = "activations";
/// The line of what only a search holds.
const BESIDE: &str = "what a search holds beside";
/// A batch has about this many tokens: enough for matrix products to be efficient.
pub const BATCH_TOKENS: usize = 4096;
/// Without a stated or known budget a GPU keeps the activations only up to this size.
pub const CAUTIOUS_DEVICE_BYTES: u64 = 4 << 30;

/// What the device and the machine can hold. Unknown numbers are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whether the device has memory of its own, apart from the host's.
    pub is_gpu: bool,
    /// The largest buffer a kernel can bind, in bytes.
    pub max_binding_bytes: Option<u64>,
    /// Memory of the device that may be used, where it can be asked for.
    pub device_bytes: Option<u64>,
    /// Memory of the host that may be used.
    pub host_bytes: Option<u64>,
    /// Room on the disk that the output goes to; `None` where activations cannot go to a disk.
    pub disk_bytes: Option<u64>,
}

impl Limits {
    /// What `device` and this machine can hold now. Activations may go to the disk of `out`, if a
    /// folder is made at all.
    pub fn of(device: &Device, out: Option<&Path>) -> Self {
        Self {
            is_gpu: device.is_gpu(),
            max_binding_bytes: device.max_binding_bytes(),
            device_bytes: device.usable_bytes(),
            host_bytes: room::host_bytes(),
            disk_bytes: out.and_then(room::disk_bytes),
        }
    }

    /// The same with `bytes`, if given, as all that may be used where the work is done: the memory of
    /// a GPU, or the host's where the CPU computes.
    pub fn within(self, bytes: Option<u64>) -> Self {
        match self.is_gpu {
            true => Self { device_bytes: bytes.or(self.device_bytes), ..self },
            false => Self { host_bytes: bytes.or(self.host_bytes), ..self },
        }
    }
}

/// One line of the memory plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPart {
    /// What the bytes are for.
    pub what: String,
    /// The memory they lie in.
    pub place: Placement,
    /// Their number at the worst moment.
    pub bytes: u64,
}

/// Where everything lies, and how much it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// Bytes on the device at the worst moment; 0 when the CPU computes.
    pub device_bytes: u64,
    /// Bytes on the host at the worst moment.
    pub host_bytes: u64,
    /// Bytes on disk at the worst moment, the output not counted.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Where the activations lie between the layers.
    pub activations: Placement,
    /// Whether the feed-forward's inner activations are kept instead of computed twice.
    pub keep_inner: bool,
    /// Windows that run together.
    pub batch_windows: usize,
    /// All that may be used where the work is done, where it is known: a training that chooses keeps within it too.
    #[serde(skip)]
    pub allowed_bytes: Option<u64>,
    /// The lines that the sums are made of.
    pub parts: Vec<MemoryPart>,
}

/// The bytes of each kind, before it is decided where they lie.
struct Needs {
    weights: u64,
    /// What a GPU solves in; at its least, since it frees whatever is used up.
    solver: u64,
    /// What the CPU solves in.
    solver_on_cpu: u64,
    /// The larger sum.
    sum: u64,
    /// A new o_proj, and a new down_proj, each with its difference from the old one.
    projections: [u64; 2],
    activations: u64,
    inner: u64,
    batch: u64,
    outer: u64,
    /// What the caller holds meanwhile.
    beside: u64,
}

impl Needs {
    /// What a GPU holds beside the layer's weights and the activations.
    fn busy(&self) -> u64 {
        let [new_o, new_down] = self.projections;
        new_o + self.solver.max(self.sum.max(new_down) + self.batch)
    }
}

/// Decides where things lie, where the caller holds `beside` bytes meanwhile, and refuses what does not fit.
pub(super) fn plan(
    request: &Request,
    config: &ModelConfig,
    layers: &[LayerPlan],
    limits: &Limits,
    beside: u64,
) -> Result<MemoryPlan, MemoryError> {
    // Only a GPU binds buffers; the CPU takes any matrix that memory holds.
    if let Some(limit) = limits.max_binding_bytes.filter(|_| limits.is_gpu) {
        // Where sizes follow from the text any site may lose something.
        let loses = |removed: usize| removed > 0 || request.allocation.schedule == Schedule::Scores;
        refuse_large_matrices(config, layers, limit, loses)?;
    }
    let batch_windows = batch_windows(request, config, limits)?;
    let needs = Needs { beside, ..Needs::of(request, config, batch_windows) };
    let plan = if limits.is_gpu { on_gpu(limits, &needs) } else { on_cpu(limits, &needs) };
    let allowed_bytes = if limits.is_gpu { limits.device_bytes } else { limits.host_bytes };
    let plan = MemoryPlan { batch_windows, allowed_bytes, ..plan };
    refuse_beyond_budget(request, limits, &needs, plan)
}

impl Needs {
    fn of(request: &Request, config: &ModelConfig, batch_windows: usize) -> Self {
        let (d, q, c) = widths(config);
        let tokens = (request.windows * request.window_tokens) as u64;
        let batch_tokens = (batch_windows.min(request.windows.max(1)) * request.window_tokens) as u64;
        // There is one Hessian at a time; the wider site's is the larger.
        let n = q.max(c);
        let (embedding, head) = embedding_bytes(config);
        let streams = u64::from(request.options.needs_draw());
        // What is known of units that may come back: at most H's columns twice, and what they would be.
        let swaps = if request.options.swaps > 0 { 3 } else { 0 };
        Self {
            // One layer is on the device at a time.
            weights: largest_layer_bytes(config),
            // What layers are drawn to is two matrices more, and one more stream of hidden states.
            solver: ((3 + swaps) * n * n + (4 + 2 * streams) * d * n) * F32,
            solver_on_cpu: ((4 + swaps) * n * n + (3 + streams) * d * n) * F32,
            sum: n * n * F32,
            projections: [2 * d * q * F32, 2 * d * c * F32],
            activations: tokens * ((1 + streams) * d + q) * F32,
            inner: tokens * c * F32,
            batch: batch_bytes(config, batch_tokens),
            outer: embedding + head,
            beside: 0,
        }
    }
}

fn refuse_large_matrices(
    config: &ModelConfig,
    layers: &[LayerPlan],
    limit: u64,
    loses: impl Fn(usize) -> bool,
) -> Result<(), MemoryError> {
    let d = config.hidden_size;
    let too_large = layers.iter().enumerate().find_map(|(layer, plan)| {
        let (q, c) = (plan.before.heads * config.head_dim, plan.before.channels);
        // A site that loses nothing needs no Hessian.
        let square = |removed: usize, n: usize| if loses(removed) { n } else { 0 };
        [
            ("the Hessian of o_proj", square(plan.head_units_removed(), q), q),
            ("the Hessian of down_proj", square(plan.channels_removed(), c), c),
            ("the weight of o_proj", d, q),
            ("the weight of down_proj", d, c),
        ]
        .into_iter()
        .map(|(what, rows, columns)| (layer, what, (rows * columns) as u64 * F32))
        .find(|&(_, _, bytes)| bytes > limit)
    });
    match too_large {
        Some((layer, what, bytes)) => Err(MemoryError::Binding { layer, what: what.into(), bytes, limit }),
        None => Ok(()),
    }
}

/// As many windows as make a good batch, and as the device can bind.
fn batch_windows(request: &Request, config: &ModelConfig, limits: &Limits) -> Result<usize, MemoryError> {
    let (d, q, c) = widths(config);
    let tokens = request.window_tokens.max(1);
    // A window is never cut: its last token attends to its first.
    let wanted = (BATCH_TOKENS / tokens).max(1);
    let Some(limit) = limits.max_binding_bytes.filter(|_| limits.is_gpu) else { return Ok(wanted) };
    // Every activation is a buffer of its own, so the widest one decides.
    let token_bytes = d.max(q).max(c) * F32;
    let bytes = tokens as u64 * token_bytes;
    match limit / bytes {
        0 => Err(MemoryError::Window { tokens, bytes, limit, fitting: limit / token_bytes }),
        bindable => Ok(wanted.min(bindable as usize)),
    }
}

/// Activations stay on the device while the budget allows, inner ones last.
fn on_gpu(limits: &Limits, needs: &Needs) -> MemoryPlan {
    let budget = limits.device_bytes.unwrap_or(CAUTIOUS_DEVICE_BYTES);
    let working = needs.weights + needs.busy() + needs.beside;
    // Twice: the layer as it was read, and what is left of it until it is stored.
    let on_host = 2 * needs.weights + needs.outer;
    let place = match working + needs.activations <= budget {
        true => Placement::Device,
        false => host_or_disk(limits, limits.host_bytes, on_host, needs),
    };
    // Where the activations did not fit there is no room to spare.
    let keep_inner = place == Placement::Device && working + needs.activations + needs.inner <= budget;
    summed(
        vec![
            part("one layer's weights", Placement::Device, needs.weights),
            part("Hessian with its inverse, or with one batch", Placement::Device, needs.busy()),
            part(BESIDE, Placement::Device, needs.beside),
            part(ACTIVATIONS, place, needs.activations + if keep_inner { needs.inner } else { 0 }),
            part("a layer's weights, read and cut", Placement::Host, 2 * needs.weights),
            part("embeddings", Placement::Host, needs.outer),
        ],
        place,
        keep_inner,
    )
}

/// On the CPU everything is on the host, whatever computes.
fn on_cpu(limits: &Limits, needs: &Needs) -> MemoryPlan {
    let budget = limits.host_bytes;
    // Three times: as it was read, what is left of it, and the tensors that run.
    let fixed = 3 * needs.weights + needs.solver_on_cpu + needs.batch + needs.outer + needs.beside;
    let place = host_or_disk(limits, budget, fixed, needs);
    let keep_inner =
        // They can be computed twice, so they may take only what leaves half of the memory alone.
        place == Placement::Host && budget.is_some_and(|b| fixed + needs.activations + needs.inner <= b / 2);
    summed(
        vec![
            part("one layer's weights, read, cut and running", Placement::Host, 3 * needs.weights),
            part("Hessian, its inverse and their workspace", Placement::Host, needs.solver_on_cpu),
            part("one batch", Placement::Host, needs.batch),
            part(BESIDE, Placement::Host, needs.beside),
            part(ACTIVATIONS, place, needs.activations + if keep_inner { needs.inner } else { 0 }),
            part("embeddings", Placement::Host, needs.outer),
        ],
        place,
        keep_inner,
    )
}

/// The disk is slow, so it is used only where the activations, beside the `fixed` bytes of
/// everything else, are known not to fit the host.
fn host_or_disk(limits: &Limits, host: Option<u64>, fixed: u64, needs: &Needs) -> Placement {
    // An unknown budget refuses nothing.
    let fits = host.is_none_or(|budget| fixed + needs.activations <= budget);
    if fits || limits.disk_bytes.is_none() { Placement::Host } else { Placement::Disk }
}

fn part(what: &str, place: Placement, bytes: u64) -> MemoryPart {
    MemoryPart { what: what.into(), place, bytes }
}

fn summed(mut parts: Vec<MemoryPart>, activations: Placement, keep_inner: bool) -> MemoryPlan {
    // A pruning by itself has nothing beside it.
    parts.retain(|part| part.bytes > 0 || part.what != BESIDE);
    let sum = |place| parts.iter().filter(|p| p.place == place).map(|p| p.bytes).sum();
    let (device_bytes, host_bytes, disk_bytes) = (sum(Placement::Device), sum(Placement::Host), sum(Placement::Disk));
    let (batch_windows, allowed_bytes) = (1, None);
    MemoryPlan { device_bytes, host_bytes, disk_bytes, activations, keep_inner, batch_windows, allowed_bytes, parts }
}

fn refuse_beyond_budget(
    request: &Request,
    limits: &Limits,
    needs: &Needs,
    plan: MemoryPlan,
) -> Result<MemoryPlan, MemoryError> {
    if let Some(budget) = limits.device_bytes.filter(|&b| limits.is_gpu && plan.device_bytes > b) {
        return Err(MemoryError::Device { needed: plan.device_bytes, budget, parts: plan.list(Placement::Device) });
    }
    if let Some(budget) = limits.host_bytes.filter(|&b| plan.host_bytes > b) {
        let would_fit = what_fits_the_host(request, needs, &plan, budget);
        return Err(MemoryError::Host {
            needed: plan.host_bytes,
            budget,
            parts: plan.list(Placement::Host),
            would_fit,
        });
    }
    if let Some(budget) = limits.disk_bytes.filter(|&b| plan.disk_bytes > b) {
        let would_fit = windows_within(request, needs, budget);
        return Err(MemoryError::Disk { needed: plan.disk_bytes, budget, would_fit });
    }
    Ok(plan)
}

fn what_fits_the_host(request: &Request, needs: &Needs, plan: &MemoryPlan, budget: u64) -> WouldFit {
    let on_host = if plan.activations == Placement::Host { needs.activations } else { 0 };
    let fixed = plan.host_bytes.saturating_sub(on_host);
    match budget.checked_sub(fixed) {
        Some(room) if on_host > 0 => windows_within(request, needs, room),
        _ => WouldFit::Nothing { fixed },
    }
}

/// So many windows that their activations take at most `room` bytes.
fn windows_within(request: &Request, needs: &Needs, room: u64) -> WouldFit {
    let per_window = (needs.activations / request.windows.max(1) as u64).max(1);
    match room / per_window {
        0 => WouldFit::NoWindow { tokens: request.window_tokens, bytes: per_window },
        windows => WouldFit::Windows(windows),
    }
}

impl MemoryPlan {
    /// The same with the device's activations in the host's memory; `None` where they are not on the device.
    pub(super) fn with_activations_off_device(&self) -> Option<Self> {
        let moved = |part: &MemoryPart| match part.what.as_str() {
            ACTIVATIONS => MemoryPart { place: Placement::Host, ..part.clone() },
            _ => part.clone(),
        };
        (self.activations == Placement::Device).then(|| Self {
            batch_windows: self.batch_windows,
            // Where the activations did not fit there is no room to spare.
            ..summed(self.parts.iter().map(moved).collect(), Placement::Host, false)
        })
    }

    /// "activations 1.2 GiB + one batch …", the parts of one place.
    fn list(&self, place: Placement) -> String {
        let parts = self.parts.iter().filter(|p| p.place == place);
        parts.map(|p| format!("{} {}", p.what, format::bytes(p.bytes))).collect::<Vec<_>>().join(" + ")
    }
}
