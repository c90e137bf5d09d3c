//! Scales and minima of one group that lose little: rounding to several grids, with the least-squares
//! answer for each.
//!
//! Given the codes q, Σ w (s·q + m − x)² is least where its derivatives by s and m vanish, two linear
//! equations. Which codes are best is not known, so grids with somewhat more and fewer steps than the
//! codes have are tried. What the weights are, and which grids, is as in ggml's reference
//! quantisers (`make_qkx2_quants`, `make_qx_quants` and `make_q3_quants` of `ggml-quants.c`).

use crate::quant::plain::largest;

/// Groups whose values are all smaller are zero, as in ggml.
const NOTHING: f32 = 1e-15;

/// The nearest whole number, ties to even, of numbers below 2²²; beyond, some number as large.
pub(super) fn nearest(value: f32) -> f32 {
    // At 1.5·2²³ the steps between singles are 1. Unlike `round_ties_even` this needs no newer
    // instructions than every x86-64 has.
    const STEPS_OF_ONE: f32 = 12_582_912.0;
    (value + STEPS_OF_ONE) - STEPS_OF_ONE
}

/// What codes 0, 1, … stand for: `scale`·q − `min`.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub scale: f32,
    /// Never below 0: it is stored without a sign.
    pub min: f32,
}

/// Which grids are tried, and what an error costs.
pub(super) struct Search {
    /// The largest code.
    pub most: f32,
    /// How many steps more than that the first grid has.
    pub first: f32,
    /// How many grids are tried; each has 0.1 steps more than the one before.
    pub grids: u8,
    /// Whether errors count as they are, weighted by |x|; otherwise their squares do, weighted by |x|
    /// and the root mean square of the group together.
    pub coarse: bool,
}

impl Search {
    /// Scale and minimum for the values of a group.
    pub fn affine(&self, x: &[f32]) -> Affine {
        let floor = if self.coarse { 0.0 } else { root_mean_square(x) };
        let weight = |x: f32| floor + x.abs();
        // A minimum above zero could not be stored.
        let least = x.iter().fold(0.0, |least: f32, &x| least.min(x));
        let greatest = x.iter().fold(f32::MIN, |most: f32, &x| most.max(x));
        if greatest == least {
            return Affine { scale: 0.0, min: -least };
        }
        let most = self.most;
        // From `least`, which need not be the least value: each grid begins at the best minimum so far.
        let codes = |steps: f32, least: f32| {
            let inverse = steps / (greatest - least);
            move |x: f32| nearest(inverse * (x - least)).clamp(0.0, most)
        };
        let mut best = Affine { scale: (greatest - least) / most, min: -least };
        let mut least_error = self.error(x, weight, best, codes(most, least));
        for grid in 0..self.grids {
            let code = codes(most + self.first + 0.1 * f32::from(grid), -best.min);
            let Some(fit) = fitted(x, weight, code) else { continue };
            let error = self.error(x, weight, fit, code);
            if error < least_error {
                (best, least_error) = (fit, error);
            }
        }
        best
    }

    /// What the codes of a group lose with this scale and minimum.
    fn error(&self, x: &[f32], weight: impl Fn(f32) -> f32, fit: Affine, code: impl Fn(f32) -> f32) -> f32 {
        let off = |x: f32| fit.scale * code(x) - fit.min - x;
        let cost = |off: f32| if self.coarse { off.abs() } else { off * off };
        x.iter().map(|&x| weight(x) * cost(off(x))).sum()
    }
}

fn root_mean_square(x: &[f32]) -> f32 {
    (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt()
}

/// The weighted least-squares scale and minimum for the codes of a group; `None` where all codes are
/// alike.
fn fitted(x: &[f32], weight: impl Fn(f32) -> f32, code: impl Fn(f32) -> f32) -> Option<Affine> {
    // Sums of w, w·x, w·q, w·q² and w·q·x.
    let [mut w1, mut wx, mut wq, mut wqq, mut wqx] = [0.0f32; 5];
    for &x in x {
        let (w, q) = (weight(x), code(x));
        w1 += w;
        wx += w * x;
        wq += w * q;
        wqq += w * q * q;
        wqx += w * q * x;
    }
    let determinant = w1 * wqq - wq * wq;
    if determinant.is_nan() || determinant <= 0.0 {
        return None;
    }
    let (scale, min) = ((w1 * wqx - wx * wq) / determinant, (wq * wqx - wqq * wx) / determinant);
    // Without a minimum where the best one would have the wrong sign.
    Some(if min < 0.0 { Affine { scale: wqx / wqq, min: 0.0 } } else { Affine { scale, min } })
}

/// Σ x²·(s·q − x)² of codes q is least for s = Σx³q / Σx²q², and then smaller by Σx³q · s than with zeros.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Σ x³·q.
    xq: f32,
    /// Σ x²·q².
    qq: f32,
}

impl Sums {
    fn of(x: &[f32], code: impl Fn(f32) -> f32) -> Self {
        x.iter().fold(Self::default(), |sums, &x| sums.with(x, code(x)))
    }

    fn with(self, x: f32, q: f32) -> Self {
        let w = x * x;
        Self { xq: self.xq + w * x * q, qq: self.qq + w * q * q }
    }

    fn without(self, x: f32, q: f32) -> Self {
        let w = x * x;
        Self { xq: self.xq - w * x * q, qq: self.qq - w * q * q }
    }

    /// Not a number where the sums were too large.
    fn scale(self) -> f32 {
        if self.qq == 0.0 { 0.0 } else { self.xq / self.qq }
    }

    /// Whether the error is smaller than with those.
    fn is_better(self, than: Self) -> bool {
        self.xq * self.xq > than.scale() * than.xq * self.qq
    }
}

/// The code of x on a grid where the value farthest from zero, `extreme`, is −`steps`, of codes
/// −`half` to `half` − 1.
fn signed(extreme: f32, steps: f32, half: f32) -> impl Fn(f32) -> f32 {
    let inverse = -steps / extreme;
    move |x| nearest(inverse * x).clamp(-half, half - 1.0)
}

/// The scale of a group with codes −`half` to `half` − 1, of 19 grids.
pub(super) fn linear(x: &[f32], half: f32) -> f32 {
    let extreme = largest(x);
    if extreme.abs() < NOTHING {
        return 0.0;
    }
    let grid = |tenths: i8| Sums::of(x, signed(extreme, half + 0.1 * f32::from(tenths), half));
    let others = (-9..=9).filter(|&tenths| tenths != 0).map(grid);
    others.fold(grid(0), |best, sums| if sums.is_better(best) { sums } else { best }).scale()
}

/// The same, of codes that change one at a time as long as that helps, five times at most: with few
/// codes their roundings matter more than the grid.
pub(super) fn by_turns(x: &[f32], half: f32) -> f32 {
    let extreme = largest(x);
    if extreme.abs() < NOTHING {
        return 0.0;
    }
    let mut codes: Vec<f32> = x.iter().copied().map(signed(extreme, half, half)).collect();
    let mut sums = x.iter().zip(&codes).fold(Sums::default(), |sums, (&x, &q)| sums.with(x, q));
    for _ in 0..5 {
        let mut changed = false;
        for (&x, code) in x.iter().zip(&mut codes) {
            let others = sums.without(x, *code);
            if others.xq <= 0.0 {
                continue;
            }
            let new = nearest(x * others.qq / others.xq).clamp(-half, half - 1.0);
            let with_new = others.with(x, new);
            if new != *code && with_new.is_better(sums) {
                (*code, sums, changed) = (new, with_new, true);
            }
        }
        if !changed {
            break;
        }
    }
    sums.scale()
}
