// out_b = A[rows_b, columns_b] for a batch of index sets: diagonal blocks and groups of columns.

struct Params {
    blocks: u32,
    rows: u32,
    columns: u32,
    width: u32,  // columns of A
    first: u32,  // the row of A that is bound first
    height: u32, // rows that are bound; others are left to who binds them
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>;            // (height, width)
@group(0) @binding(1) var<storage, read_write> row_index: array<i32>;    // (blocks, rows)
@group(0) @binding(2) var<storage, read_write> column_index: array<i32>; // (blocks, columns)
@group(0) @binding(3) var<storage, read_write> out: array<f32>;          // (blocks, rows, columns)
@group(0) @binding(4) var<storage, read> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    let row = id.y;
    let block = id.z;
    // The grid is rounded up to whole workgroups.
    if column >= params.columns || row >= params.rows || block >= params.blocks {
        return;
    }
    let from_row = u32(row_index[block * params.rows + row]);
    if from_row < params.first || from_row - params.first >= params.height {
        return;
    }
    let from_column = u32(column_index[block * params.columns + column]);
    out[(block * params.rows + row) * params.columns + column] = a[(from_row - params.first) * params.width + from_column];
}
