// Step 1 of removing one column: p = argmin_j ‖W_:j‖² / [H⁻¹]_jj over the columns still there.
// One workgroup. Of equal scores the lowest column wins. The choice stays on the device, so a
// block of removals needs no readback.
//
// A column whose pivot is not positive, or whose score is not finite, goes before all others: the
// host reads its pivot instead of a root, or its score, and tells.

struct Params {
    columns: u32,
    step: u32, // how many columns went before this one
}

@group(0) @binding(0) var<storage, read_write> norms: array<f32>;  // (columns): ‖W_:j‖²
@group(0) @binding(1) var<storage, read_write> pivots: array<f32>; // (columns): [H⁻¹]_jj
@group(0) @binding(2) var<storage, read_write> alive: array<f32>;  // (columns): 1 there, 0 gone
@group(0) @binding(3) var<storage, read_write> order: array<i32>;  // (steps): p
@group(0) @binding(4) var<storage, read_write> costs: array<f32>;  // (steps): the score of p
@group(0) @binding(5) var<storage, read_write> roots: array<f32>;  // (steps): √[H⁻¹]_pp, or [H⁻¹]_pp that has no root
@group(0) @binding(6) var<storage, read> params: Params;

const NONE: u32 = 0xffffffffu;
const LARGEST: f32 = 0x1.fffffep+127f;

var<workgroup> sh_score: array<f32, 256>;
var<workgroup> sh_column: array<u32, 256>;

fn rank(column: u32) -> f32 {
    let score = norms[column] / pivots[column];
    // Written this way round, what is not a number fails too.
    return select(-1.0, score, pivots[column] > 0.0 && score <= LARGEST);
}

fn better(score: f32, column: u32, than_score: f32, than_column: u32) -> bool {
    if column == NONE {
        return false;
    }
    return than_column == NONE || score < than_score || (score == than_score && column < than_column);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lid: u32) {
    var best = 0.0;
    var best_column = NONE;
    for (var j = lid; j < params.columns; j += 256u) {
        if alive[j] != 0.0 {
            let score = rank(j);
            if better(score, j, best, best_column) {
                best = score;
                best_column = j;
            }
        }
    }
    sh_score[lid] = best;
    sh_column[lid] = best_column;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if lid < stride && better(sh_score[lid + stride], sh_column[lid + stride], sh_score[lid], sh_column[lid]) {
            sh_score[lid] = sh_score[lid + stride];
            sh_column[lid] = sh_column[lid + stride];
        }
        workgroupBarrier();
    }
    if lid == 0u && sh_column[0] != NONE {
        let p = sh_column[0];
        order[params.step] = i32(p);
        let pivot = pivots[p];
        costs[params.step] = sh_score[0];
        // The host is told the true quotient, not the rank that put it first.
        if sh_score[0] < 0.0 {
            costs[params.step] = norms[p] / pivot;
        }
        roots[params.step] = pivot;
        if pivot > 0.0 {
            roots[params.step] = sqrt(pivot);
        }
        alive[p] = 0.0;
    }
}
