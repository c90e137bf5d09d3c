// Numbers of two bytes to singles, bit by bit: a driver may take subnormal numbers for zeros wherever it computes with
// them, and many have no f16.

struct Params {
    count: u32,   // numbers
    stride: u32,  // words in a row of invocations
    is_bf16: u32, // 1 where they are bf16, 0 where they are f16
}

@group(0) @binding(0) var<storage, read_write> halves: array<u32>;  // (⌈count / 2⌉), the first of two in the low half
@group(0) @binding(1) var<storage, read_write> singles: array<u32>; // (count), the bits of f32
@group(0) @binding(2) var<storage, read> params: Params;

fn of_f16(half: u32) -> u32 {
    let sign = (half & 0x8000u) << 16u;
    let exponent = (half >> 10u) & 0x1fu;
    let fraction = half & 0x3ffu;
    if exponent == 0x1fu {
        // Infinite, or with a fraction not a number.
        return sign | 0x7f800000u | (fraction << 13u);
    }
    if exponent != 0u {
        // 127 - 15: where each counts its exponents from.
        return sign | ((exponent + 112u) << 23u) | (fraction << 13u);
    }
    if fraction == 0u {
        return sign;
    }
    // Subnormal: fraction · 2⁻²⁴, normal as a single. Its first bit is left out, as of all normal numbers.
    let first = firstLeadingBit(fraction);
    return sign | ((first + 103u) << 23u) | ((fraction << (23u - first)) & 0x7fffffu);
}

fn single(half: u32) -> u32 {
    if params.is_bf16 == 1u {
        // The upper half of a single.
        return half << 16u;
    }
    return of_f16(half);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let word = id.y * params.stride + id.x;
    let at = 2u * word;
    // Rows are rounded up to whole workgroups, and the last one is not full.
    if id.x >= params.stride || at >= params.count {
        return;
    }
    let both = halves[word];
    singles[at] = single(both & 0xffffu);
    if at + 1u < params.count {
        singles[at + 1u] = single(both >> 16u);
    }
}
