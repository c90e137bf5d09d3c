//! Bytes, counted before any work: where everything lies, and whether it fits.
//!
//! Of several devices that share the windows each holds its share of the activations and all the rest; a machine holds
//! what all of its own need of it.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::activations::Placement;
use crate::allocate::LayerPlan;
use crate::format;
use crate::model::{pieces, widths};
use crate::shape::ModelConfig;

mod bindings;
mod error;
mod limits;
mod needs;

use bindings::of_solver;
pub use bindings::refuse_unbindable;
pub use error::{MemoryError, WouldFit};
pub use limits::Limits;
use needs::Needs;

const F32: u64 = 4;
/// The line of the plan that may lie anywhere.
const ACTIVATIONS: &str = "activations";
/// The line of what only a search holds.
const BESIDE: &str = "what a search holds beside";
/// A batch has about this many tokens: enough for matrix products to be efficient.
pub const BATCH_TOKENS: usize = 4096;
/// Without a stated or known budget a GPU keeps the activations only up to this size.
pub const CAUTIOUS_DEVICE_BYTES: u64 = 4 << 30;

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

/// Decides where things lie, where the caller holds `beside` bytes meanwhile, and refuses what does not fit.
pub(super) fn plan(
    request: &Request,
    config: &ModelConfig,
    layers: &[LayerPlan],
    limits: &Limits,
    beside: u64,
) -> Result<MemoryPlan, MemoryError> {
    refuse_unbindable(pieces(config).chain(of_solver(request, config, layers)), limits)?;
    let batch_windows = batch_windows(request, config, limits)?;
    let needs = Needs::of(request, config, limits, batch_windows, beside);
    let plan = if limits.is_gpu { on_gpu(limits, &needs) } else { on_cpu(limits, &needs) };
    let allowed_bytes = if limits.is_gpu { limits.device_bytes } else { limits.host_bytes };
    let plan = MemoryPlan { batch_windows, allowed_bytes, ..plan };
    refuse_beyond_budget(request, limits, &needs, plan)
}

/// As many windows as make a good batch, and as the device can bind.
fn batch_windows(request: &Request, config: &ModelConfig, limits: &Limits) -> Result<usize, MemoryError> {
    let (d, q, c) = widths(config);
    let tokens = request.window_tokens.max(1);
    // A window is never cut: its last token attends to its first.
    let wanted = (BATCH_TOKENS / tokens).max(1);
    let wanted = match limits.ranks.max(1) {
        1 => wanted,
        // As many batches as there are devices, if there are as many windows.
        ranks => wanted.min(request.windows.div_ceil(ranks)).max(1),
    };
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
    // Three times: the layer as it was read, what is left of it, and the next, which is read meanwhile. Each device reads
    // for itself. While the one before is written, which one device does, there are what is left of it and its file.
    let (weights, outer) = ((needs.here * 3 + 1) * needs.weights, needs.here * needs.outer);
    let (activations, inner) = (needs.shared_activations(), needs.shared_inner());
    let place = match working + activations <= budget {
        true => Placement::Device,
        false => host_or_disk(limits, limits.host_bytes, weights + outer, needs),
    };
    // Where the activations did not fit there is no room to spare.
    let keep_inner = place == Placement::Device && working + activations + inner <= budget;
    // Those of all devices of a machine come together where they leave their own, and on a disk those of all machines.
    let activations = match place {
        Placement::Device => activations,
        Placement::Host => needs.activations_here(),
        Placement::Disk => needs.activations,
    };
    summed(
        vec![
            part("one layer's weights", Placement::Device, needs.weights),
            part("Hessian with its inverse, or with one batch", Placement::Device, needs.busy()),
            part(BESIDE, Placement::Device, needs.beside),
            part(ACTIVATIONS, place, activations + if keep_inner { inner } else { 0 }),
            part("a layer's weights, read and cut, the next, and the one before", Placement::Host, weights),
            part("embeddings", Placement::Host, outer),
        ],
        place,
        keep_inner,
    )
}

/// On the CPU everything is on the host, whatever computes.
fn on_cpu(limits: &Limits, needs: &Needs) -> MemoryPlan {
    let budget = limits.host_bytes;
    let ranks = needs.here;
    // Four times: as it was read, what is left of it, the tensors that run, and the next, which is read meanwhile; and once
    // more for the one before, as on a GPU.
    let (weights, batch, outer) = ((ranks * 4 + 1) * needs.weights, ranks * needs.batch, ranks * needs.outer);
    // One solves; the others have a sum.
    let solver = needs.solver_on_cpu + (ranks - 1) * needs.sum;
    let fixed = weights + solver + batch + outer + needs.beside;
    let place = host_or_disk(limits, budget, fixed, needs);
    let keep_inner =
        // They can be computed twice, so they may take only what leaves half of the memory alone.
        place == Placement::Host
            && budget.is_some_and(|b| fixed + needs.activations_here() + needs.inner_here() <= b / 2);
    let activations = if place == Placement::Disk { needs.activations } else { needs.activations_here() };
    summed(
        vec![
            part("one layer's weights, read, cut and running, the next, and the one before", Placement::Host, weights),
            part("Hessian, its inverse and their workspace", Placement::Host, solver),
            part("one batch", Placement::Host, batch),
            part(BESIDE, Placement::Host, needs.beside),
            part(ACTIVATIONS, place, activations + if keep_inner { needs.inner_here() } else { 0 }),
            part("embeddings", Placement::Host, outer),
        ],
        place,
        keep_inner,
    )
}

/// The disk is slow, so it is used only where the activations, beside the `fixed` bytes of
/// everything else, are known not to fit the host.
fn host_or_disk(limits: &Limits, host: Option<u64>, fixed: u64, needs: &Needs) -> Placement {
    // An unknown budget refuses nothing.
    let fits = host.is_none_or(|budget| fixed + needs.activations_here() <= budget);
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
        let would_fit = windows_within(request, needs.activations, budget);
        return Err(MemoryError::Disk { needed: plan.disk_bytes, budget, would_fit });
    }
    Ok(plan)
}

fn what_fits_the_host(request: &Request, needs: &Needs, plan: &MemoryPlan, budget: u64) -> WouldFit {
    let on_host = if plan.activations == Placement::Host { needs.activations_here() } else { 0 };
    let fixed = plan.host_bytes.saturating_sub(on_host);
    match budget.checked_sub(fixed) {
        Some(room) if on_host > 0 => windows_within(request, on_host, room),
        _ => WouldFit::Nothing { fixed },
    }
}

/// So many windows that their activations, which take so many bytes for all, take at most `room` bytes.
fn windows_within(request: &Request, activations: u64, room: u64) -> WouldFit {
    let per_window = (activations / request.windows.max(1) as u64).max(1);
    match room / per_window {
        0 => WouldFit::NoWindow { tokens: request.window_tokens, bytes: per_window },
        windows => WouldFit::Windows(windows),
    }
}

impl MemoryPlan {
    /// The same with the activations of so many devices in the host's memory; `None` where they are not on a device.
    pub(super) fn with_activations_off_device(&self, ranks: usize) -> Option<Self> {
        let moved = |part: &MemoryPart| match part.what.as_str() {
            ACTIVATIONS => MemoryPart { place: Placement::Host, bytes: part.bytes * ranks as u64, ..part.clone() },
            _ => part.clone(),
        };
        (self.activations == Placement::Device).then(|| Self {
            batch_windows: self.batch_windows,
            allowed_bytes: self.allowed_bytes,
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
