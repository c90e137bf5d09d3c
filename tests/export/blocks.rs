//! ggml's blocks: what they mean, told value by value from the format's description, and what is lost in them.

use half::f16;
use slimgpt::names::Named;
use slimgpt::quant::{BlockType, QuantError, dequantise, quantise};

use crate::support::{assert_says, random};

/// Kinds with a scale; the others store numbers one by one.
fn with_scales() -> impl Iterator<Item = BlockType> {
    BlockType::all().iter().copied().filter(|kind| kind.elements() > 1)
}

/// Value `i` of a block, from the bits that the format gives it.
fn value(kind: BlockType, b: &[u8], i: usize) -> f32 {
    let half = |at: usize| f16::from_le_bytes([b[at], b[at + 1]]).to_f32();
    let bits = |byte: usize, from: usize, count: usize| b[byte] >> from & ((1u16 << count) - 1) as u8;
    // Two codes of four bits in a byte: those of the first half of a stretch of 2·`span`, then the second's.
    let four = |at: usize, span: usize| bits(at + i / (2 * span) * span + i % span, 4 * (i / span % 2), 4);
    // Four codes of two bits in a byte, of stretches of 32.
    let two = |at: usize| bits(at + i / 128 * 32 + i % 32, 2 * (i / 32 % 4), 2);
    let number = |code: u8| f32::from(code);
    match kind {
        BlockType::Q8_0 => f32::from(b[2 + i] as i8) * half(0),
        BlockType::Q4_0 => (number(four(2, 16)) - 8.0) * half(0),
        BlockType::Q4_1 => number(four(4, 16)) * half(0) + half(2),
        BlockType::Q5_0 => (number(four(6, 16) + 16 * bits(2 + i / 8, i % 8, 1)) - 16.0) * half(0),
        BlockType::Q5_1 => number(four(8, 16) + 16 * bits(4 + i / 8, i % 8, 1)) * half(0) + half(2),
        BlockType::Q2K => {
            let (scale, min) = (bits(i / 16, 0, 4), bits(i / 16, 4, 4));
            half(80) * number(scale) * number(two(16)) - half(82) * number(min)
        }
        BlockType::Q3K => {
            let group = i / 16;
            let scale = bits(96 + group % 8, 4 * (group / 8), 4) + 16 * bits(104 + group % 4, 2 * (group / 4), 2);
            let code = two(32) + 4 * bits(i % 32, i / 32, 1);
            half(108) * (number(scale) - 32.0) * (number(code) - 4.0)
        }
        BlockType::Q4K | BlockType::Q5K => {
            let group = i / 32;
            let (scale, min) = match group {
                0..4 => (bits(4 + group, 0, 6), bits(8 + group, 0, 6)),
                _ => {
                    (bits(8 + group, 0, 4) + 16 * bits(group, 6, 2), bits(8 + group, 4, 4) + 16 * bits(4 + group, 6, 2))
                }
            };
            let code =
                if kind == BlockType::Q4K { four(16, 32) } else { four(48, 32) + 16 * bits(16 + i % 32, group, 1) };
            half(0) * number(scale) * number(code) - half(2) * number(min)
        }
        BlockType::Q6K => {
            let code = four(0, 64) + 16 * two(128);
            half(208) * f32::from(b[192 + i / 16] as i8) * (number(code) - 32.0)
        }
        BlockType::F32 | BlockType::F16 | BlockType::Bf16 => unreachable!("no blocks"),
    }
}

/// Where the halves of a block stand.
fn halves(kind: BlockType) -> &'static [usize] {
    match kind {
        BlockType::Q8_0 | BlockType::Q4_0 | BlockType::Q5_0 => &[0],
        BlockType::Q4_1 | BlockType::Q5_1 | BlockType::Q4K | BlockType::Q5K => &[0, 2],
        BlockType::Q2K => &[80, 82],
        BlockType::Q3K => &[108],
        BlockType::Q6K => &[208],
        BlockType::F32 | BlockType::F16 | BlockType::Bf16 => &[],
    }
}

/// Blocks of random codes and scales.
fn strange(kind: BlockType, blocks: usize) -> Vec<u8> {
    let noise = random(blocks * kind.bytes(), 5);
    let mut bytes: Vec<u8> = noise.iter().map(|v| (v * 128.0).floor() as i8 as u8).collect();
    for (i, block) in bytes.chunks_exact_mut(kind.bytes()).enumerate() {
        for &at in halves(kind) {
            let scale = f16::from_f32(noise[(i + at) % noise.len()]);
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn every_bit_of_a_block_is_read_where_the_format_puts_it() {
    for kind in with_scales() {
        // More blocks than one core takes at once, and a rest that is none.
        let blocks = 200;
        let mut bytes = strange(kind, blocks);
        bytes.extend(vec![0; kind.bytes() - 1]);
        let values = dequantise(kind, &bytes);
        assert_eq!(values.len(), blocks * kind.elements(), "{kind}");
        for (i, &got) in values.iter().enumerate() {
            let (block, within) = (i / kind.elements(), i % kind.elements());
            let want = value(kind, &bytes[block * kind.bytes()..], within);
            assert_eq!(got.to_bits(), want.to_bits(), "{kind}: value {within} of block {block}: {got} for {want}");
        }
    }
}

/// A block that is zero but for these bytes.
fn block(kind: BlockType, set: &[(usize, u8)]) -> Vec<f32> {
    let mut bytes = vec![0; kind.bytes()];
    set.iter().for_each(|&(at, byte)| bytes[at] = byte);
    dequantise(kind, &bytes)
}

#[test]
fn hand_made_blocks_have_the_values_that_were_reckoned() {
    // The halves 0.5 and -1 are 0x3800 and 0xBC00; their lower bytes are zero.
    let (half, minus_one) = (0x38, 0xBC);
    let q8_0 = block(BlockType::Q8_0, &[(1, half), (2, 0x80), (33, 0x7F)]);
    assert_eq!((q8_0[0], q8_0[1], q8_0[31]), (-64.0, 0.0, 63.5));
    let q4_0 = block(BlockType::Q4_0, &[(1, half), (2, 0xF3), (17, 0x80)]);
    assert_eq!((q4_0[0], q4_0[16], q4_0[15], q4_0[31]), (-2.5, 3.5, -4.0, 0.0));
    let q4_1 = block(BlockType::Q4_1, &[(1, half), (3, minus_one), (4, 0xF3)]);
    assert_eq!((q4_1[0], q4_1[16], q4_1[1]), (0.5, 6.5, -1.0));
    // The fifth bits of values 0 and 31.
    let q5_0 = block(BlockType::Q5_0, &[(1, half), (2, 1), (5, 0x80), (6, 0x02), (21, 0xF0)]);
    assert_eq!((q5_0[0], q5_0[31], q5_0[1]), (1.0, 7.5, -8.0));
    let q5_1 = block(BlockType::Q5_1, &[(1, half), (3, minus_one), (4, 1), (7, 0x80), (8, 0x02), (23, 0xF0)]);
    assert_eq!((q5_1[0], q5_1[31], q5_1[1]), (8.0, 14.5, -1.0));
    // Scale 3 and minimum 2 of the last group; value 255 is in the upper bits of the last code.
    let q2_k = block(BlockType::Q2K, &[(15, 0x23), (79, 0xC0), (81, half), (83, minus_one)]);
    assert_eq!((q2_k[255], q2_k[240], q2_k[0]), (0.5 * 3.0 * 3.0 + 2.0, 2.0, 0.0));
    // Scales are 32 too large: 0 of the first group is -32; 63 of the last has all six bits.
    let q3_k = block(BlockType::Q3K, &[(0, 1), (32, 0x03), (31, 0x80), (103, 0xF0), (107, 0xC0), (109, half)]);
    assert_eq!((q3_k[0], q3_k[1], q3_k[255], q3_k[240]), (-16.0 * 3.0, 64.0, 0.0, -4.0 * 15.5));
    // The fifth group's scale: two bits over the first group's, four in byte 12.
    let q4_k = block(BlockType::Q4K, &[(1, half), (3, minus_one), (4, 0x41), (12, 0x25), (16, 0x07), (80, 0x09)]);
    assert_eq!((q4_k[0], q4_k[128], q4_k[129]), (3.5, 0.5 * 21.0 * 9.0 + 2.0, 2.0));
    let q5_k = block(BlockType::Q5K, &[(1, half), (4, 1), (16, 1), (48, 0x07), (15, 0x01), (47, 0x80)]);
    assert_eq!((q5_k[0], q5_k[255], q5_k[224]), (0.5 * 23.0, 0.5 * 16.0, 0.0));
    let q6_k = block(BlockType::Q6K, &[(0, 0x05), (128, 0x02), (192, 2), (207, 0xFF), (191, 0xC0), (209, half)]);
    assert_eq!((q6_k[0], q6_k[1], q6_k[255], q6_k[240]), (37.0 - 32.0, -32.0, -0.5 * 16.0, 16.0));
}

#[test]
fn the_reference_quantisers_codes_were_reckoned_by_hand() {
    let with = |first: &[f32]| {
        let mut values = vec![0.0; 32];
        values[..first.len()].copy_from_slice(first);
        values
    };
    // The half of 1 is 0x3C00. Halves of a code go away from zero.
    let q8_0 = quantise(BlockType::Q8_0, &with(&[127.0, -127.0, 63.5, 0.5, -0.5, 0.49])).unwrap();
    assert_eq!(q8_0[..9], [0, 0x3C, 127, 129, 64, 1, 255, 0, 0]);
    // The value farthest from zero, -8, becomes code 0; nothing of it is left above 7.
    let q4_0 = quantise(BlockType::Q4_0, &with(&[-8.0, 7.0, 0.5, 7.9, -0.6])).unwrap();
    assert_eq!(q4_0[..7], [0, 0x3C, 0x80, 0x8F, 0x89, 0x8F, 0x87]);
    // The other way round the scale has a sign.
    assert_eq!(quantise(BlockType::Q4_0, &with(&[8.0, -7.0])).unwrap()[..4], [0, 0xBC, 0x80, 0x8F]);
    let steps = |n: usize| -> Vec<f32> { (0..32).map(|i| (i % n) as f32 - 2.0).collect() };
    // From the minimum -2, 0xC000; values 0 and 16 are codes 0 and 0, 1 and 17 are 1 and 1.
    let q4_1 = quantise(BlockType::Q4_1, &steps(16)).unwrap();
    assert_eq!(q4_1[..6], [0, 0x3C, 0, 0xC0, 0x00, 0x11]);
    let q5_1 = quantise(BlockType::Q5_1, &steps(32)).unwrap();
    assert_eq!(q5_1[..10], [0, 0x3C, 0, 0xC0, 0, 0, 0xFF, 0xFF, 0x00, 0x11]);
    let q5_0 = quantise(BlockType::Q5_0, &with(&[-16.0, 15.0, 3.0])).unwrap();
    // Codes 0, 31, 19 and 16 for zeros: the fifth bit of all but the first.
    assert_eq!(q5_0[..9], [0, 0x3C, 0xFE, 0xFF, 0xFF, 0xFF, 0x00, 0x0F, 0x03]);
}

/// Numbers as weights are: a normal distribution, by Box and Muller.
fn normal(n: usize, seed: u64) -> Vec<f32> {
    let (a, b) = (random(n, seed), random(n, seed + 1));
    let radius = |u: f32| (-2.0 * (0.5 + 0.499_999 * u).ln()).sqrt();
    a.iter().zip(&b).map(|(&u, &v)| 0.02 * radius(u) * (std::f32::consts::PI * v).cos()).collect()
}

fn relative_error(kind: BlockType, values: &[f32]) -> f64 {
    let back = dequantise(kind, &quantise(kind, values).unwrap());
    let squares = |all: &mut dyn Iterator<Item = f32>| all.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let off = squares(&mut values.iter().zip(&back).map(|(a, b)| a - b));
    (off / squares(&mut values.iter().copied())).sqrt()
}

#[test]
fn what_is_lost_of_normal_numbers_is_what_ggml_loses() {
    // Root mean squares of other people's code on such numbers, with 5 % for their last digit and the draw.
    let values = normal(1 << 17, 1);
    for (kind, published) in [
        (BlockType::Q8_0, 0.0052),
        (BlockType::Q6K, 0.018),
        (BlockType::Q5K, 0.036),
        (BlockType::Q4K, 0.073),
        (BlockType::Q4_0, 0.083),
        (BlockType::Q3K, 0.148),
        (BlockType::Q2K, 0.286),
    ] {
        let error = relative_error(kind, &values);
        assert!((error / published - 1.0).abs() < 0.05, "{kind}: {error:.4}, published {published}");
    }
    let [q4_0, q4_1, q5_0, q5_1] =
        [BlockType::Q4_0, BlockType::Q4_1, BlockType::Q5_0, BlockType::Q5_1].map(|kind| relative_error(kind, &values));
    assert!(q4_1 < q4_0 && q5_0 < q4_1 && q5_1 < q5_0, "{q4_0} {q4_1} {q5_0} {q5_1}");
}

#[test]
fn no_value_moves_by_more_than_its_block_allows() {
    // Half a code, or a whole one where the range has no code for one end; and the rounding of the halves.
    let rounding = 1.0 / 1024.0;
    for seed in 0..20 {
        let values: Vec<f32> = random(32, seed).iter().map(|v| v * 10f32.powi(seed as i32 % 7 - 3) + 0.01).collect();
        let most = values.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
        let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        for (kind, bound) in [
            (BlockType::Q8_0, most / 254.0),
            (BlockType::Q4_0, most / 8.0),
            (BlockType::Q4_1, (high - low) / 30.0),
            (BlockType::Q5_0, most / 16.0),
            (BlockType::Q5_1, (high - low) / 62.0),
        ] {
            let back = dequantise(kind, &quantise(kind, &values).unwrap());
            let off = values.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= bound + 2.0 * most * rounding, "{kind}: {off} for {bound}");
        }
    }
}

#[test]
fn what_was_read_is_written_again_without_loss() {
    let values = normal(4096, 3);
    for kind in [BlockType::Q8_0, BlockType::Q4_0, BlockType::Q5_0, BlockType::F16, BlockType::Bf16, BlockType::F32] {
        let once = dequantise(kind, &quantise(kind, &values).unwrap());
        assert_eq!(dequantise(kind, &quantise(kind, &once).unwrap()), once, "{kind}");
    }
}

#[test]
fn every_block_is_by_itself_whatever_cores_there_are() {
    let values = normal(256 * 300, 9);
    for kind in with_scales() {
        let alone = values.chunks_exact(kind.elements()).flat_map(|block| quantise(kind, block).unwrap());
        assert_eq!(quantise(kind, &values).unwrap(), alone.collect::<Vec<_>>(), "{kind}");
    }
}

#[test]
fn groups_without_a_range_stay_what_they_are() {
    for kind in with_scales() {
        let zeros = dequantise(kind, &quantise(kind, &[0.0; 256]).unwrap());
        assert!(zeros.iter().all(|&v| v == 0.0), "{kind}");
        // One group of numbers that are alike among zeros, of either sign.
        for number in [0.25f32, -3.0] {
            let mut values = [0.0f32; 256];
            values[64..96].fill(number);
            let back = dequantise(kind, &quantise(kind, &values).unwrap());
            let off = values.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= number.abs() / 15.0, "{kind}: {number} is off by {off}");
        }
        // Smaller than any scale can say.
        let tiny = dequantise(kind, &quantise(kind, &[1e-30; 256]).unwrap());
        assert!(tiny.iter().all(|v| v.abs() <= 1e-8), "{kind}");
    }
}

#[test]
fn what_no_block_holds_is_refused() {
    for &kind in BlockType::all() {
        let mut values = normal(512, 4);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            values[300] = value;
            assert_says(quantise(kind, &values), &["value 300", &value.to_string()]);
        }
        values[300] = 3e38;
        match quantise(kind, &values) {
            Ok(_) => assert!(matches!(kind, BlockType::F32 | BlockType::Bf16), "{kind}"),
            Err(error) => assert_eq!(error, QuantError::TooLarge { kind, value: 3e38 }),
        }
        if kind.elements() > 1 {
            assert_says(quantise(kind, &[1.0; 31]), &["31 values", kind.name()]);
        }
        assert!(quantise(kind, &[]).unwrap().is_empty());
    }
    assert_says(quantise(BlockType::Bf16, &[f32::MAX]), &["bf16", "3402"]);
}

#[test]
fn kinds_have_ggmls_numbers_names_and_sizes() {
    for &kind in BlockType::all() {
        assert_eq!((BlockType::of_id(kind.id()), BlockType::named(kind.name())), (Some(kind), Some(kind)));
        assert_eq!(kind.size_of(512), Some(512 / kind.elements() * kind.bytes()));
        assert_eq!(kind.size_of(100 * kind.elements() + 1).is_none(), kind.elements() > 1);
        // More bytes than can be counted.
        assert_eq!(kind.size_of(usize::MAX / 256 * 256).is_none(), kind.bytes() > kind.elements());
    }
    // Two that are never stored, integers, i-quants, and what is to come.
    assert!([4, 5, 9, 15, 16, 23, 24, 31, 34, 39, u32::MAX].iter().all(|&id| BlockType::of_id(id).is_none()));
    let bytes = [
        (BlockType::Q8_0, 8, 34),
        (BlockType::Q4_1, 3, 20),
        (BlockType::Q5_0, 6, 22),
        (BlockType::Q5_1, 7, 24),
        (BlockType::Q2K, 10, 84),
        (BlockType::Q3K, 11, 110),
        (BlockType::Q4K, 12, 144),
        (BlockType::Q5K, 13, 176),
        (BlockType::Q6K, 14, 210),
        (BlockType::Bf16, 30, 2),
    ];
    assert!(bytes.iter().all(|&(kind, id, bytes)| (kind.id(), kind.bytes()) == (id, bytes)));
    assert_eq!((BlockType::Q4K.name(), BlockType::Q4_0.name(), BlockType::Bf16.name()), ("q4_k", "q4_0", "bf16"));
}
