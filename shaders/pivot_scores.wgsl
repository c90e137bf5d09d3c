// score_b = Σ_{j in group b} ‖W_:j‖² / (L_b)_jj², the grouped-Cholesky score of the SlimGPT paper,
// with L_b the Cholesky factor of [H⁻¹]_bb.

struct Params {
    blocks: u32,
    n: u32,
}

@group(0) @binding(0) var<storage, read_write> l: array<f32>;       // (blocks, n, n)
@group(0) @binding(1) var<storage, read_write> norms: array<f32>;   // (columns)
@group(0) @binding(2) var<storage, read_write> columns: array<i32>; // (blocks, n): the columns of each group
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;  // (blocks)
@group(0) @binding(4) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.x;
    if block >= params.blocks {
        return;
    }
    // One invocation adds up a group, in the order of its columns: there are at most 256.
    var score = 0.0;
    for (var j = 0u; j < params.n; j++) {
        let root = l[(block * params.n + j) * params.n + j];
        score += norms[columns[block * params.n + j]] / (root * root);
    }
    scores[block] = score;
}
