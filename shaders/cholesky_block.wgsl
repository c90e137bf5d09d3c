// A_b = L_b L_bᵀ for a batch of symmetric positive definite blocks, in place: one workgroup a block.
//
// Left-looking: column k of L is A[:, k] − Σ_{j<k} L[:, j] L[k, j], divided by the root of its
// pivot. One invocation owns one row, so a block has at most 256 rows. The strict upper triangle
// is set to zero. A pivot that is not positive stops the block and is reported by its index.

struct Params {
    blocks: u32,
    n: u32,
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>;      // (blocks, n, n): A in, L out
@group(0) @binding(1) var<storage, read_write> failed: array<f32>; // (blocks, 2): pivot index or −1, its value
@group(0) @binding(2) var<storage, read> params: Params;

var<workgroup> sh_pivot: f32;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) row: u32) {
    let block = group.x;
    if block >= params.blocks {
        return;
    }
    let n = params.n;
    let base = block * n * n;
    if row == 0u {
        failed[2u * block] = -1.0;
        failed[2u * block + 1u] = 0.0;
    }
    // Invocations without a row stay in the loop: all must reach every barrier.
    for (var k = 0u; k < n; k++) {
        var value = 0.0;
        if row >= k && row < n {
            value = a[base + row * n + k];
            for (var j = 0u; j < k; j++) {
                value -= a[base + row * n + j] * a[base + k * n + j];
            }
        }
        if row == k {
            sh_pivot = value;
        }
        // Also the barrier after which every row may read column k.
        let pivot = workgroupUniformLoad(&sh_pivot);
        // Written this way round, a pivot that is not a number stops the block too.
        if !(pivot > 0.0) {
            if row == 0u {
                failed[2u * block] = f32(k);
                failed[2u * block + 1u] = pivot;
            }
            break;
        }
        if row >= k && row < n {
            a[base + row * n + k] = value / sqrt(pivot);
        } else if row < k {
            a[base + row * n + k] = 0.0;
        }
        // Column k is read by other invocations in the next step.
        storageBarrier();
        workgroupBarrier();
    }
}
