//! The large products of a model, in half precision where its device was told so.

use burn::tensor::Tensor;

use crate::device::panels::Panels;

/// x Wᵀ `(n, out)` for `x` `(n, in)` and `weight` `(out, in)`.
pub fn weighted(x: Tensor<2>, weight: &Panels) -> Tensor<2> {
    #[cfg(feature = "gpu")]
    if crate::device::multiplies_halves(&x.device()) {
        return crate::gpu::products::times_transposed(&x, weight);
    }
    weight.times_transposed(x)
}

/// softmax(scale · q kᵀ) v of queries `(b, heads, t, width)` that see no later token, as `(b, t, heads · width)`; `None`
/// where it is to be computed otherwise.
#[cfg(feature = "gpu")]
pub(super) fn attended(qkv: [&Tensor<4>; 3], scale: f64) -> Option<Tensor<3>> {
    let [_, _, _, width] = qkv[0].dims();
    let fits = width <= crate::gpu::attend::WIDEST && crate::device::multiplies_halves(&qkv[0].device());
    fits.then(|| crate::gpu::attend::causal(qkv, scale))
}

/// Never: there is no GPU.
#[cfg(not(feature = "gpu"))]
pub(super) fn attended(_: [&Tensor<4>; 3], _: f64) -> Option<Tensor<3>> {
    None
}
