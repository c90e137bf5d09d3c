//! The same work for several things on all cores; a page has one.

/// What `work` makes of each, in their order.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn map<T: Sync, U: Send>(all: &[T], work: impl Fn(&T) -> U + Send + Sync) -> Vec<U> {
    use rayon::prelude::*;
    all.par_iter().map(work).collect()
}

/// What `work` makes of each, in their order.
#[cfg(target_arch = "wasm32")]
pub(super) fn map<T, U>(all: &[T], work: impl Fn(&T) -> U) -> Vec<U> {
    all.iter().map(work).collect()
}
