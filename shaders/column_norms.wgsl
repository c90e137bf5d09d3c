// norms_j = ‖W_:j‖²: the squared length of every column.
// A workgroup takes 64 columns; four invocations share a column and add their parts in order.

struct Params {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<storage, read_write> w: array<f32>;     // (rows, columns)
@group(0) @binding(1) var<storage, read_write> norms: array<f32>; // (columns)
@group(0) @binding(2) var<storage, read> params: Params;

var<workgroup> sh_partial: array<f32, 256>; // (4, 64)

@compute @workgroup_size(64, 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
    // Neighbours take neighbouring columns, so that a row is read in one piece.
    let column = group.x * 64u + lid.x;
    var partial = 0.0;
    if column < params.columns {
        for (var row = lid.y; row < params.rows; row += 4u) {
            let value = w[row * params.columns + column];
            partial += value * value;
        }
    }
    sh_partial[lid.y * 64u + lid.x] = partial;
    workgroupBarrier();
    if lid.y == 0u && column < params.columns {
        norms[column] = sh_partial[lid.x] + sh_partial[64u + lid.x] + sh_partial[128u + lid.x] + sh_partial[192u + lid.x];
    }
}
