// H += XᵀX, lower triangle only: the symmetric rank-k update behind every Hessian.
//
// One workgroup owns one 64 × 64 tile of H; tiles above the diagonal return at once.
// Each invocation keeps a 4 × 4 patch of the tile in registers, so that eight loads from
// workgroup memory feed sixteen multiply-adds. Tokens are taken in order and no atomics are
// used: the same input gives the same bytes.

struct Params {
    tokens: u32,
    features: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // (tokens, features)
@group(0) @binding(1) var<storage, read_write> sum: array<f32>;     // (features, features), lower triangle
@group(0) @binding(2) var<storage, read> params: Params;

const TILE: u32 = 64u;
const DEPTH: u32 = 16u;
const PATCH: u32 = 4u;

var<workgroup> sh_rows: array<vec4<f32>, 256>; // (DEPTH, TILE / 4): columns of X that are rows of the tile
var<workgroup> sh_cols: array<vec4<f32>, 256>; // (DEPTH, TILE / 4): columns of X that are columns of the tile

fn load(token: u32, feature: u32) -> vec4<f32> {
    var v = vec4<f32>(0.0);
    if token < params.tokens {
        let at = token * params.features + feature;
        if feature + 3u < params.features {
            v = vec4<f32>(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
        } else {
            for (var k = 0u; feature + k < params.features && k < 4u; k++) {
                v[k] = x[at + k];
            }
        }
    }
    return v;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let tile_row = tile.y;
    let tile_col = tile.x;
    if tile_col > tile_row {
        return;
    }
    let row0 = tile_row * TILE;
    let col0 = tile_col * TILE;
    let patch_row = lid / 16u;
    let patch_col = lid % 16u;

    var acc0 = vec4<f32>(0.0);
    var acc1 = vec4<f32>(0.0);
    var acc2 = vec4<f32>(0.0);
    var acc3 = vec4<f32>(0.0);

    for (var t0 = 0u; t0 < params.tokens; t0 += DEPTH) {
        sh_rows[lid] = load(t0 + patch_row, row0 + PATCH * patch_col);
        sh_cols[lid] = load(t0 + patch_row, col0 + PATCH * patch_col);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let r = sh_rows[k * 16u + patch_row];
            let c = sh_cols[k * 16u + patch_col];
            acc0 += r.x * c;
            acc1 += r.y * c;
            acc2 += r.z * c;
            acc3 += r.w * c;
        }
        workgroupBarrier();
    }

    var acc = array<vec4<f32>, 4>(acc0, acc1, acc2, acc3);
    for (var i = 0u; i < PATCH; i++) {
        let row = row0 + PATCH * patch_row + i;
        for (var j = 0u; j < PATCH; j++) {
            let col = col0 + PATCH * patch_col + j;
            if row < params.features && col <= row {
                sum[row * params.features + col] += acc[i][j];
            }
        }
    }
}
