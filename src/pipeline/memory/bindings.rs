//! What a device has to bind in one piece, and what it costs that larger matrices are in blocks.

use super::{F32, Limits, MemoryError, Request};
use crate::allocate::{LayerPlan, Schedule};
use crate::device::panels::{TOGETHER_BYTES, least_bytes};
use crate::model::widths;
use crate::shape::{ModelConfig, Site};

/// Refuses the first of these matrices that has more bytes than the device binds.
///
/// # Errors
/// [`MemoryError::Binding`].
pub fn refuse_unbindable(
    matrices: impl IntoIterator<Item = (String, u64)>,
    limits: &Limits,
) -> Result<(), MemoryError> {
    // Only a GPU binds buffers; the CPU takes any matrix that memory holds.
    let Some(limit) = limits.max_binding_bytes.filter(|_| limits.is_gpu) else { return Ok(()) };
    match matrices.into_iter().find(|(_, bytes)| *bytes > limit) {
        Some((what, bytes)) => Err(MemoryError::Binding { what, bytes, limit }),
        None => Ok(()),
    }
}

/// What is bound in one piece where a site is solved. H and its inverse are in blocks of rows.
pub(super) fn of_solver(
    request: &Request,
    config: &ModelConfig,
    layers: &[LayerPlan],
) -> impl Iterator<Item = (String, u64)> {
    // Where sizes follow from the text any site may lose something; of a site that loses nothing there is no Hessian.
    let is_open = request.allocation.schedule == Schedule::Scores;
    let swaps = request.options.swaps > 0;
    let of_site = move |layer: usize, plan: LayerPlan, site: Site| {
        let (name, removed, n) = match site {
            Site::Heads => {
                let [gone, all] = [plan.before.heads - plan.after.heads, plan.before.heads];
                ("o_proj", gone * config.head_dim, all * config.head_dim)
            }
            Site::Channels => ("down_proj", plan.channels_removed(), plan.before.channels),
        };
        let block = if removed > 0 || is_open { least_bytes(n).min((n * n) as u64 * F32) } else { 0 };
        // All that is gone is held against what stays. To a site that has gone as a whole nothing comes back.
        let back = if swaps && plan.after.has(site) { (removed * n) as u64 * F32 } else { 0 };
        [
            (format!("a block of the Hessian of {name} of layer {layer}"), block),
            (format!("what may come back to {name} of layer {layer}"), back),
        ]
    };
    let of_layer = move |(layer, &plan): (usize, &LayerPlan)| {
        [Site::Heads, Site::Channels].into_iter().flat_map(move |site| of_site(layer, plan, site))
    };
    layers.iter().enumerate().flat_map(of_layer)
}

/// Bytes that solving takes beside its matrices where one of H's size is in blocks.
pub(super) fn extra_bytes(config: &ModelConfig, limits: &Limits) -> u64 {
    let (_, q, c) = widths(config);
    let square = q.max(c).pow(2) * F32;
    let is_cut = limits.is_gpu && limits.max_binding_bytes.is_some_and(|limit| square > limit);
    // Columns of all blocks, as slices and in one piece.
    if is_cut { 2 * TOGETHER_BYTES as u64 } else { 0 }
}
