//! The same work for every block on all cores; a page has one.

/// Fewest blocks that are worth handing to another core.
#[cfg(not(target_arch = "wasm32"))]
const SHARE: usize = 64;

/// Calls `work` with every whole block of `from` and its place in `to`: the first block, counted
/// from 0, that it refuses.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn blocks<A: Sync, B: Send>(
    from: &[A],
    inputs: usize,
    to: &mut [B],
    outputs: usize,
    work: impl Fn(&[A], &mut [B]) -> bool + Send + Sync,
) -> Option<usize> {
    use rayon::prelude::*;
    let both = from.par_chunks_exact(inputs).zip(to.par_chunks_exact_mut(outputs));
    // The least number, because which is refused first depends on the cores.
    both.with_min_len(SHARE).enumerate().filter_map(|(i, (a, b))| (!work(a, b)).then_some(i)).min()
}

/// Calls `work` with every whole block of `from` and its place in `to`: the first block, counted
/// from 0, that it refuses.
#[cfg(target_arch = "wasm32")]
pub(super) fn blocks<A, B>(
    from: &[A],
    inputs: usize,
    to: &mut [B],
    outputs: usize,
    work: impl Fn(&[A], &mut [B]) -> bool,
) -> Option<usize> {
    let both = from.chunks_exact(inputs).zip(to.chunks_exact_mut(outputs));
    both.enumerate().filter_map(|(i, (a, b))| (!work(a, b)).then_some(i)).min()
}
