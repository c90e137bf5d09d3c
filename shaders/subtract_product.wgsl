// A −= Σ_t x_t y_tᵀ in place, with x_t and y_t rows of one buffer: what a block of removals takes from H⁻¹, from WᵀW and
// from W.
//
// Tiles, patches and the folded grid of a triangle are those of hessian_accumulate.wgsl, for its reasons. A launch
// computes some of the grid's rows.

struct Params {
    first: u32, // the first row of A that is bound, a multiple of four, and how many are
    rows: u32,
    columns: u32,
    quads: u32,  // in a row of `pairs`
    lower: u32,  // 1 where A is symmetric and only its lower triangle is there
    folded: u32, // 1 where the grid is the folded triangle of the whole of A
    band: u32,   // rows of the grid that other launches compute before this one
    depth: u32,  // how many products are summed
    // Of these so many are of the rows from x_first and y_first on, the others of those from x_second and y_second on.
    half: u32,
    x_first: u32,
    y_first: u32,
    x_second: u32,
    y_second: u32,
}

@group(0) @binding(0) var<storage, read_write> pairs: array<vec4<f32>>; // (rows of pairs, quads), zeros after the last element
@group(0) @binding(1) var<storage, read_write> a: array<f32>;           // (rows, columns) from row `first` on
@group(0) @binding(2) var<storage, read> params: Params;

const TILE: u32 = 128u;
const QUADS: u32 = 32u; // of four elements, in a side of a tile
const DEPTH: u32 = 8u;  // products held in workgroup memory
const HALF: u32 = 16u;  // quads from one half of a patch to the other

var<workgroup> sh_x: array<vec4<f32>, 256>; // (DEPTH, QUADS)
var<workgroup> sh_y: array<vec4<f32>, 256>; // (DEPTH, QUADS)

// 8 × 8 elements of the sum as four quarters, 64 apart in the tile; a matrix's columns are rows of A.
struct Patch {
    upper_left: mat4x4<f32>,
    upper_right: mat4x4<f32>,
    lower_left: mat4x4<f32>,
    lower_right: mat4x4<f32>,
}

// Four elements of row `row` for product t; zeros outside.
fn load(t: u32, row: u32, quad: u32) -> vec4<f32> {
    let inside = t < params.depth && quad < params.quads;
    // The index is chosen too, since select evaluates both sides and burn adds no bounds check.
    return select(vec4<f32>(0.0), pairs[select(0u, row * params.quads + quad, inside)], inside);
}

fn x_row(t: u32) -> u32 {
    return select(params.x_second + t - params.half, params.x_first + t, t < params.half);
}

fn y_row(t: u32) -> u32 {
    return select(params.y_second + t - params.half, params.y_first + t, t < params.half);
}

// m + r cᵀ, in rows of A.
fn plus_outer(m: mat4x4<f32>, r: vec4<f32>, c: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(m[0] + r.x * c, m[1] + r.y * c, m[2] + r.z * c, m[3] + r.w * c);
}

// The patch with product k of workgroup memory added.
fn plus_product(sums: Patch, k: u32, row: u32, col: u32) -> Patch {
    let upper = sh_x[k * QUADS + row];
    let lower = sh_x[k * QUADS + row + HALF];
    let left = sh_y[k * QUADS + col];
    let right = sh_y[k * QUADS + col + HALF];
    return Patch(
        plus_outer(sums.upper_left, upper, left),
        plus_outer(sums.upper_right, upper, right),
        plus_outer(sums.lower_left, lower, left),
        plus_outer(sums.lower_right, lower, right),
    );
}

fn subtract_row(row: u32, col: u32, values: vec4<f32>) {
    for (var k = 0u; k < 4u; k++) {
        let column = col + k;
        // Above a triangle's diagonal nothing is written.
        let is_there = params.lower == 0u || column <= params.first + row;
        if row < params.rows && column < params.columns && is_there {
            a[row * params.columns + column] -= values[k];
        }
    }
}

fn subtract_quarter(row_quad: u32, col_quad: u32, m: mat4x4<f32>) {
    let row = 4u * row_quad;
    let col = 4u * col_quad;
    subtract_row(row, col, m[0]);
    subtract_row(row + 1u, col, m[1]);
    subtract_row(row + 2u, col, m[2]);
    subtract_row(row + 3u, col, m[3]);
}

// The row and the column of a workgroup's tile: of a triangle two rows of tiles stand in a row of the grid, the y-th from
// the bottom and the one from the top that fills the grid's width.
fn tile_of(group: vec3<u32>) -> vec2<u32> {
    let y = params.band + group.y;
    if params.folded == 0u {
        return vec2<u32>(y, group.x);
    }
    let tiles = (params.rows + TILE - 1u) / TILE;
    let length = tiles - y;
    let from_top = group.x >= length;
    let row = select(length - 1u, y - (tiles & 1u), from_top);
    let col = select(group.x, group.x - length, from_top);
    return vec2<u32>(row, col);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let tile = QUADS * tile_of(group);
    let row = lid / HALF;
    let col = lid % HALF;
    let staged = vec2<u32>(lid / QUADS, lid % QUADS); // the product and the quad that this invocation loads

    var sums = Patch();
    for (var t0 = 0u; t0 < params.depth; t0 += DEPTH) {
        let t = t0 + staged.x;
        sh_x[lid] = load(t, x_row(t), params.first / 4u + tile.x + staged.y);
        sh_y[lid] = load(t, y_row(t), tile.y + staged.y);
        workgroupBarrier();
        sums = plus_product(sums, 0u, row, col);
        sums = plus_product(sums, 1u, row, col);
        sums = plus_product(sums, 2u, row, col);
        sums = plus_product(sums, 3u, row, col);
        sums = plus_product(sums, 4u, row, col);
        sums = plus_product(sums, 5u, row, col);
        sums = plus_product(sums, 6u, row, col);
        sums = plus_product(sums, 7u, row, col);
        workgroupBarrier();
    }

    let corner = tile + vec2<u32>(row, col);
    subtract_quarter(corner.x, corner.y, sums.upper_left);
    subtract_quarter(corner.x, corner.y + HALF, sums.upper_right);
    subtract_quarter(corner.x + HALF, corner.y, sums.lower_left);
    subtract_quarter(corner.x + HALF, corner.y + HALF, sums.lower_right);
}
