// H += XᵀX, lower triangle only: the symmetric rank-k update behind every Hessian.
//
// One workgroup owns one 128 × 128 tile of H, on or below the diagonal. Each invocation keeps an
// 8 × 8 patch of the tile in registers, so that sixteen numbers read from workgroup memory feed
// sixty-four multiply-adds; the code of a patch is written out, because a loop over it would put
// it into memory on drivers that do not unroll. The grid is the triangle folded to a rectangle:
// with an early return instead, every later instruction would run under a mask. A launch computes
// some of the grid's rows. Tokens are taken in order and no atomics are used: the same input gives
// the same bytes.

struct Params {
    tokens: u32,
    features: u32,
    // 1 where X is a lower triangular matrix, from its row `first` on: above its diagonal nothing is read.
    triangular: u32,
    first: u32,
    band: u32, // rows of the grid that other launches compute before this one
    // What is bound of H are its rows from `origin` on, a multiple of TILE; `side` rows of tiles of them are computed:
    // the triangle that begins there, or, where `left` is 1, all that is left of it.
    origin: u32,
    side: u32,
    left: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // (tokens, ⌈features / 4⌉), zeros after the last feature
@group(0) @binding(1) var<storage, read_write> sum: array<f32>;     // (rows from `origin` on, features), lower triangle
@group(0) @binding(2) var<storage, read> params: Params;

const TILE: u32 = 128u;
const QUADS: u32 = 32u;  // of four features, in a side of a tile
const DEPTH: u32 = 8u;   // tokens held in workgroup memory
const HALF: u32 = 16u;   // quads from one half of a patch to the other

var<workgroup> sh_rows: array<vec4<f32>, 256>; // (DEPTH, QUADS): columns of X that are rows of the tile
var<workgroup> sh_cols: array<vec4<f32>, 256>; // (DEPTH, QUADS): columns of X that are columns of the tile

// 8 × 8 elements of H as four quarters, 64 apart in the tile; a matrix's columns are rows of H.
struct Patch {
    upper_left: mat4x4<f32>,
    upper_right: mat4x4<f32>,
    lower_left: mat4x4<f32>,
    lower_right: mat4x4<f32>,
}

// Four features of a token; zeros outside of X.
fn load(token: u32, quad: u32) -> vec4<f32> {
    let quads = (params.features + 3u) / 4u;
    let inside = token < params.tokens && quad < quads;
    // The index is chosen too, since select evaluates both sides and burn adds no bounds check.
    return select(vec4<f32>(0.0), x[select(0u, token * quads + quad, inside)], inside);
}

// m + r cᵀ, in rows of H.
fn plus_outer(m: mat4x4<f32>, r: vec4<f32>, c: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(m[0] + r.x * c, m[1] + r.y * c, m[2] + r.z * c, m[3] + r.w * c);
}

// The patch with token k of workgroup memory added.
fn plus_token(sums: Patch, k: u32, row: u32, col: u32) -> Patch {
    let upper = sh_rows[k * QUADS + row];
    let lower = sh_rows[k * QUADS + row + HALF];
    let left = sh_cols[k * QUADS + col];
    let right = sh_cols[k * QUADS + col + HALF];
    return Patch(
        plus_outer(sums.upper_left, upper, left),
        plus_outer(sums.upper_right, upper, right),
        plus_outer(sums.lower_left, lower, left),
        plus_outer(sums.lower_right, lower, right),
    );
}

fn add_row(row: u32, col: u32, values: vec4<f32>) {
    for (var k = 0u; k < 4u; k++) {
        // Above the diagonal nothing is written: the triangle below is the whole result.
        if row < params.features && col + k <= row {
            sum[(row - params.origin) * params.features + col + k] += values[k];
        }
    }
}

fn add_quarter(row_quad: u32, col_quad: u32, m: mat4x4<f32>) {
    let row = 4u * row_quad;
    let col = 4u * col_quad;
    add_row(row, col, m[0]);
    add_row(row + 1u, col, m[1]);
    add_row(row + 2u, col, m[2]);
    add_row(row + 3u, col, m[3]);
}

// The row and the column of a workgroup's tile. Row y of a triangle's grid holds two rows of tiles: the
// y-th from the bottom, then the one from the top that fills the grid's width.
fn tile_of(group: vec3<u32>) -> vec2<u32> {
    let origin = params.origin / TILE;
    let y = params.band + group.y;
    let length = params.side - y;
    let from_top = group.x >= length;
    let row = select(length - 1u, y - (params.side & 1u), from_top);
    let col = select(group.x, group.x - length, from_top);
    return select(vec2<u32>(row, col) + origin, vec2<u32>(origin + y, group.x), params.left == 1u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let tile = QUADS * tile_of(group);
    let row = lid / HALF;
    let col = lid % HALF;
    let staged = vec2<u32>(lid / QUADS, lid % QUADS); // the token and the quad that this invocation loads

    // Below a triangle's diagonal nothing contributes to rows of H before the tile's first.
    let skipped = select(0u, max(4u * tile.x, params.first) - params.first, params.triangular == 1u);
    var sums = Patch();
    for (var t0 = skipped; t0 < params.tokens; t0 += DEPTH) {
        sh_rows[lid] = load(t0 + staged.x, tile.x + staged.y);
        sh_cols[lid] = load(t0 + staged.x, tile.y + staged.y);
        workgroupBarrier();
        sums = plus_token(sums, 0u, row, col);
        sums = plus_token(sums, 1u, row, col);
        sums = plus_token(sums, 2u, row, col);
        sums = plus_token(sums, 3u, row, col);
        sums = plus_token(sums, 4u, row, col);
        sums = plus_token(sums, 5u, row, col);
        sums = plus_token(sums, 6u, row, col);
        sums = plus_token(sums, 7u, row, col);
        workgroupBarrier();
    }

    let corner = tile + vec2<u32>(row, col);
    add_quarter(corner.x, corner.y, sums.upper_left);
    add_quarter(corner.x, corner.y + HALF, sums.upper_right);
    add_quarter(corner.x + HALF, corner.y, sums.lower_left);
    add_quarter(corner.x + HALF, corner.y + HALF, sums.lower_right);
}
