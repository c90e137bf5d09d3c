// B_b ← L_b⁻¹ B_b for a batch of lower triangular blocks: forward substitution.
// One invocation owns one right-hand column, so neighbours read neighbours.

struct Params {
    blocks: u32,
    n: u32,
    columns: u32,
}

@group(0) @binding(0) var<storage, read_write> l: array<f32>; // (blocks, n, n), lower triangular
@group(0) @binding(1) var<storage, read_write> b: array<f32>; // (blocks, n, columns): right-hand sides in, solutions out
@group(0) @binding(2) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    let block = id.y;
    if column >= params.columns || block >= params.blocks {
        return;
    }
    let n = params.n;
    let l0 = block * n * n;
    let b0 = block * n * params.columns + column;
    // In place and in order of rows: row i needs the solutions above it, which only this invocation wrote.
    for (var i = 0u; i < n; i++) {
        var value = b[b0 + i * params.columns];
        for (var j = 0u; j < i; j++) {
            value -= l[l0 + i * n + j] * b[b0 + j * params.columns];
        }
        b[b0 + i * params.columns] = value / l[l0 + i * n + i];
    }
}
