// A = L + strict(L)ᵀ + λI, in place: makes the full symmetric matrix of its lower triangle and damps it.
// An input that never fires (zero diagonal) gets a unit diagonal when λ is zero, so that the
// matrix stays invertible; its column of W is zero, so the value has no effect.

struct Params {
    rows: u32,
    width: u32,
    first: u32,   // the row of A that is bound first: the square of what is bound begins in this column
    damping: f32, // λ
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>; // (rows, width): in the square the lower triangle in, the whole out
@group(0) @binding(1) var<storage, read> params: Params;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let col = id.x;
    // Below the diagonal nothing changes, so that whoever mirrors an element reads it as it was.
    if row >= params.rows || col >= params.rows || col < row {
        return;
    }
    var value = a[col * params.width + params.first + row];
    if row == col {
        value += params.damping;
        if value == 0.0 {
            value = 1.0;
        }
    }
    a[row * params.width + params.first + col] = value;
}
