// The largest magnitude of every column of a matrix.

struct Params {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // (rows, width)
@group(0) @binding(1) var<storage, read_write> largest: array<f32>; // (width)
@group(0) @binding(2) var<storage, read> params: Params;

const COLUMNS: u32 = 32u;
const ROWS: u32 = 8u; // that are read at once

var<workgroup> sh_most: array<f32, 256>; // (ROWS, COLUMNS)

@compute @workgroup_size(32, 8)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let column = at.x;
    var most = 0.0;
    for (var row = local.y; row < params.rows; row += ROWS) {
        let inside = column < params.width;
        // The index is chosen too, since select evaluates both sides and burn adds no bounds check.
        most = max(most, abs(select(0.0, x[select(0u, row * params.width + column, inside)], inside)));
    }
    sh_most[local.y * COLUMNS + local.x] = most;
    workgroupBarrier();
    if local.y == 0u && column < params.width {
        for (var row = 1u; row < ROWS; row++) {
            most = max(most, sh_most[row * COLUMNS + local.x]);
        }
        largest[column] = most;
    }
}
