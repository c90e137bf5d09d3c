// The columns of a matrix as the rows of two matrices in half precision, whose sum has twice the digits of one: the
// nearest halves, and behind them what they leave. Columns are scaled as to_half scales rows.

struct Params {
    tokens: u32,
    features: u32,
    words: u32, // of two tokens, in a row of the result; zeros after the last token
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // (tokens, features)
@group(0) @binding(1) var<storage, read_write> largest: array<f32>; // (features), magnitudes
@group(0) @binding(2) var<storage, read_write> halves: array<u32>;  // (2, features, words)
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;  // (features), what takes the scaling back
@group(0) @binding(4) var<storage, read> params: Params;

const SIDE: u32 = 32u;   // tokens and features of a workgroup
const PITCH: u32 = 33u;  // one more, so that a column lies in different banks
const ROWS: u32 = 8u;    // of tokens that are read at once

var<workgroup> square: array<f32, 1056>; // (SIDE tokens, PITCH)

// As in to_half.
fn scaling_exponent(most: f32) -> u32 {
    let exponent = (bitcast<u32>(most) >> 23u) & 255u;
    return min(268u - exponent, 253u);
}

@compute @workgroup_size(32, 8)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    let token0 = group.x * SIDE;
    let feature0 = group.y * SIDE;
    for (var t = local.y; t < SIDE; t += ROWS) {
        let inside = token0 + t < params.tokens && feature0 + local.x < params.features;
        let at = (token0 + t) * params.features + feature0 + local.x;
        square[t * PITCH + local.x] = select(0.0, x[select(0u, at, inside)], inside);
    }
    workgroupBarrier();
    // Neighbours write neighbouring words.
    for (var e = lid; e < SIDE * SIDE / 2u; e += SIDE * ROWS) {
        let feature = feature0 + e / (SIDE / 2u);
        let pair = e % (SIDE / 2u);
        let word = token0 / 2u + pair;
        if feature < params.features && word < params.words {
            let exponent = scaling_exponent(largest[feature]);
            let first = 2u * pair * PITCH + feature - feature0;
            let whole = bitcast<f32>(exponent << 23u) * vec2<f32>(square[first], square[first + PITCH]);
            let near = pack2x16float(whole);
            halves[feature * params.words + word] = near;
            halves[(params.features + feature) * params.words + word] = pack2x16float(whole - unpack2x16float(near));
            if word == 0u {
                scales[feature] = bitcast<f32>((254u - exponent) << 23u);
            }
        }
    }
}
