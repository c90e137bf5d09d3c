// Singles to half precision (f16, two in a word), to the nearest, ties to even: bit by bit, as numbers are widened.

struct Params {
    count: u32,  // numbers
    stride: u32, // words in a row of invocations
}

@group(0) @binding(0) var<storage, read_write> singles: array<u32>; // (count), the bits of f32
@group(0) @binding(1) var<storage, read_write> halves: array<u32>;  // (⌈count / 2⌉), the first of two in the low half
@group(0) @binding(2) var<storage, read> params: Params;

// Drops this many low bits, from 1 to 24.
fn rounded(bits: u32, dropped: u32) -> u32 {
    let odd = (bits >> dropped) & 1u;
    return (bits + (1u << (dropped - 1u)) - 1u + odd) >> dropped;
}

fn half_of(single: u32) -> u32 {
    let sign = (single >> 16u) & 0x8000u;
    let size = single & 0x7fffffffu;
    if size > 0x7f800000u {
        // Not a number.
        return sign | 0x7e00u;
    }
    let exponent = size >> 23u;
    if exponent > 142u {
        // From 2¹⁶ on.
        return sign | 0x7c00u;
    }
    if exponent >= 113u {
        // 112 = 127 - 15: where each counts its exponents from. What is rounded up beyond the largest becomes infinite.
        return sign | rounded(size - (112u << 23u), 13u);
    }
    if exponent < 102u {
        // Below half of the smallest.
        return sign;
    }
    // Subnormal: in units of 2⁻²⁴, with the first bit, which singles leave out.
    return sign | rounded((size & 0x7fffffu) | 0x800000u, 126u - exponent);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let word = id.y * params.stride + id.x;
    let at = 2u * word;
    // Rows are rounded up to whole workgroups, and the last one is not full.
    if id.x >= params.stride || at >= params.count {
        return;
    }
    var both = half_of(singles[at]);
    if at + 1u < params.count {
        both |= half_of(singles[at + 1u]) << 16u;
    }
    halves[word] = both;
}
