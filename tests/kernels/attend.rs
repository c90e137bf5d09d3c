//! Attention on matrix units: its tiles on the software adapter, with the units' squares spelled out, and the whole on a
//! card.

use burn::tensor::{Tensor, TensorData};
use half::f16;
use slimgpt::gpu::attend::{WIDEST, causal};

use crate::support::rounding::assert_within;
use crate::support::{doubles, random, software_gpu};
use crate::units::Bound::{Halves, Singles};
use crate::units::{run, spelled_out};

/// Sequences, query heads, K/V heads, tokens and numbers of a head.
#[derive(Clone, Copy)]
struct Sizes {
    b: usize,
    heads: usize,
    kv_heads: usize,
    t: usize,
    width: usize,
}

/// softmax(scale · q kᵀ) v with q `(b, heads, t, width)`, as `(b, t, heads · width)`.
fn attended([q, k, v]: [&[f64]; 3], scale: f64, sizes: Sizes) -> Vec<f64> {
    let Sizes { b, heads, kv_heads, t, width } = sizes;
    let mut all = vec![0.0; b * t * heads * width];
    for (sequence, head, query) in (0..b * heads * t).map(|i| (i / (heads * t), i / t % heads, i % t)) {
        let of_q = &q[((sequence * heads + head) * t + query) * width..][..width];
        let kv = sequence * kv_heads + head / (heads / kv_heads);
        let row = |m: &'_ [f64], key: usize| m[(kv * t + key) * width..][..width].to_vec();
        let score = |key: usize| scale * of_q.iter().zip(row(k, key)).map(|(a, b)| a * b).sum::<f64>();
        let weights: Vec<f64> = (0..=query).map(|key| score(key).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let out = &mut all[((sequence * t + query) * heads + head) * width..][..width];
        for (key, weight) in weights.into_iter().enumerate() {
            out.iter_mut().zip(row(v, key)).for_each(|(out, value)| *out += weight / sum * value);
        }
    }
    all
}

fn rounded(count: usize, seed: u64) -> Vec<f16> {
    random(count, seed).into_iter().map(|x| f16::from_f32(2.0 * x)).collect()
}

/// Each head's numbers, filled up with zeros as the host does.
fn filled(numbers: &[f16], width: usize) -> Vec<f16> {
    numbers
        .chunks(width)
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(f16::ZERO, WIDEST - width)))
        .collect()
}

#[test]
fn every_query_sees_itself_and_what_stands_before() {
    let cases = [
        // Sequences, heads, K/V heads, tokens, width, and subgroups of a workgroup.
        (1, 1, 1, 1, 16, 1),
        (1, 2, 1, 31, 64, 2),
        (2, 2, 2, 65, 80, 4),
        (1, 4, 2, 97, 128, 2),
        (1, 1, 1, 64, 33, 3),
    ];
    for (b, heads, kv_heads, t, width, subgroups) in cases {
        let sizes = Sizes { b, heads, kv_heads, t, width };
        let (q, k, v) = (
            rounded(b * heads * t * width, 1),
            rounded(b * kv_heads * t * width, 2),
            rounded(b * kv_heads * t * width, 3),
        );
        let (scale, scales) = (0.25f32, [0.5f32, 2.0, 4.0]);
        let params = [t as u32, heads as u32, (heads / kv_heads) as u32, width as u32, 0, scale.to_bits()];
        let words = [&q, &k, &v].map(|numbers| filled(numbers, width));
        let nothing = vec![0.0; b * t * heads * width];
        let [of_q, of_k, of_v] = &words;
        let [one, two, three] = scales.map(|scale| [scale]);
        let bound = [
            Halves(of_q),
            Halves(of_k),
            Halves(of_v),
            Singles(&one),
            Singles(&two),
            Singles(&three),
            Singles(&nothing),
        ];
        let got = run(spelled_out("attend_half", subgroups), &bound, &params, [t.div_ceil(64), b * heads, 1]);
        let doubles = [(&q, 0.5), (&k, 2.0), (&v, 4.0)]
            .map(|(m, scale)| m.iter().map(|x| x.to_f64() * scale).collect::<Vec<f64>>());
        let want = attended([&doubles[0], &doubles[1], &doubles[2]], scale.into(), sizes);
        // Values are up to 8, and their weights rounded to eleven bits.
        assert_within(
            &got,
            &want,
            |_| 8.0 * 2f64.powi(-10),
            &format!("{b} of {heads}/{kv_heads} heads, {t} tokens of {width}"),
        );
    }
}

/// Where there are matrix units: `SLIMGPT_TEST_GPU=NAME cargo test --test kernels -- --ignored matrix_units`.
#[test]
#[ignore = "needs a card with matrix units"]
fn matrix_units_attend() {
    let device = software_gpu();
    for (b, heads, kv_heads, t, width) in [(1, 1, 1, 1, 8), (2, 4, 2, 200, 64), (1, 3, 1, 333, 128)] {
        let sizes = Sizes { b, heads, kv_heads, t, width };
        let shapes = [[b, heads, t, width], [b, kv_heads, t, width], [b, kv_heads, t, width]];
        let values = [1, 2, 3].map(|seed| random(b * heads * t * width, seed));
        let values: Vec<Vec<f32>> =
            values.into_iter().zip(shapes).map(|(v, shape)| v[..shape.iter().product()].to_vec()).collect();
        let tensors: Vec<Tensor<4>> = values
            .iter()
            .zip(shapes)
            .map(|(v, shape)| Tensor::from_data(TensorData::new(v.clone(), shape), device.tensor_device()))
            .collect();
        let got = doubles(causal([&tensors[0], &tensors[1], &tensors[2]], 0.3));
        let exact: Vec<Vec<f64>> = values.iter().map(|v| v.iter().map(|&x| f64::from(x)).collect()).collect();
        let want = attended([&exact[0], &exact[1], &exact[2]], 0.3, sizes);
        // Values are up to 1; scores of up to 0.3 · width are off by twice their last bit of eleven.
        let bound = |_| 2f64.powi(-10) * (2.0 + 0.6 * (width as f64).sqrt());
        assert_within(&got, &want, bound, &format!("{b} of {heads}/{kv_heads} heads, {t} tokens of {width}"));
    }
}
