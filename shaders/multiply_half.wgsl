// C = A Bᵀ of numbers in half precision on the matrix units of a card, summed in single precision.
//
// A workgroup owns a tile of C, and a subgroup a slot of the tile, which it computes as squares of 16 × 16. A step
// brings STEP numbers of every row of A and B into workgroup memory, while those of the next step are on their way.

enable f16;
enable wgpu_cooperative_matrix;

struct Params {
    rows: u32,
    columns: u32,
    inner: u32,  // a multiple of STEP
    parts: u32,  // 1, or 3 where all numbers are split in two halves
    band: u32,   // rows of tiles that other launches compute before this one
    origin: u32, // what is bound of C are its rows from `origin` on, a multiple of TILE
    height: u32, // so many of them
    gram: u32,   // 1: added to C, and only on and below its diagonal
}

@group(0) @binding(0) var<storage, read_write> a: array<vec4<f16>>;  // (halves, rows, inner / 4)
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f16>>;  // (halves, columns, inner / 4)
@group(0) @binding(2) var<storage, read_write> a_scales: array<f32>; // (rows)
@group(0) @binding(3) var<storage, read_write> b_scales: array<f32>; // (columns)
@group(0) @binding(4) var<storage, read_write> c: array<f32>;        // (rows from `origin` on, columns)
@group(0) @binding(5) var<storage, read> params: Params;

const THREADS: u32 = 256u;
const TILE: u32 = 128u;
const PACKS: u32 = 8u;  // of four numbers, in a STEP of 32
const PITCH: u32 = 10u; // two more, so that neighbouring rows begin in different banks
const SLOTS: u32 = 8u;  // two rows of four, each with squares in four rows of two
const SQUARE: u32 = 16u;
const BROUGHT: u32 = TILE * PACKS / THREADS; // packs of A, and of B, that an invocation brings

var<workgroup> sh_a: array<vec4<f16>, 1280>; // (TILE, PITCH)
var<workgroup> sh_b: array<vec4<f16>, 1280>; // (TILE, PITCH)
var<workgroup> sh_c: array<f32, 2048>;       // (SLOTS, SQUARE, SQUARE)

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
) {
    let corner = vec2<u32>(params.origin + (params.band + group.y) * TILE, group.x * TILE);
    // Above the diagonal nothing is summed, and nothing written.
    let parts = select(params.parts, 0u, params.gram == 1u && corner.y > corner.x);
    let packs = params.inner / 4u;
    // Cards differ in how many subgroups a workgroup has: where they are few, each computes several slots.
    for (var turn = 0u; turn < SLOTS; turn += subgroups) {
        let slot = min(turn + subgroup, SLOTS - 1u);
        let row = 64u * (slot / 4u);
        let col = 32u * (slot % 4u);
        var sums: array<Sum, 8>;
        for (var i = 0u; i < 8u; i++) {
            sums[i] = Sum();
        }
        for (var part = 0u; part < parts; part++) {
            // The halves of A that are multiplied with those of B: near and near, near and left, left and near.
            let a0 = select(0u, params.rows, part == 2u);
            let b0 = select(0u, params.columns, part == 1u);
            var from_a: array<u32, BROUGHT>;
            var from_b: array<u32, BROUGHT>;
            var next_a: array<vec4<f16>, BROUGHT>;
            var next_b: array<vec4<f16>, BROUGHT>;
            for (var i = 0u; i < BROUGHT; i++) {
                let e = lid + i * THREADS;
                // Behind the last row comes the last again: what is made of it is not written.
                from_a[i] = (a0 + min(corner.x + e / PACKS, params.rows - 1u)) * packs + e % PACKS;
                from_b[i] = (b0 + min(corner.y + e / PACKS, params.columns - 1u)) * packs + e % PACKS;
                next_a[i] = a[from_a[i]];
                next_b[i] = b[from_b[i]];
            }
            for (var k = 0u; k < packs; k += PACKS) {
                for (var i = 0u; i < BROUGHT; i++) {
                    let e = lid + i * THREADS;
                    sh_a[e / PACKS * PITCH + e % PACKS] = next_a[i];
                    sh_b[e / PACKS * PITCH + e % PACKS] = next_b[i];
                }
                workgroupBarrier();
                let ahead = select(k, k + PACKS, k + PACKS < packs);
                for (var i = 0u; i < BROUGHT; i++) {
                    next_a[i] = a[from_a[i] + ahead];
                    next_b[i] = b[from_b[i] + ahead];
                }
                for (var half = 0u; half < PACKS; half += 4u) {
                    let left = coopLoad<Right>(&sh_b[col * PITCH + half], PITCH);
                    let right = coopLoad<Right>(&sh_b[(col + SQUARE) * PITCH + half], PITCH);
                    for (var i = 0u; i < 4u; i++) {
                        let of_a = coopLoadT<Left>(&sh_a[(row + SQUARE * i) * PITCH + half], PITCH);
                        sums[2u * i] = coopMultiplyAdd(of_a, left, sums[2u * i]);
                        sums[2u * i + 1u] = coopMultiplyAdd(of_a, right, sums[2u * i + 1u]);
                    }
                }
                workgroupBarrier();
            }
        }
        for (var i = 0u; i < 8u; i++) {
            coopStoreT(sums[i], &sh_c[slot * SQUARE * SQUARE], SQUARE);
            workgroupBarrier();
            for (var e = lane; e < SQUARE * SQUARE; e += lanes) {
                let r = corner.x + row + SQUARE * (i / 2u) + e / SQUARE;
                let s = corner.y + col + SQUARE * (i % 2u) + e % SQUARE;
                let inside = r < params.origin + params.height && s < params.columns;
                // Where subgroups are many, the last of them have no slot of their own.
                if inside && turn + subgroup < SLOTS && (params.gram == 0u || s <= r) {
                    let value = sh_c[slot * SQUARE * SQUARE + e] * a_scales[r] * b_scales[s];
                    let at = (r - params.origin) * params.columns + s;
                    c[at] = select(value, c[at] + value, params.gram == 1u);
                }
            }
            workgroupBarrier();
        }
    }
}
