//! Kernels for matrix units on an adapter that has none: their own text runs with the squares of a subgroup spelled out,
//! element by element, and one invocation in the place of a subgroup.

use half::f16;
use pollster::block_on;
use slimgpt::gpu::{KERNELS, Kernel};
use wgpu::util::DeviceExt;

/// Products and stores of spelled-out squares, which are their elements row by row.
const MULTIPLIED: &str = "
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
";

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

/// How an array of halves is read as a square, by rows or by columns.
fn reading(name: &str, by_rows: bool, of_vectors: bool) -> String {
    let (line, within) = if by_rows { ("e / 16u", "e % 16u") } else { ("e % 16u", "e / 16u") };
    let (halves, word) = match of_vectors {
        true => (8, format!("{name}[place][i % 8u / 2u]")),
        false => (2, format!("{name}[place]")),
    };
    let order = if by_rows { "rows" } else { "columns" };
    format!(
        "
fn {order}_of_{name}(at: u32, stride: u32) -> array<f32, 256> {{
    var m: array<f32, 256>;
    for (var e = 0u; e < 256u; e++) {{
        let i = {within};
        let place = at + {line} * stride + i / {halves}u;
        let pair = unpack2x16float({word});
        m[e] = select(pair.x, pair.y, i % 2u == 1u);
    }}
    return m;
}}
"
    )
}

fn storing(name: &str) -> String {
    format!(
        "
fn store_in_{name}(c: array<f32, 256>, at: u32, stride: u32) {{
    var m = c;
    for (var e = 0u; e < 256u; e++) {{
        {name}[at + e / 16u * stride + e % 16u] = m[e];
    }}
}}
"
    )
}

/// Of a kernel's text every operation on squares as a call of a function, and those functions.
fn without_squares(source: &str) -> String {
    let (mut text, mut rest, mut made) = (String::new(), source, std::collections::BTreeSet::new());
    while let Some(at) = rest.find("coop") {
        text += &rest[..at];
        let name = rest[at..].split(['(', '<', '_']).next().unwrap_or_default();
        let call = &rest[at + rest[at..].find('(').expect("a call")..];
        let (arguments, behind) = arguments(call);
        let by_rows = name.ends_with('T');
        match name {
            "coopMultiplyAdd" => {
                // Its arguments may hold calls of their own.
                text += "multiplied";
                rest = call;
                continue;
            }
            "coopLoad" | "coopLoadT" => {
                let (array, place) = place(&arguments[0]);
                let of_vectors = source.contains(&format!("{array}: array<vec4<u32>"));
                made.insert(reading(array, by_rows, of_vectors));
                let order = if by_rows { "rows" } else { "columns" };
                text += &format!("{order}_of_{array}({place}, {})", arguments[1]);
            }
            "coopStoreT" => {
                let (array, place) = place(&arguments[1]);
                made.insert(storing(array));
                text += &format!("store_in_{array}({}, {place}, {})", arguments[0], arguments[2]);
            }
            other => panic!("{other} is not spelled out"),
        }
        rest = behind;
    }
    text + rest + MULTIPLIED + &made.into_iter().collect::<String>()
}

/// A kernel's text for so many subgroups of one invocation each.
pub fn spelled_out(kernel: &str, subgroups: u32) -> String {
    let kernel: &Kernel = KERNELS.iter().find(|k| k.name == kernel).expect("the kernel has a host");
    let replaced = |text: String, (from, to): (String, String)| {
        assert!(text.contains(&from), "{} has no {from:?}", kernel.name);
        text.replace(&from, &to)
    };
    let threads = kernel.workgroup[0];
    let squares = ["Left = coop_mat16x16<f16, A>", "Right = coop_mat16x16<f16, B>", "Sum = coop_mat16x16<f32, C>"];
    let squares =
        squares.map(|alias| (alias.to_owned(), alias.split(" = ").next().unwrap().to_owned() + " = array<f32, 256>"));
    let builtins = [
        ("subgroup_id", "subgroup"),
        ("num_subgroups", "subgroups"),
        ("subgroup_invocation_id", "lane"),
        ("subgroup_size", "lanes"),
    ];
    let builtins = builtins.map(|(builtin, name)| (format!("    @builtin({builtin}) {name}: u32,\n"), String::new()));
    let begin = format!(
        ") {{\n    let subgroup = lid;\n    let subgroups = {subgroups}u;\n    let lane = 0u;\n    let lanes = 1u;\n"
    );
    let changes = [
        ("enable f16;\nenable wgpu_cooperative_matrix;\n".to_owned(), String::new()),
        (format!("const THREADS: u32 = {threads}u;"), format!("const THREADS: u32 = {subgroups}u;")),
        (format!("@workgroup_size({threads})"), format!("@workgroup_size({subgroups})")),
    ];
    let text = changes.into_iter().chain(squares).chain(builtins).fold(kernel.source.to_owned(), replaced);
    // The entry point is the only function whose parameters stand below each other.
    without_squares(&text.replacen("\n) {\n", &format!("\n{begin}"), 1))
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
