//! The element types the CPU executor computes in.

use std::borrow::Cow;

/// `f32`, as the GPU computes, or `f64`, as the oracle of its kernels does.
pub trait Real: faer::traits::RealField + Copy + Into<f64> + Send + Sync + 'static {
    /// The nearest value to an f64.
    fn of(value: f64) -> Self;
    /// The value as an f32.
    fn single(self) -> f32;
    /// Singles in this type; not copied where they are that already.
    fn of_singles(values: &[f32]) -> Cow<'_, [Self]>;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn single(self) -> f32 {
        self
    }
    fn of_singles(values: &[f32]) -> Cow<'_, [f32]> {
        Cow::Borrowed(values)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn single(self) -> f32 {
        self as f32
    }
    fn of_singles(values: &[f32]) -> Cow<'_, [f64]> {
        values.iter().map(|&v| v.into()).collect()
    }
}
