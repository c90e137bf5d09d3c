//! What it takes, before it is decided where it lies.
//!
//! With N tokens of calibration, B of a batch, hidden width D, q = heads · head_dim, c channels and
//! n = max(q, c):
//!
//! ```text
//! one layer's weights       parameters · 4
//! the solver                3 n² · 4 + 4 D n · 4      H, and two of: H + λI, its factor, H⁻¹, WᵀW; W, W as it was
//!                           + 384 max(n, D) · 4       left, and what is made of them (the CPU: 4 n² and 3 D n); what
//!                                                     removals keep aside
//! activations               N (D + q) · 4             hidden states and attention contexts: on the
//!                                                     device, else in host memory, else on disk; · 2 where they are kept
//!                                                     in half precision, of which a batch is widened
//! kept inner activations    M c · 4                   of the M tokens that are measured, where there is room to spare
//! one batch                 B (3c + 4D + 4q) · 4 + attention's scores; in half precision also (B + D) max(c, q) · 2
//! ```
//!
//! Solving and passing batches through take turns: a GPU holds H and a batch, or the solver. The new o_proj and how
//! far it is from the old one stay there meanwhile, and the new down_proj with what is left of gate and up where H is
//! gone.

use super::bindings::extra_bytes;
use super::{F32, Limits, Request};
use crate::activations::Elements;
use crate::model::{batch_bytes, embedding_bytes, halves_bytes, largest_layer_bytes, widths};
use crate::pipeline::measure::most_tokens;
use crate::shape::ModelConfig;

/// Vectors that elimination keeps aside between two moves of H⁻¹: three kinds for each of 128 removals.
const PAIRS: u64 = 3 * 128;

/// The bytes of each kind.
pub(super) struct Needs {
    pub weights: u64,
    /// What a GPU solves in; at its least, since it frees whatever is used up.
    solver: u64,
    /// What the CPU solves in.
    pub solver_on_cpu: u64,
    /// The larger sum.
    pub sum: u64,
    /// A new o_proj, and a new down_proj, each with its difference from the old one; with down_proj also the rows of gate
    /// and up that it still reads.
    projections: [u64; 2],
    pub activations: u64,
    pub inner: u64,
    pub batch: u64,
    pub outer: u64,
    /// What the caller holds meanwhile.
    pub beside: u64,
    /// Devices that share the batches.
    ranks: u64,
    /// Most of them that share one machine's memory.
    pub here: u64,
    /// Batches of all windows.
    batches: u64,
    /// Inner activations of one batch that a device may keep beyond its share, where only some batches keep theirs.
    uneven: u64,
}

impl Needs {
    /// What a request takes in batches of so many windows, where the caller holds `beside` bytes meanwhile.
    pub fn of(request: &Request, config: &ModelConfig, limits: &Limits, batch_windows: usize, beside: u64) -> Self {
        let (d, q, c) = widths(config);
        let tokens = (request.windows * request.window_tokens) as u64;
        let batch_tokens = (batch_windows.min(request.windows.max(1)) * request.window_tokens) as u64;
        let kept_tokens = most_tokens(request) as u64;
        // There is one Hessian at a time; the wider site's is the larger.
        let n = q.max(c);
        let (embedding, head) = embedding_bytes(config);
        let streams = u64::from(request.options.needs_draw());
        // What is known of units that may come back: at most H's columns twice, and what they would be.
        let swaps = if request.options.swaps > 0 { 3 } else { 0 };
        // What layers are drawn to is two matrices more, and one more stream of hidden states.
        let ranks = limits.ranks.max(1);
        let here = if limits.ranks_here == 0 { ranks } else { limits.ranks_here.min(ranks) };
        let solver = ((3 + swaps) * n * n + (4 + 2 * streams) * d * n + PAIRS * n.max(d)) * F32;
        let halves = if limits.multiplies_halves { halves_bytes(config, batch_tokens) } else { 0 };
        let widened = if request.activations == Elements::F32 { 0 } else { batch_tokens * (d + q) * F32 };
        Self {
            // One layer is on the device at a time.
            weights: largest_layer_bytes(config),
            solver: solver + extra_bytes(config, limits),
            solver_on_cpu: ((4 + swaps) * n * n + (3 + streams) * d * n + PAIRS * n.max(d)) * F32,
            sum: n * n * F32,
            projections: [2 * d * q * F32, 4 * d * c * F32],
            activations: tokens * ((1 + streams) * d + q) * request.activations.bytes(),
            inner: kept_tokens * c * F32,
            batch: batch_bytes(config, batch_tokens) + widened + halves,
            outer: embedding + head,
            beside,
            ranks: ranks as u64,
            here: here as u64,
            batches: request.windows.div_ceil(batch_windows).max(1) as u64,
            uneven: if kept_tokens < tokens { batch_tokens * c * F32 } else { 0 },
        }
    }

    /// What the device with most batches holds of the activations.
    pub fn shared_activations(&self) -> u64 {
        self.shared(self.activations)
    }

    /// What the device with most of the inner activations keeps of them. The batches that keep theirs are at even
    /// distances, so that no share has more than one beyond its part.
    pub fn shared_inner(&self) -> u64 {
        match self.ranks {
            1 => self.inner,
            _ => (self.shared(self.inner) + self.uneven).min(self.inner),
        }
    }

    /// What the devices of one machine hold of the activations.
    pub fn activations_here(&self) -> u64 {
        self.of_a_machine(self.shared_activations(), self.activations)
    }

    /// What the devices of one machine keep of the inner activations.
    pub fn inner_here(&self) -> u64 {
        self.of_a_machine(self.shared_inner(), self.inner)
    }

    /// Of what a device holds `share` and all hold `all`, what those of one machine hold.
    fn of_a_machine(&self, share: u64, all: u64) -> u64 {
        if self.here == self.ranks { all } else { (share * self.here).min(all) }
    }

    /// What the device with most batches holds of anything that all batches have.
    fn shared(&self, bytes: u64) -> u64 {
        match self.ranks {
            1 => bytes,
            ranks => bytes.div_ceil(self.batches) * self.batches.div_ceil(ranks),
        }
    }

    /// What a GPU holds beside the layer's weights and the activations.
    pub fn busy(&self) -> u64 {
        let [new_o, new_down] = self.projections;
        new_o + self.solver.max(self.sum.max(new_down) + self.batch)
    }
}
