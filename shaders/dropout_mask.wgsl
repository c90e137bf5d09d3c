// A mask for dropout: 0 where an entry is dropped, `kept` where it stays. Whether it is follows from
// the seed and the entry's place alone, so that any pass at any time draws the same.

struct Params {
    rows: u32,
    columns: u32,
    seed: u32,
    threshold: u32, // entries whose hash lies below are dropped
    kept: f32,
}

@group(0) @binding(0) var<storage, read_write> mask: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> params: Params;

// As in src/model/dropout.rs, which tells where its constants come from.
fn hash(seed: u32, place: u32) -> u32 {
    var h = (place * 0x9e3779b9u) ^ seed;
    h = (h ^ (h >> 16u)) * 0x7feb352du;
    h = (h ^ (h >> 15u)) * 0x846ca68bu;
    return h ^ (h >> 16u);
}

@compute @workgroup_size(64, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.columns || id.y >= params.rows {
        return;
    }
    let place = id.y * params.columns + id.x;
    mask[place] = select(params.kept, 0.0, hash(params.seed, place) < params.threshold);
}
