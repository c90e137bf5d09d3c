// The largest magnitude of every row of a matrix.

struct Params {
    width: u32,
    first: u32, // rows that other launches look at before this one
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;       // (rows, width)
@group(0) @binding(1) var<storage, read_write> largest: array<f32>; // (rows)
@group(0) @binding(2) var<storage, read> params: Params;

const THREADS: u32 = 64u;

var<workgroup> sh_most: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let row = params.first + group.x;
    var most = 0.0;
    for (var column = lid; column < params.width; column += THREADS) {
        most = max(most, abs(x[row * params.width + column]));
    }
    sh_most[lid] = most;
    workgroupBarrier();
    for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
        if lid < stride {
            sh_most[lid] = max(sh_most[lid], sh_most[lid + stride]);
        }
        workgroupBarrier();
    }
    if lid == 0u {
        largest[row] = sh_most[0];
    }
}
