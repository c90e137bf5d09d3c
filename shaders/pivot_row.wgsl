// Step 2 of removing column p: u = [H⁻¹]_p: / √[H⁻¹]_pp, from the deferred inverse
// H⁻¹ = base − Σ_{i<k} u_i u_iᵀ, and the new diagonal [H⁻¹]_jj − u_j².
// Columns that are gone get u_j = 0, exactly.

struct Params {
    columns: u32,
    step: u32,  // index of p in `order`
    depth: u32, // k: steps since the last flush
    first: u32,  // the row of H⁻¹ that is bound first
    height: u32, // rows that are bound; another row of p is left to who binds it
}

@group(0) @binding(0) var<storage, read_write> base: array<f32>;   // (height, columns): H⁻¹ at the last flush
@group(0) @binding(1) var<storage, read_write> u: array<f32>;      // (block, columns)
@group(0) @binding(2) var<storage, read_write> pivots: array<f32>; // (columns)
@group(0) @binding(3) var<storage, read_write> alive: array<f32>;  // (columns)
@group(0) @binding(4) var<storage, read_write> order: array<i32>;  // (steps)
@group(0) @binding(5) var<storage, read_write> roots: array<f32>;  // (steps)
@group(0) @binding(6) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let j = id.x;
    if j >= params.columns {
        return;
    }
    let p = u32(order[params.step]);
    if p < params.first || p - params.first >= params.height {
        return;
    }
    let root = roots[params.step];
    var value = 0.0;
    if j == p {
        // Exactly the root, so that W_:p − e u_p is zero up to one rounding.
        value = root;
    } else if alive[j] != 0.0 {
        value = base[(p - params.first) * params.columns + j];
        for (var i = 0u; i < params.depth; i++) {
            value -= u[i * params.columns + j] * u[i * params.columns + p];
        }
        value /= root;
        pivots[j] -= value * value;
    }
    u[params.depth * params.columns + j] = value;
}
