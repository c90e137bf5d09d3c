// e_i = W_:p / r of every column p that went since the last flush, from the deferred weights
// W = base − Σ_{l<i} e_l u_lᵀ: an invocation solves for a row of W, in the order in which the columns went.

struct Params {
    rows: u32,
    columns: u32,
    width: u32, // of a row of `pairs`
    block: u32, // rows of each kind in `pairs`
    first: u32, // how many columns went before the last flush
    depth: u32, // how many since
}

@group(0) @binding(0) var<storage, read_write> base: array<f32>;   // (rows, columns): W at the last flush
@group(0) @binding(1) var<storage, read_write> pairs: array<f32>;  // (3 block, width): u_i, others' z_i, e_i
@group(0) @binding(2) var<storage, read_write> chosen: array<f32>; // (steps, 3): p, and what else is told of it
@group(0) @binding(3) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= params.rows {
        return;
    }
    let e_rows = 2u * params.block * params.width;
    for (var i = 0u; i < params.depth; i++) {
        let p = u32(chosen[3u * (params.first + i)]);
        var value = base[row * params.columns + p];
        for (var l = 0u; l < i; l++) {
            value -= pairs[e_rows + l * params.width + row] * pairs[l * params.width + p];
        }
        // u_i at its own column is the root r.
        pairs[e_rows + i * params.width + row] = value / pairs[i * params.width + p];
    }
}
