//! How far arithmetic in single precision may be from exact arithmetic, stated once, and the
//! comparison that holds every entry to its own bound. One large entry excuses no small one.
#![allow(dead_code, reason = "each user needs its own part")]

/// f32's unit roundoff u: an operation gives its exact result times 1 + δ, |δ| ≤ u.
pub const UNIT: f64 = (f32::EPSILON / 2.0) as f64;

/// Roundings that a WGSL division or square root may count for: 2.5 units in the last place, each
/// at most 2u (WGSL §15.7.4).
pub const DIVISION: usize = 5;

/// γₙ = nu / (1 − nu): n roundings one after the other, in any order, are within a factor 1 ± γₙ.
/// A sum of products of which each term is rounded n times at most is so within γₙ of the sum of
/// the products' magnitudes (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
pub fn gamma(n: usize) -> f64 {
    let nu = n as f64 * UNIT;
    assert!(nu < 1.0, "{n} roundings leave no digit");
    nu / (1.0 - nu)
}

/// Fails unless every entry is within its own `bound` of what is wanted. What is no number is not.
#[track_caller]
pub fn assert_within(got: &[f64], want: &[f64], bound: impl Fn(usize) -> f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}: lengths differ");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let off = (g - w).abs();
        assert!(off <= bound(i), "{what}: entry {i} is {g:e} instead of {w:e}, off by {off:e} of {:e}", bound(i));
    }
}

/// By how much each entry of the least-squares weights Ŵ_K `(out, kept)` may be off, to first order,
/// for the damped Hessian `h` `(n, n)` and the change Δ = W − Ŵ `(out, n)`.
///
/// An entry of H is a sum of `tokens` products and so off by γ d dᵀ, d_j² = h_jj; factoring,
/// inverting and multiplying round 3n times within the same d dᵀ. With A = H_KK the weights, which
/// solve an equation in A, are then off by |Δ|d times dᵀ|A⁻¹|.
pub fn refit_bound(h: &[f64], kept: &[usize], delta: &[f64], tokens: usize) -> Vec<f64> {
    use faer::linalg::solvers::{DenseSolveCore, Llt};
    let n = h.len().isqrt();
    let d: Vec<f64> = (0..n).map(|j| h[j * n + j].sqrt()).collect();
    let a = faer::Mat::<f64>::from_fn(kept.len(), kept.len(), |i, j| h[kept[i] * n + kept[j]]);
    let inverse = Llt::new(a.as_ref(), faer::Side::Lower).expect("positive definite").inverse();
    let pulled = |k: usize| -> f64 { (0..kept.len()).map(|i| d[kept[i]] * inverse[(i, k)].abs()).sum() };
    let columns: Vec<f64> = (0..kept.len()).map(pulled).collect();
    let pushed = |row: &[f64]| -> f64 { row.iter().zip(&d).map(|(change, d)| change.abs() * d).sum() };
    let gamma = gamma(tokens + 3 * n + 4 * DIVISION);
    delta.chunks(n).map(pushed).flat_map(|row| columns.iter().map(move |column| gamma * row * column)).collect()
}
