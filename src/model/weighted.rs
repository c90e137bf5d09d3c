//! The products that a model is made of, in the precision of the device.

use burn::tensor::Tensor;

use crate::device::panels::Panels;

/// x Wᵀ `(n, out)` for `x` `(n, in)` and `weight` `(out, in)`: in half precision where the device was told so.
pub fn weighted(x: Tensor<2>, weight: &Panels) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::device::multiplies_halves(&x.device()) {
        return crate::gpu::half::times_transposed(&x, weight);
    }
    weight.times_transposed(x)
}
