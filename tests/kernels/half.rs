//! Products on matrix units, which the software adapter has not: there the kernel's own text runs with the squares of a
//! subgroup spelled out, one invocation in the place of a subgroup. What the units themselves compute is tried on a card.

use half::f16;
use pollster::block_on;
use slimgpt::device::panels::Panels;
use slimgpt::gpu::half as on_units;
use slimgpt::gpu::{KERNELS, Kernel};
use wgpu::util::DeviceExt;

use crate::support::rounding::{UNIT, assert_within};
use crate::support::{activations, doubles, matrix, random, software_gpu};

/// What stands in the place of a subgroup's squares: their elements, row by row.
const SPELLED_OUT: &str = "
fn half_of(pack: vec4<u32>, e: u32) -> f32 {
    let pair = unpack2x16float(pack[e / 2u]);
    return select(pair.x, pair.y, e % 2u == 1u);
}

fn left_square(at: u32) -> array<f32, 256> {
    var m: array<f32, 256>;
    for (var e = 0u; e < 256u; e++) {
        m[e] = half_of(sh_a[at + e / 16u * PITCH + e % 16u / 8u], e % 8u);
    }
    return m;
}

fn right_square(at: u32) -> array<f32, 256> {
    var m: array<f32, 256>;
    for (var e = 0u; e < 256u; e++) {
        m[e] = half_of(sh_b[at + e % 16u * PITCH + e / 16u / 8u], e / 16u % 8u);
    }
    return m;
}

fn multiplied(a: array<f32, 256>, b: array<f32, 256>, c: array<f32, 256>) -> array<f32, 256> {
    var x = a;
    var y = b;
    var m = c;
    for (var e = 0u; e < 256u; e++) {
        for (var k = 0u; k < 16u; k++) {
            m[e] += x[e / 16u * 16u + k] * y[k * 16u + e % 16u];
        }
    }
    return m;
}

fn store_square(c: array<f32, 256>, at: u32) {
    var m = c;
    for (var e = 0u; e < 256u; e++) {
        sh_c[at + e] = m[e];
    }
}
";

fn kernel() -> &'static Kernel {
    KERNELS.iter().find(|kernel| kernel.name == "multiply_half").expect("the kernel has a host")
}

/// The kernel's text for so many subgroups of one invocation.
fn spelled_out(subgroups: u32) -> String {
    let changes = [
        ("enable f16;\nenable wgpu_cooperative_matrix;\n", ""),
        ("alias Left = coop_mat16x16<f16, A>;", "alias Left = array<f32, 256>;"),
        ("alias Right = coop_mat16x16<f16, B>;", "alias Right = array<f32, 256>;"),
        ("alias Sum = coop_mat16x16<f32, C>;", "alias Sum = array<f32, 256>;"),
        ("coopLoad<Right>(&sh_b[", "right_square(("),
        ("coopLoadT<Left>(&sh_a[", "left_square(("),
        ("half], PITCH);", "half));"),
        ("coopMultiplyAdd(", "multiplied("),
        (
            "coopStoreT(sums[i], &sh_c[slot * SQUARE * SQUARE], SQUARE);",
            "store_square(sums[i], slot * SQUARE * SQUARE);",
        ),
        ("    @builtin(subgroup_id) subgroup: u32,\n", ""),
        ("    @builtin(num_subgroups) subgroups: u32,\n", ""),
        ("    @builtin(subgroup_invocation_id) lane: u32,\n", ""),
        ("    @builtin(subgroup_size) lanes: u32,\n", ""),
        (
            ") {\n    let corner",
            ") {\n    let subgroup = lid;\n    let lane = 0u;\n    let lanes = 1u;\n    let corner",
        ),
    ];
    let mut text = changes.iter().fold(kernel().source.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the kernel has no {from:?}");
        text.replace(from, to)
    });
    for (from, to) in
        [("const THREADS: u32 = 256u;", "const THREADS: u32 = N;"), ("workgroup_size(256)", "workgroup_size(N)")]
    {
        assert!(text.contains(from), "the kernel has no {from:?}");
        text = text.replace(from, &to.replace('N', &format!("{subgroups}u")));
    }
    text = text.replace("turn += subgroups", &format!("turn += {subgroups}u"));
    text + SPELLED_OUT
}

/// What is multiplied: numbers in half precision and the factors of their rows.
struct Factor {
    /// `(parts, rows, inner)`
    halves: Vec<f16>,
    scales: Vec<f32>,
    rows: usize,
}

impl Factor {
    fn random(parts: usize, rows: usize, inner: usize, seed: u64) -> Self {
        let halves = random(parts * rows * inner, seed).into_iter().map(f16::from_f32).collect();
        let scales = (0..rows).map(|row| 2f32.powi(row as i32 % 5 - 2)).collect();
        Self { halves, scales, rows }
    }

    fn at(&self, part: usize, row: usize, inner: usize) -> impl Iterator<Item = f64> {
        self.halves[(part * self.rows + row) * inner..][..inner].iter().map(|half| half.to_f64())
    }
}

/// A launch of the kernel: sizes, and what is bound of the result.
#[derive(Clone, Copy)]
struct Launch {
    inner: usize,
    parts: usize,
    band: usize,
    origin: usize,
    height: usize,
    gram: bool,
    subgroups: u32,
}

/// What the kernel makes of `c`.
fn run(a: &Factor, b: &Factor, c: &[f32], launch: Launch) -> Vec<f64> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().device_type == wgpu::DeviceType::Cpu);
    let adapter = adapter.expect("GPU tests need the software Vulkan driver");
    let limits = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let (device, queue) = block_on(adapter.request_device(&limits)).expect("the adapter opens");
    let buffer = |bytes: &[u8]| {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents: bytes, usage })
    };
    let words = |factor: &Factor| factor.halves.iter().map(|half| half.to_bits()).collect::<Vec<u16>>();
    let params = [a.rows, b.rows, launch.inner, launch.parts, launch.band, launch.origin, launch.height]
        .map(|n| n as u32)
        .into_iter()
        .chain([u32::from(launch.gram)])
        .collect::<Vec<u32>>();
    let bound = [
        buffer(bytemuck::cast_slice(&words(a))),
        buffer(bytemuck::cast_slice(&words(b))),
        buffer(bytemuck::cast_slice(&a.scales)),
        buffer(bytemuck::cast_slice(&b.scales)),
        buffer(bytemuck::cast_slice(c)),
        buffer(bytemuck::cast_slice(&params)),
    ];
    let source = wgpu::ShaderSource::Wgsl(spelled_out(launch.subgroups).into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let resources = bound.iter().map(wgpu::Buffer::as_entire_binding);
    let entries: Vec<_> =
        (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
    let group =
        wgpu::BindGroupDescriptor { label: None, layout: &pipeline.get_bind_group_layout(0), entries: &entries };
    let group = device.create_bind_group(&group);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let tiles = launch.height.div_ceil(128) - launch.band;
        pass.dispatch_workgroups(b.rows.div_ceil(128) as u32, tiles as u32, 1);
    }
    let size = size_of_val(c) as u64;
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let read = device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
    encoder.copy_buffer_to_buffer(&bound[4], 0, &read, 0, size);
    queue.submit([encoder.finish()]);
    read.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.expect("the result is read"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
    let view = read.slice(..).get_mapped_range().expect("the result is mapped");
    bytemuck::cast_slice::<u8, f32>(&view).iter().map(|&value| f64::from(value)).collect()
}

/// Σ over the products of parts that the kernel takes, for a row of A and one of B, and the sum of their magnitudes.
fn dot(a: &Factor, b: &Factor, [i, j]: [usize; 2], launch: Launch) -> [f64; 2] {
    let pairs: &[[usize; 2]] = if launch.parts == 3 { &[[0, 0], [0, 1], [1, 0]] } else { &[[0, 0]] };
    let scale = f64::from(a.scales[i]) * f64::from(b.scales[j]);
    let terms = pairs.iter().flat_map(|&[p, q]| a.at(p, i, launch.inner).zip(b.at(q, j, launch.inner)));
    terms.fold([0.0; 2], |[sum, size], (x, y)| [sum + x * y * scale, size + (x * y * scale).abs()])
}

fn check(a: &Factor, b: &Factor, launch: Launch) {
    let there: Vec<f32> = random(launch.height * b.rows, 3);
    let got = run(a, b, &there, launch);
    let first = launch.origin + launch.band * 128;
    let of = |at: usize| {
        let [i, j] = [launch.origin + at / b.rows, at % b.rows];
        let before = f64::from(there[at]);
        let is_made = i >= first && (!launch.gram || j <= i);
        match (is_made, launch.gram) {
            (false, _) => [before, 0.0],
            (true, true) => {
                let [sum, size] = dot(a, b, [i, j], launch);
                [before + sum, size + before.abs()]
            }
            (true, false) => dot(a, b, [i, j], launch),
        }
    };
    let want: Vec<[f64; 2]> = (0..there.len()).map(of).collect();
    let bound = |at: usize| (launch.inner * launch.parts + 2) as f64 * UNIT * 1.01 * want[at][1];
    let sums: Vec<f64> = want.iter().map(|[sum, _]| *sum).collect();
    let Launch { inner, parts, band, origin, height, subgroups, .. } = launch;
    let what = format!("{}x{}x{inner}, {parts} parts, {band}, {origin}+{height}, {subgroups}", a.rows, b.rows);
    assert_within(&got, &sums, bound, &what);
}

#[test]
fn the_tiles_of_a_product_are_all_of_it() {
    for (rows, columns, inner, subgroups) in
        [(1, 1, 32, 8), (130, 200, 96, 8), (128, 128, 64, 4), (257, 17, 32, 8), (16, 129, 160, 16)]
    {
        let (a, b) = (Factor::random(1, rows, inner, 1), Factor::random(1, columns, inner, 2));
        let whole = Launch { inner, parts: 1, band: 0, origin: 0, height: rows, gram: false, subgroups };
        check(&a, &b, whole);
    }
}

#[test]
fn a_gram_matrix_is_added_on_and_below_the_diagonal() {
    let (features, inner) = (300, 64);
    let x = Factor::random(2, features, inner, 5);
    let whole = Launch { inner, parts: 3, band: 0, origin: 0, height: features, gram: true, subgroups: 8 };
    check(&x, &x, whole);
    // The last rows of a launch, and a block of rows of a matrix that the device does not bind whole.
    check(&x, &x, Launch { band: 1, ..whole });
    check(&x, &x, Launch { origin: 128, height: 128, ..whole });
}

/// Where there are matrix units: `SLIMGPT_TEST_GPU=NAME cargo test --test kernels -- --ignored matrix_units`.
#[test]
#[ignore = "needs a card with matrix units"]
fn matrix_units_multiply_and_sum() {
    let device = software_gpu();
    assert!(device.has_matrix_units(), "{} has none that our kernels use", device.name());
    for (n, rows, width) in [(1, 1, 1), (100, 130, 77), (2048, 1000, 4096)] {
        let (x, w) = (random(n * width, 1), random(rows * width, 2));
        let weight = Panels::from(matrix(&w, [rows, width], &device));
        let got = doubles(on_units::times_transposed(&matrix(&x, [n, width], &device), &weight));
        let (mut want, mut size) = (vec![0.0; n * rows], vec![0.0; n * rows]);
        for i in 0..n {
            for j in 0..rows {
                for k in 0..width {
                    let term = f64::from(x[i * width + k]) * f64::from(w[j * width + k]);
                    want[i * rows + j] += term;
                    size[i * rows + j] += term.abs();
                }
            }
        }
        // Two roundings to eleven bits, and a sum in single precision.
        let bound = |at: usize| size[at] * (2.0 * 2f64.powi(-11) + width as f64 * 2.0 * UNIT);
        assert_within(&got, &want, bound, &format!("{n}x{rows}x{width}"));
    }
    gram_is_as_good_as_in_single_precision(&device);
}

/// On numbers of very different magnitudes, as activations are.
fn gram_is_as_good_as_in_single_precision(device: &slimgpt::device::Device) {
    let (tokens, features) = (3000, 260);
    let x = activations(tokens, features, 7);
    let on = matrix(&x, [tokens, features], device);
    let zeros = || Panels::zeros([features; 2], device.tensor_device());
    let halves = doubles(on_units::accumulate(zeros(), &on).whole());
    let singles = doubles(slimgpt::gpu::hessian::accumulate(zeros(), &on).whole());
    let error = |got: &[f64]| {
        let mut worst = 0f64;
        for i in 0..features {
            for j in 0..=i {
                let terms = || (0..tokens).map(|t| [f64::from(x[t * features + i]), f64::from(x[t * features + j])]);
                let want: f64 = terms().map(|[a, b]| a * b).sum();
                let sizes = [0, 1].map(|side| terms().map(|pair| pair[side] * pair[side]).sum::<f64>().sqrt());
                worst = worst.max((got[i * features + j] - want).abs() / (sizes[0] * sizes[1]).max(f64::MIN_POSITIVE));
            }
        }
        worst
    };
    let (halves, singles) = (error(&halves), error(&singles));
    assert!(halves <= 4.0 * singles, "off by {halves:e} of the diagonal; in single precision by {singles:e}");
}
