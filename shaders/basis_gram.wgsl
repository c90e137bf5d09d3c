// Step 4 of removing a column: g_i = e_i · e_k for every deferred e_i, i ≤ k.
// One workgroup a product; g_k = ‖e_k‖² is what the removal costs.

struct Params {
    rows: u32,
    depth: u32, // k
}

@group(0) @binding(0) var<storage, read_write> e: array<f32>; // (block, rows)
@group(0) @binding(1) var<storage, read_write> g: array<f32>; // (block)
@group(0) @binding(2) var<storage, read> params: Params;

var<workgroup> sh_partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let i = group.x;
    if i > params.depth {
        return;
    }
    var partial = 0.0;
    for (var row = lid; row < params.rows; row += 256u) {
        partial += e[i * params.rows + row] * e[params.depth * params.rows + row];
    }
    sh_partial[lid] = partial;
    workgroupBarrier();
    // A tree of fixed shape, so that equal inputs give equal bits.
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if lid < stride {
            sh_partial[lid] += sh_partial[lid + stride];
        }
        workgroupBarrier();
    }
    if lid == 0u {
        g[i] = sh_partial[0];
    }
}
