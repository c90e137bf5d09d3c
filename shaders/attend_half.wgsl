// Causal attention in half precision on the matrix units of a card, with scores and sums in single precision.
//
// A workgroup owns 64 queries of a head, and a subgroup a slot of 16 of them. Keys come in tiles of 32. No row of scores
// is ever kept: a first pass finds every row's largest score and the sum of its exponentials, a second makes the weights
// and multiplies them with the values. The scores are so computed twice, which costs less than to take back what was
// summed with a smaller maximum: no element of a square is within reach of one invocation.

enable f16;
enable wgpu_cooperative_matrix;

struct Params {
    tokens: u32,
    heads: u32,
    group: u32, // query heads of a K/V head
    width: u32, // of a head
    first: u32, // heads of all sequences that other launches compute before this one
    scale: f32, // of the scores
}

@group(0) @binding(0) var<storage, read_write> q: array<vec4<f16>>;   // (sequences · heads, tokens, PACKS), zeros behind a head
@group(0) @binding(1) var<storage, read_write> k: array<vec4<f16>>;   // (sequences · K/V heads, tokens, PACKS)
@group(0) @binding(2) var<storage, read_write> v: array<vec4<f16>>;   // (sequences · K/V heads, tokens, PACKS)
@group(0) @binding(3) var<storage, read_write> q_scale: array<f32>;   // what takes the scaling back, the same for all
@group(0) @binding(4) var<storage, read_write> k_scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> v_scale: array<f32>;
@group(0) @binding(6) var<storage, read_write> context: array<f32>;   // (sequences, tokens, heads, width)
@group(0) @binding(7) var<storage, read> params: Params;

const THREADS: u32 = 128u;
const QUERIES: u32 = 64u;
const KEYS: u32 = 32u;
const PACKS: u32 = 32u; // of four numbers
const PITCH: u32 = 34u; // two more, so that neighbouring tokens begin in different banks
const SLOTS: u32 = 4u;
const SQUARE: u32 = 16u;
const LOWEST: f32 = -3e38;

var<workgroup> sh_q: array<vec4<f16>, 2176>; // (QUERIES, PITCH)
var<workgroup> sh_kv: array<vec4<f16>, 1088>; // (KEYS, PITCH)
var<workgroup> sh_s: array<f32, 2048>;       // (SLOTS, SQUARE, KEYS)
var<workgroup> sh_p: array<vec2<f16>, 1024>; // (SLOTS, SQUARE, KEYS / 2)
var<workgroup> sh_most: array<f32, 128>;     // (SLOTS, SQUARE, 2), of either half of the keys
var<workgroup> sh_sum: array<f32, 128>;

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

// Behind the last token comes the last again: nobody looks at it, and what it would see is not written.
fn bring_keys(head: u32, k0: u32, lid: u32) {
    for (var e = lid; e < KEYS * PACKS; e += THREADS) {
        sh_kv[e / PACKS * PITCH + e % PACKS] = k[(head * params.tokens + min(k0 + e / PACKS, params.tokens - 1u)) * PACKS + e % PACKS];
    }
}

fn bring_values(head: u32, k0: u32, lid: u32) {
    for (var e = lid; e < KEYS * PACKS; e += THREADS) {
        sh_kv[e / PACKS * PITCH + e % PACKS] = v[(head * params.tokens + min(k0 + e / PACKS, params.tokens - 1u)) * PACKS + e % PACKS];
    }
}

// The slot's queries with the keys that were brought.
fn score(slot: u32) {
    var left = Sum();
    var right = Sum();
    for (var i = 0u; i < PACKS; i += 4u) {
        let of_q = coopLoadT<Left>(&sh_q[slot * SQUARE * PITCH + i], PITCH);
        left = coopMultiplyAdd(of_q, coopLoad<Right>(&sh_kv[i], PITCH), left);
        right = coopMultiplyAdd(of_q, coopLoad<Right>(&sh_kv[SQUARE * PITCH + i], PITCH), right);
    }
    coopStoreT(left, &sh_s[slot * SQUARE * KEYS], KEYS);
    coopStoreT(right, &sh_s[slot * SQUARE * KEYS + SQUARE], KEYS);
}

// How many of 16 keys from `key` on a query sees.
fn seen(query: u32, key: u32) -> u32 {
    return min(SQUARE, query + 1u - min(query + 1u, key));
}

// A square of the context from workgroup memory: `first` is its first number of the head.
fn write(head: u32, q0: u32, slot: u32, first: u32, lane: u32, lanes: u32, elements: u32) {
    for (var e = lane; e < elements; e += lanes) {
        let row = slot * SQUARE + e / SQUARE;
        let column = first + e % SQUARE;
        if q0 + row < params.tokens && column < params.width {
            let sequence = head / params.heads;
            let place = (sequence * params.tokens + q0 + row) * params.heads + head % params.heads;
            let sum = sh_s[slot * SQUARE * KEYS + e] * v_scale[0];
            context[place * params.width + column] = sum / sh_sum[2u * row];
        }
    }
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
) {
    let head = params.first + group.y;
    let kv_head = head / params.group;
    let q0 = group.x * QUERIES;
    let end = min(q0 + QUERIES, params.tokens);
    let factor = q_scale[0] * k_scale[0] * params.scale;
    for (var e = lid; e < QUERIES * PACKS; e += THREADS) {
        sh_q[e / PACKS * PITCH + e % PACKS] = q[(head * params.tokens + min(q0 + e / PACKS, params.tokens - 1u)) * PACKS + e % PACKS];
    }
    // Cards differ in how many subgroups a workgroup has: where they are few, each computes several slots, and where they
    // are many, the last compute what another does and keep nothing.
    for (var turn = 0u; turn < SLOTS; turn += subgroups) {
        let slot = min(turn + subgroup, SLOTS - 1u);
        let units = select(0u, 2u * SQUARE, turn + subgroup < SLOTS);
        for (var u = lane; u < units; u += lanes) {
            sh_most[slot * 32u + u] = LOWEST;
            sh_sum[slot * 32u + u] = 0.0;
        }
        for (var k0 = 0u; k0 < end; k0 += KEYS) {
            workgroupBarrier();
            bring_keys(kv_head, k0, lid);
            workgroupBarrier();
            score(slot);
            workgroupBarrier();
            for (var u = lane; u < units; u += lanes) {
                let begin = slot * SQUARE * KEYS + u * SQUARE;
                let count = seen(q0 + slot * SQUARE + u / 2u, k0 + u % 2u * SQUARE);
                let before = sh_most[slot * 32u + u];
                var most = before;
                for (var c = 0u; c < count; c++) {
                    most = max(most, factor * sh_s[begin + c]);
                }
                var sum = sh_sum[slot * 32u + u] * exp(before - most);
                for (var c = 0u; c < count; c++) {
                    sum += exp(factor * sh_s[begin + c] - most);
                }
                sh_most[slot * 32u + u] = most;
                sh_sum[slot * 32u + u] = sum;
            }
        }
        workgroupBarrier();
        for (var row = lane; row < units / 2u; row += lanes) {
            let at = slot * 32u + 2u * row;
            let most = max(sh_most[at], sh_most[at + 1u]);
            sh_sum[at] = sh_sum[at] * exp(sh_most[at] - most) + sh_sum[at + 1u] * exp(sh_most[at + 1u] - most);
            sh_most[at] = most;
        }
        // Named one by one: NVIDIA's compiler moves an array of squares to memory.
        var sum_0 = Sum();
        var sum_1 = Sum();
        var sum_2 = Sum();
        var sum_3 = Sum();
        var sum_4 = Sum();
        var sum_5 = Sum();
        var sum_6 = Sum();
        var sum_7 = Sum();
        for (var k0 = 0u; k0 < end; k0 += KEYS) {
            workgroupBarrier();
            bring_keys(kv_head, k0, lid);
            workgroupBarrier();
            score(slot);
            workgroupBarrier();
            bring_values(kv_head, k0, lid);
            for (var u = lane; u < units; u += lanes) {
                let begin = slot * SQUARE * KEYS + u * SQUARE;
                let count = seen(q0 + slot * SQUARE + u / 2u, k0 + u % 2u * SQUARE);
                let most = sh_most[slot * 32u + u / 2u * 2u];
                for (var c = 0u; c < SQUARE; c += 2u) {
                    let s = vec2<f32>(sh_s[begin + c], sh_s[begin + c + 1u]);
                    let weights = select(vec2<f32>(0.0), exp(min(factor * s - most, vec2<f32>(0.0))), vec2<u32>(c, c + 1u) < vec2<u32>(count));
                    sh_p[(begin + c) / 2u] = vec2<f16>(weights);
                }
            }
            workgroupBarrier();
            for (var half = 0u; half < 2u; half++) {
                let weights = coopLoadT<Left>(&sh_p[slot * SQUARE * KEYS / 2u + half * 8u], SQUARE);
                let at = half * SQUARE * PITCH;
                sum_0 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 0u], PITCH), sum_0);
                sum_1 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 4u], PITCH), sum_1);
                sum_2 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 8u], PITCH), sum_2);
                sum_3 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 12u], PITCH), sum_3);
                sum_4 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 16u], PITCH), sum_4);
                sum_5 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 20u], PITCH), sum_5);
                sum_6 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 24u], PITCH), sum_6);
                sum_7 = coopMultiplyAdd(weights, coopLoadT<Right>(&sh_kv[at + 28u], PITCH), sum_7);
            }
        }
        workgroupBarrier();
        coopStoreT(sum_0, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 0u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_1, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 16u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_2, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 32u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_3, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 48u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_4, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 64u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_5, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 80u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_6, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 96u, lane, lanes, units * 8u);
        workgroupBarrier();
        coopStoreT(sum_7, &sh_s[slot * SQUARE * KEYS], SQUARE);
        workgroupBarrier();
        write(head, q0, slot, 112u, lane, lanes, units * 8u);
    }
}
