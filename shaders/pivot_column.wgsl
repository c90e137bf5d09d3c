// Step 3 of removing column p: e = W_:p / √[H⁻¹]_pp, from the deferred weights
// W = base − Σ_{i<k} e_i u_iᵀ.

struct Params {
    rows: u32,
    columns: u32,
    step: u32,
    depth: u32, // k: steps since the last flush
}

@group(0) @binding(0) var<storage, read_write> base: array<f32>;  // (rows, columns): W at the last flush
@group(0) @binding(1) var<storage, read_write> e: array<f32>;     // (block, rows)
@group(0) @binding(2) var<storage, read_write> u: array<f32>;     // (block, columns)
@group(0) @binding(3) var<storage, read_write> order: array<i32>; // (steps)
@group(0) @binding(4) var<storage, read_write> roots: array<f32>; // (steps)
@group(0) @binding(5) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= params.rows {
        return;
    }
    let p = u32(order[params.step]);
    var value = base[row * params.columns + p];
    // Not yet moved: the pairs since the last flush correct the entry that is read.
    for (var i = 0u; i < params.depth; i++) {
        value -= e[i * params.rows + row] * u[i * params.columns + p];
    }
    e[params.depth * params.rows + row] = value / roots[params.step];
}
