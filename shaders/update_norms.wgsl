// Step 5 of removing a column: with v = Wᵀe the new squared column lengths are
// ‖W_:j − e u_j‖² = ‖W_:j‖² − 2 u_j v_j + u_j² ‖e‖².
// W is deferred: v_j = base_:j · e_k − Σ_{i<k} u_ij g_i. This is the only step that reads all of
// W; H⁻¹ and W themselves are rewritten once per block of removals.

struct Params {
    rows: u32,
    columns: u32,
    depth: u32, // k
}

@group(0) @binding(0) var<storage, read_write> base: array<f32>;  // (rows, columns): W at the last flush
@group(0) @binding(1) var<storage, read_write> e: array<f32>;     // (block, rows)
@group(0) @binding(2) var<storage, read_write> u: array<f32>;     // (block, columns)
@group(0) @binding(3) var<storage, read_write> g: array<f32>;     // (block): e_i · e_k
@group(0) @binding(4) var<storage, read_write> norms: array<f32>; // (columns)
@group(0) @binding(5) var<storage, read> params: Params;

var<workgroup> sh_partial: array<f32, 256>; // (4, 64)

@compute @workgroup_size(64, 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
    let column = group.x * 64u + lid.x;
    let k = params.depth;
    var partial = 0.0;
    if column < params.columns {
        for (var row = lid.y; row < params.rows; row += 4u) {
            partial += base[row * params.columns + column] * e[k * params.rows + row];
        }
    }
    sh_partial[lid.y * 64u + lid.x] = partial;
    // Invocations without a column stay until here: all must reach the barrier.
    workgroupBarrier();
    if lid.y == 0u && column < params.columns {
        var v = sh_partial[lid.x] + sh_partial[64u + lid.x] + sh_partial[128u + lid.x] + sh_partial[192u + lid.x];
        for (var i = 0u; i < k; i++) {
            v -= u[i * params.columns + column] * g[i];
        }
        let u_j = u[k * params.columns + column];
        // A length cannot be negative; rounding could make it so when W_:j is nearly all compensation.
        norms[column] = max(0.0, norms[column] - 2.0 * u_j * v + u_j * u_j * g[k]);
    }
}
