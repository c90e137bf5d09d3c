// One column goes, in one launch. With p the cheapest column, r = √[H⁻¹]_pp and M = WᵀW:
//
//     u = [H⁻¹]_p: / r     v = M_p: / r     c = ‖W_:p‖² / [H⁻¹]_pp     z = v − c/2 u
//     H⁻¹ loses u uᵀ, and M loses z uᵀ + u zᵀ: so W, which loses (W_:p / r) uᵀ, need not be read.
//
// Both are deferred, H⁻¹ = base − Σ_{i<k} u_i u_iᵀ: a removal reads row p of each. Every workgroup finds p among the
// cheapest columns that each told in the launch before, moves its own columns, and tells the cheapest of them. The
// choice stays on the device, so a block of removals needs no readback.
//
// H⁻¹ and M may come in blocks of rows that no kernel binds at once: the elements of row p are then fetched from one
// after the other, and the launch with the last of them does the rest.
//
// A column whose pivot is not positive, or whose score is not finite, goes before all others: the host reads its pivot
// instead of a root, or its score, and tells.

struct Params {
    columns: u32,
    width: u32,  // of a row of `pairs`
    block: u32,  // rows of each kind in `pairs`
    step: u32,   // how many columns went before this one
    depth: u32,  // k: how many of them since the last flush
    first: u32,  // the first row of the block of H⁻¹ and M, and how many it has
    rows: u32,
    parts: u32,  // what is done: the sum of some of the numbers below
}

@group(0) @binding(0) var<storage, read_write> h_inv: array<f32>;     // (rows, columns), lower triangle: H⁻¹ at the last flush
@group(0) @binding(1) var<storage, read_write> gram: array<f32>;      // (rows, columns), lower triangle: M at the last flush
@group(0) @binding(2) var<storage, read_write> pairs: array<f32>;     // (3 block, width): u_i, z_i, and what others keep there
@group(0) @binding(3) var<storage, read_write> diagonals: array<f32>; // (3, columns): ‖W_:j‖², [H⁻¹]_jj, 1 there or 0 gone
@group(0) @binding(4) var<storage, read_write> cheapest: array<vec4<f32>>; // (2, workgroups): rank, column, ‖W_:j‖², [H⁻¹]_jj
@group(0) @binding(5) var<storage, read_write> chosen: array<f32>;    // (steps, 3): p, its score, √[H⁻¹]_pp or [H⁻¹]_pp that has no root
@group(0) @binding(6) var<storage, read> params: Params;

const READS: u32 = 1u;   // [H⁻¹]_jj of the block's rows, after a flush
const FETCHES: u32 = 2u; // elements of row p that the block has
const GOES: u32 = 4u;    // column p, of which all elements are there
const TELLS: u32 = 8u;   // the cheapest column that is left

const NONE: f32 = -1.0;
const LARGEST: f32 = 0x1.fffffep+127f;

var<workgroup> sh_best: array<vec4<f32>, 64>;

// Of equal scores the lowest column goes first.
fn goes_before(a: vec4<f32>, b: vec4<f32>) -> bool {
    if a.y == NONE {
        return false;
    }
    return b.y == NONE || a.x < b.x || (a.x == b.x && a.y < b.y);
}

// Leaves the first to go of all invocations' in sh_best[0].
fn find_first(own: vec4<f32>, lid: u32) {
    sh_best[lid] = own;
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if lid < stride && goes_before(sh_best[lid + stride], sh_best[lid]) {
            sh_best[lid] = sh_best[lid + stride];
        }
        workgroupBarrier();
    }
}

fn does(part: u32) -> bool {
    return (params.parts & part) != 0u;
}

fn ranked(j: u32) -> vec4<f32> {
    if diagonals[2u * params.columns + j] == 0.0 {
        return vec4<f32>(0.0, NONE, 0.0, 0.0);
    }
    let norm = diagonals[j];
    let pivot = diagonals[params.columns + j];
    let score = norm / pivot;
    // Written this way round, what is not a number fails too.
    let rank = select(-1.0, score, pivot > 0.0 && score <= LARGEST);
    return vec4<f32>(rank, f32(j), norm, pivot);
}

fn root_of(pivot: f32) -> f32 {
    if pivot > 0.0 {
        return sqrt(pivot);
    }
    return pivot;
}

// Row p of H⁻¹ and of M at column j, where u and z will stand.
fn fetch(j: u32, p: u32) {
    // Below the diagonal: row p as far as its diagonal, and column p from there on.
    let row = max(p, j) - params.first;
    if max(p, j) >= params.first && row < params.rows {
        let place = row * params.columns + min(p, j);
        pairs[params.depth * params.width + j] = h_inv[place];
        pairs[(params.block + params.depth) * params.width + j] = gram[place];
    }
}

// Moves column j by the removal of `gone`.
fn remove(j: u32, gone: vec4<f32>) {
    let n = params.columns;
    let p = u32(gone.y);
    let root = root_of(gone.w);
    let half_cost = 0.5 * gone.z / gone.w;
    var u = 0.0;
    var z = 0.0;
    if j == p {
        // Exactly the root, so that W_:p loses itself up to one rounding.
        u = root;
        z = half_cost * root;
        diagonals[2u * n + j] = 0.0;
    } else if diagonals[2u * n + j] != 0.0 {
        u = pairs[params.depth * params.width + j];
        var v = pairs[(params.block + params.depth) * params.width + j];
        for (var i = 0u; i < params.depth; i++) {
            let u_row = i * params.width;
            let z_row = (params.block + i) * params.width;
            u -= pairs[u_row + j] * pairs[u_row + p];
            v -= pairs[z_row + j] * pairs[u_row + p] + pairs[u_row + j] * pairs[z_row + p];
        }
        u /= root;
        z = v / root - half_cost * u;
        // A length cannot be negative; rounding could make it so when W_:j is nearly all compensation.
        diagonals[j] = max(0.0, diagonals[j] - 2.0 * u * z);
        diagonals[n + j] -= u * u;
    }
    // Of columns that are gone exactly zero.
    pairs[params.depth * params.width + j] = u;
    pairs[(params.block + params.depth) * params.width + j] = z;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
) {
    var first = vec4<f32>(0.0, NONE, 0.0, 0.0);
    if does(FETCHES) {
        // The halves take turns: this launch writes the other one.
        for (var i = lid; i < groups.x; i += 64u) {
            let told = cheapest[(params.depth & 1u) * groups.x + i];
            if goes_before(told, first) {
                first = told;
            }
        }
    }
    find_first(first, lid);
    let gone = sh_best[0];
    // Everybody has read it before it is written over.
    workgroupBarrier();
    if does(GOES) && group.x == 0u && lid == 0u && gone.y != NONE {
        chosen[3u * params.step] = gone.y;
        // The true quotient, not the rank that put it first.
        chosen[3u * params.step + 1u] = gone.z / gone.w;
        chosen[3u * params.step + 2u] = root_of(gone.w);
    }
    let j = group.x * 64u + lid;
    var own = vec4<f32>(0.0, NONE, 0.0, 0.0);
    if j < params.columns {
        if does(READS) && j >= params.first && j - params.first < params.rows {
            diagonals[params.columns + j] = h_inv[(j - params.first) * params.columns + j];
        }
        if does(FETCHES) && gone.y != NONE {
            fetch(j, u32(gone.y));
        }
        if does(GOES) && gone.y != NONE {
            remove(j, gone);
        }
        own = ranked(j);
    }
    find_first(own, lid);
    if does(TELLS) && lid == 0u {
        let half = select(0u, (params.depth + 1u) & 1u, does(GOES));
        cheapest[half * groups.x + group.x] = sh_best[0];
    }
}
