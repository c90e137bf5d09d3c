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

var<workgroup> sh_a: array<vec4<f16>, 1280>; // (TILE, PITCH)
var<workgroup> sh_b: array<vec4<f16>, 1280>; // (TILE, PITCH)
var<workgroup> sh_c: array<f32, 2048>;       // (SLOTS, SQUARE, SQUARE)

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

// A square of C from workgroup memory, with the scaling of its rows and columns taken back.
fn write(at: vec2<u32>, slot: u32, lane: u32, lanes: u32, elements: u32) {
    for (var e = lane; e < elements; e += lanes) {
        let r = at.x + e / SQUARE;
        let s = at.y + e % SQUARE;
        if r < params.origin + params.height && s < params.columns && (params.gram == 0u || s <= r) {
            let value = sh_c[slot * SQUARE * SQUARE + e] * a_scales[r] * b_scales[s];
            let place = (r - params.origin) * params.columns + s;
            c[place] = select(value, c[place] + value, params.gram == 1u);
        }
    }
}

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
    // An invocation brings four packs of A and four of B. They, too, are named one by one: see below.
    let brought = lid + THREADS * vec4<u32>(0u, 1u, 2u, 3u);
    let of_row = brought / PACKS;
    let of_pack = brought % PACKS;
    let place = of_row * PITCH + of_pack;
    // Cards differ in how many subgroups a workgroup has: where they are few, each computes several slots.
    for (var turn = 0u; turn < SLOTS; turn += subgroups) {
        let slot = min(turn + subgroup, SLOTS - 1u);
        let row = 64u * (slot / 4u);
        let col = 32u * (slot % 4u);
        // Named one by one: NVIDIA's compiler moves arrays of squares, and of what is on its way, to memory, and is then
        // three times as slow.
        var sum_00 = Sum();
        var sum_01 = Sum();
        var sum_10 = Sum();
        var sum_11 = Sum();
        var sum_20 = Sum();
        var sum_21 = Sum();
        var sum_30 = Sum();
        var sum_31 = Sum();
        for (var part = 0u; part < parts; part++) {
            // The halves of A that are multiplied with those of B: near and near, near and left, left and near.
            let a0 = select(0u, params.rows, part == 2u);
            let b0 = select(0u, params.columns, part == 1u);
            // Behind the last row comes the last again: what is made of it is not written.
            let in_a = (a0 + min(corner.x + of_row, vec4<u32>(params.rows - 1u))) * packs + of_pack;
            let in_b = (b0 + min(corner.y + of_row, vec4<u32>(params.columns - 1u))) * packs + of_pack;
            var ax = a[in_a.x];
            var ay = a[in_a.y];
            var az = a[in_a.z];
            var aw = a[in_a.w];
            var bx = b[in_b.x];
            var by = b[in_b.y];
            var bz = b[in_b.z];
            var bw = b[in_b.w];
            for (var k = 0u; k < packs; k += PACKS) {
                sh_a[place.x] = ax;
                sh_a[place.y] = ay;
                sh_a[place.z] = az;
                sh_a[place.w] = aw;
                sh_b[place.x] = bx;
                sh_b[place.y] = by;
                sh_b[place.z] = bz;
                sh_b[place.w] = bw;
                workgroupBarrier();
                let ahead = select(k, k + PACKS, k + PACKS < packs);
                ax = a[in_a.x + ahead];
                ay = a[in_a.y + ahead];
                az = a[in_a.z + ahead];
                aw = a[in_a.w + ahead];
                bx = b[in_b.x + ahead];
                by = b[in_b.y + ahead];
                bz = b[in_b.z + ahead];
                bw = b[in_b.w + ahead];
                for (var half = 0u; half < PACKS; half += 4u) {
                    let b_0 = coopLoad<Right>(&sh_b[col * PITCH + half], PITCH);
                    let b_1 = coopLoad<Right>(&sh_b[(col + 16u) * PITCH + half], PITCH);
                    let a_0 = coopLoadT<Left>(&sh_a[row * PITCH + half], PITCH);
                    sum_00 = coopMultiplyAdd(a_0, b_0, sum_00);
                    sum_01 = coopMultiplyAdd(a_0, b_1, sum_01);
                    let a_1 = coopLoadT<Left>(&sh_a[(row + 16u) * PITCH + half], PITCH);
                    sum_10 = coopMultiplyAdd(a_1, b_0, sum_10);
                    sum_11 = coopMultiplyAdd(a_1, b_1, sum_11);
                    let a_2 = coopLoadT<Left>(&sh_a[(row + 32u) * PITCH + half], PITCH);
                    sum_20 = coopMultiplyAdd(a_2, b_0, sum_20);
                    sum_21 = coopMultiplyAdd(a_2, b_1, sum_21);
                    let a_3 = coopLoadT<Left>(&sh_a[(row + 48u) * PITCH + half], PITCH);
                    sum_30 = coopMultiplyAdd(a_3, b_0, sum_30);
                    sum_31 = coopMultiplyAdd(a_3, b_1, sum_31);
                }
                workgroupBarrier();
            }
        }
        // Where subgroups are many, the last of them have no slot of their own.
        let elements = select(0u, SQUARE * SQUARE, turn + subgroup < SLOTS);
        coopStoreT(sum_00, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row, col), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_01, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row, col + 16u), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_10, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 16u, col), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_11, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 16u, col + 16u), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_20, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 32u, col), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_21, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 32u, col + 16u), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_30, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 48u, col), slot, lane, lanes, elements);
        workgroupBarrier();
        coopStoreT(sum_31, &sh_c[slot * SQUARE * SQUARE], SQUARE);
        workgroupBarrier();
        write(corner + vec2<u32>(row + 48u, col + 16u), slot, lane, lanes, elements);
        workgroupBarrier();
    }
}
