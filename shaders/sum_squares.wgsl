// out_b = ‖v_b‖² for a batch of vectors: with v_b = L_b⁻¹ W_bᵀ this is the exact cost of a group,
// tr(W_b [H⁻¹]_bb⁻¹ W_bᵀ). One workgroup a vector; the tree of additions is fixed.

struct Params {
    vectors: u32,
    length: u32,
}

@group(0) @binding(0) var<storage, read_write> v: array<f32>;   // (vectors, length)
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // (vectors)
@group(0) @binding(2) var<storage, read> params: Params;

var<workgroup> sh_partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let vector = group.x;
    if vector >= params.vectors {
        return;
    }
    var partial = 0.0;
    for (var i = lid; i < params.length; i += 256u) {
        let value = v[vector * params.length + i];
        partial += value * value;
    }
    sh_partial[lid] = partial;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if lid < stride {
            sh_partial[lid] += sh_partial[lid + stride];
        }
        workgroupBarrier();
    }
    if lid == 0u {
        out[vector] = sh_partial[0];
    }
}
