//! Functions of single numbers that families differ in.

use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use crate::shape::Activation;

/// Beyond this tanh is ±1 in single precision. Drivers that make it of exponentials give no number for
/// arguments whose exponential overflows.
const SATURATED: f64 = 15.0;

/// What scales the channels, of the gate.
pub(super) fn activated(gate: Tensor<3>, by: Activation) -> Tensor<3> {
    match by {
        Activation::Silu => silu(gate),
        Activation::GeluTanh => {
            // By products: a power is made of a logarithm on some devices, which negative numbers have none of.
            let cubic = (gate.clone() * gate.clone() * gate.clone()).mul_scalar(0.044_715) + gate.clone();
            let root = (2.0 / std::f64::consts::PI).sqrt();
            gate.mul_scalar(0.5) * tanh(cubic.mul_scalar(root)).add_scalar(1.0)
        }
    }
}

/// c · tanh(x / c); x where there is no c.
pub(super) fn capped<const D: usize>(x: Tensor<D>, cap: Option<f64>) -> Tensor<D> {
    match cap {
        Some(cap) => tanh(x.div_scalar(cap)).mul_scalar(cap),
        None => x,
    }
}

fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clamp(-SATURATED, SATURATED).tanh()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn of(x: &[f32], f: impl Fn(Tensor<1>) -> Tensor<1>) -> Vec<f32> {
        f(Tensor::from_floats(x, &Device::flex())).into_data().try_to_vec::<f32>().unwrap()
    }

    #[test]
    fn a_cap_is_never_passed_and_small_numbers_stay() {
        let found = of(&[-1e30, -0.01, 0.0, 0.01, 40.0, 1e30], |x| capped(x, Some(2.0)));
        let want = [-2.0, -0.01, 0.0, 0.01, 2.0, 2.0];
        assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn gelu_is_near_x_times_the_normal_distribution() {
        let gelu = |x: Tensor<1>| activated(x.unsqueeze(), Activation::GeluTanh).reshape([4]);
        let found = of(&[-40.0, -1.0, 1.0, 40.0], gelu);
        // x Φ(x) at ±1; the approximation is within 5e-4 of it everywhere.
        let want = [0.0, -0.158_655, 0.841_345, 40.0];
        assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 5e-4), "{found:?}");
    }
}
