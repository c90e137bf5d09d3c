// The rows of a matrix in half precision, two numbers a word. A row is scaled by a power of two, so that its largest
// number is just below what half precision holds: nothing overflows, and small numbers keep their digits.

struct Params {
    rows: u32,
    width: u32,
    words: u32, // of a row of the result, zeros after the last number
    first: u32, // rows that other launches make before this one
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // (rows, width)
@group(0) @binding(1) var<storage, read_write> largest: array<f32>; // (rows), magnitudes
@group(0) @binding(2) var<storage, read_write> halves: array<u32>;  // (rows, words)
@group(0) @binding(3) var<storage, read_write> scales: array<f32>;  // (rows), what takes the scaling back
@group(0) @binding(4) var<storage, read> params: Params;

// The biased exponent of what scales numbers up to `most` to below 2¹⁵. Not so large that taking it back gave zero.
fn scaling_exponent(most: f32) -> u32 {
    let exponent = (bitcast<u32>(most) >> 23u) & 255u;
    return min(268u - exponent, 253u);
}

fn number(row: u32, column: u32) -> f32 {
    let inside = column < params.width;
    // The index is chosen too, since select evaluates both sides and burn adds no bounds check.
    return select(0.0, x[select(0u, row * params.width + column, inside)], inside);
}

@compute @workgroup_size(64, 4)
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
    let word = at.x;
    let row = params.first + at.y;
    if word >= params.words || row >= params.rows {
        return;
    }
    let exponent = scaling_exponent(largest[row]);
    let scale = bitcast<f32>(exponent << 23u);
    let pair = vec2<f32>(number(row, 2u * word), number(row, 2u * word + 1u));
    halves[row * params.words + word] = pack2x16float(scale * pair);
    if word == 0u {
        scales[row] = bitcast<f32>((254u - exponent) << 23u);
    }
}
