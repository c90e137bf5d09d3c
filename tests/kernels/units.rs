//! Kernels for matrix units on an adapter that has none: their own text runs with the squares of a subgroup spelled out,
//! element by element.

use half::f16;
use pollster::block_on;
use slimgpt::gpu::{KERNELS, Kernel};
use wgpu::util::DeviceExt;

/// Squares of a subgroup of 256 invocations: of a sum each holds its own element, and of a factor all know where it lies
/// (the array, whether a line of it is a row, its first word, and the words of a line).
const MULTIPLIED: &str = "
fn multiplied(a: vec4<u32>, b: vec4<u32>, c: f32) -> f32 {
    var sum = c;
    for (var k = 0u; k < 16u; k++) {
        sum += element(a, own / 16u, k) * element(b, k, own % 16u);
    }
    return sum;
}

fn element(square: vec4<u32>, row: u32, column: u32) -> f32 {
    let by_rows = square.y == 1u;
    let line = select(column, row, by_rows);
    let within = select(row, column, by_rows);
    let begin = square.z + line * square.w;
    var pair = vec2<f32>(0.0);
    READ
    return select(pair.x, pair.y, within % 2u == 1u);
}
";

/// The invocations of a subgroup.
const LANES: u32 = 256;

/// The arguments of the call that begins `text`, and what follows it.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let (mut depth, mut found, mut begin) = (0, Vec::new(), 1);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        if (letter == ',' && depth == 1) || depth == 0 {
            found.push(text[begin..at].trim().to_owned());
            begin = at + 1;
        }
        if depth == 0 {
            return (found, &text[at + 1..]);
        }
    }
    panic!("a call without an end: {text}");
}

/// "sh_a" and "at" of "&sh_a[at]".
fn place(pointer: &str) -> (&str, &str) {
    let (name, at) = pointer.strip_prefix('&').and_then(|p| p.strip_suffix(']')?.split_once('[')).expect(pointer);
    (name, at)
}

/// Of a kernel's text every operation on squares as one on their elements.
fn without_squares(source: &str) -> String {
    let (mut text, mut rest, mut arrays) = (String::new(), source, Vec::<String>::new());
    while let Some(at) = rest.find("coop") {
        text += &rest[..at];
        let name = rest[at..].split(['(', '<', '_']).next().unwrap_or_default();
        let call = &rest[at + rest[at..].find('(').expect("a call")..];
        let (arguments, behind) = arguments(call);
        match name {
            "coopMultiplyAdd" => {
                // Its arguments may hold calls of their own.
                text += "multiplied";
                rest = call;
                continue;
            }
            "coopLoad" | "coopLoadT" => {
                let (array, place) = place(&arguments[0]);
                let known = arrays.iter().position(|known| known == array);
                let number = known.unwrap_or_else(|| {
                    arrays.push(array.to_owned());
                    arrays.len() - 1
                });
                text += &format!("vec4<u32>({number}u, {}u, {place}, {})", u8::from(name.ends_with('T')), arguments[1]);
            }
            "coopStoreT" => {
                let (array, place) = place(&arguments[1]);
                text += &format!("{array}[{place} + own / 16u * ({}) + own % 16u] = {}", arguments[2], arguments[0]);
            }
            other => panic!("{other} is not spelled out"),
        }
        rest = behind;
    }
    let read = |(number, array): (usize, &String)| {
        let word = match source.contains(&format!("{array}: array<vec2<u32>")) {
            true => format!("{array}[begin + within / 4u][within % 4u / 2u]"),
            false => format!("{array}[begin + within / 2u]"),
        };
        format!("if square.x == {number}u {{ pair = unpack2x16float({word}); }}\n    ")
    };
    let reads: String = arrays.iter().enumerate().map(read).collect();
    text + rest + &MULTIPLIED.replace("READ", &reads)
}

/// A kernel's text for so many subgroups of [`LANES`] invocations each.
pub fn spelled_out(kernel: &str, subgroups: u32) -> String {
    let kernel: &Kernel = KERNELS.iter().find(|k| k.name == kernel).expect("the kernel has a host");
    let threads = kernel.workgroup[0];
    let all = subgroups * LANES;
    let changes = [
        ("enable f16;\nenable wgpu_cooperative_matrix;\n", "var<private> own: u32;\n".to_owned()),
        (&format!("const THREADS: u32 = {threads}u;"), format!("const THREADS: u32 = {all}u;")),
        (&format!("@workgroup_size({threads})"), format!("@workgroup_size({all})")),
        ("coop_mat16x16<f16, A>", "vec4<u32>".to_owned()),
        ("coop_mat16x16<f16, B>", "vec4<u32>".to_owned()),
        ("coop_mat16x16<f32, C>", "f32".to_owned()),
        ("    @builtin(subgroup_id) subgroup: u32,\n", String::new()),
        ("    @builtin(num_subgroups) subgroups: u32,\n", String::new()),
        ("    @builtin(subgroup_invocation_id) lane: u32,\n", String::new()),
        ("    @builtin(subgroup_size) lanes: u32,\n", String::new()),
        // The entry point is the only function whose parameters stand below each other.
        (
            "\n) {\n",
            format!(
                "\n) {{\n    let lanes = {LANES}u;\n    let subgroups = {subgroups}u;\n    let subgroup = lid / lanes;\n    let lane = lid % lanes;\n    own = lane;\n"
            ),
        ),
        // Halves are read from whole words.
        ("vec4<f16>", "vec2<u32>".to_owned()),
    ];
    let text = changes.iter().fold(kernel.source.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{} has no {from:?}", kernel.name);
        text.replace(from, to)
    });
    let text = text.replace("array<vec2<f16>", "array<u32").replace("vec2<f16>(", "pack2x16float(");
    without_squares(&text)
}

/// What a buffer holds before a launch.
pub enum Bound<'a> {
    Halves(&'a [f16]),
    Singles(&'a [f32]),
}

/// What the last buffer holds after a launch of the text on the software adapter.
pub fn run(text: String, bound: &[Bound], params: &[u32], groups: [usize; 3]) -> Vec<f64> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().device_type == wgpu::DeviceType::Cpu);
    let adapter = adapter.expect("GPU tests need the software Vulkan driver");
    let limits = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let (device, queue) = block_on(adapter.request_device(&limits)).expect("the adapter opens");
    let buffer = |contents: &[u8]| {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
    };
    let bits = |halves: &[f16]| halves.iter().map(|half| half.to_bits()).collect::<Vec<u16>>();
    let filled = |bound: &Bound| match bound {
        Bound::Halves(halves) => buffer(bytemuck::cast_slice(&bits(halves))),
        Bound::Singles(singles) => buffer(bytemuck::cast_slice(singles)),
    };
    let buffers: Vec<wgpu::Buffer> = bound.iter().map(filled).chain([buffer(bytemuck::cast_slice(params))]).collect();
    let source = wgpu::ShaderSource::Wgsl(text.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let resources = buffers.iter().map(wgpu::Buffer::as_entire_binding);
    let entries: Vec<_> =
        (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
    let layout = pipeline.get_bind_group_layout(0);
    let group =
        device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y, z] = groups.map(|n| n as u32);
        pass.dispatch_workgroups(x, y, z);
    }
    let result = &buffers[bound.len() - 1];
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let size = result.size();
    let read = device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
    encoder.copy_buffer_to_buffer(result, 0, &read, 0, size);
    queue.submit([encoder.finish()]);
    read.slice(..).map_async(wgpu::MapMode::Read, |mapped| mapped.expect("the result is read"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
    let view = read.slice(..).get_mapped_range().expect("the result is mapped");
    bytemuck::cast_slice::<u8, f32>(&view).iter().map(|&value| f64::from(value)).collect()
}
