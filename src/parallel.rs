//! The same work for several things on all cores; a page has one.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use on_all::{blocks, map};
#[cfg(target_arch = "wasm32")]
pub(crate) use on_one::{blocks, map};

#[cfg(not(target_arch = "wasm32"))]
mod on_all {
    use rayon::prelude::*;

    /// Fewest blocks that are worth handing to another core.
    const SHARE: usize = 64;

    /// What `work` makes of each, in their order.
    pub(crate) fn map<T: Send, U: Send>(
        all: impl IntoParallelIterator<Item = T, Iter: IndexedParallelIterator>,
        work: impl Fn(T) -> U + Send + Sync,
    ) -> Vec<U> {
        all.into_par_iter().map(work).collect()
    }

    /// Calls `work` with every whole block of `from` and its place in `to`: the first block, counted
    /// from 0, that it refuses.
    pub(crate) fn blocks<A: Sync, B: Send>(
        from: &[A],
        inputs: usize,
        to: &mut [B],
        outputs: usize,
        work: impl Fn(&[A], &mut [B]) -> bool + Send + Sync,
    ) -> Option<usize> {
        let both = from.par_chunks_exact(inputs).zip(to.par_chunks_exact_mut(outputs));
        // The least number, because which is refused first depends on the cores.
        both.with_min_len(SHARE).enumerate().filter_map(|(i, (a, b))| (!work(a, b)).then_some(i)).min()
    }
}

#[cfg(target_arch = "wasm32")]
mod on_one {
    /// What `work` makes of each, in their order.
    pub(crate) fn map<T, U>(all: impl IntoIterator<Item = T>, work: impl Fn(T) -> U) -> Vec<U> {
        all.into_iter().map(work).collect()
    }

    /// Calls `work` with every whole block of `from` and its place in `to`: the first block, counted
    /// from 0, that it refuses.
    pub(crate) fn blocks<A, B>(
        from: &[A],
        inputs: usize,
        to: &mut [B],
        outputs: usize,
        work: impl Fn(&[A], &mut [B]) -> bool,
    ) -> Option<usize> {
        let both = from.chunks_exact(inputs).zip(to.chunks_exact_mut(outputs));
        both.enumerate().filter_map(|(i, (a, b))| (!work(a, b)).then_some(i)).min()
    }
}
