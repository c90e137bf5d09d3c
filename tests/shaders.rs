//! What the host believes of each shader, held to the shader itself, without a GPU: it parses and
//! validates, its workgroup and every member of `Params` are as declared, its bindings are all used and within
//! what every WebGPU device grants.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, Scalar, TypeInner};
use slimgpt::gpu::{Field, KERNELS, Kernel};

/// What a kernel on matrix units may use: no browser has those, and the cards that do have more memory.
const MOST_WORKGROUP_BYTES_OF_CARDS: u32 = 48 * 1024;

/// WebGPU's guaranteed limits: a shader within them runs in every browser that has WebGPU.
const MOST_INVOCATIONS: u32 = 256;
const MOST_WORKGROUP_BYTES: u32 = 16 * 1024;
const MOST_STORAGE_BUFFERS: usize = 8;

/// Every way in which `kernel` is not what its host says.
fn objections(kernel: &Kernel) -> Vec<String> {
    let (module, info) = match validated(kernel) {
        Ok(valid) => valid,
        Err(reason) => return vec![reason],
    };
    let mut wrong = Vec::new();
    let [entry] = module.entry_points.as_slice() else {
        return vec![format!("has {} entry points; burn launches one, called main", module.entry_points.len())];
    };
    if entry.name != "main" {
        wrong.push(format!("its entry point is called {}; burn launches main", entry.name));
    }
    if entry.workgroup_size != kernel.workgroup {
        wrong.push(format!("its workgroup is {:?}; the host says {:?}", entry.workgroup_size, kernel.workgroup));
    }
    if entry.workgroup_size.iter().product::<u32>() > MOST_INVOCATIONS {
        wrong.push(format!("its workgroup has more than {MOST_INVOCATIONS} invocations"));
    }
    wrong.extend(wrong_bindings(&module, &info));
    wrong.extend(wrong_params(&module, kernel.params));
    let bytes = workgroup_bytes(&module);
    let most = if kernel.on_matrix_units() { MOST_WORKGROUP_BYTES_OF_CARDS } else { MOST_WORKGROUP_BYTES };
    if bytes > most {
        wrong.push(format!("its workgroup memory is {bytes} bytes; {most} are guaranteed"));
    }
    wrong
}

fn validated(kernel: &Kernel) -> Result<(Module, ModuleInfo), String> {
    let source = kernel.source;
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    // What every WebGPU device has: pairs of halves in a word.
    let everywhere = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let capabilities = match kernel.on_matrix_units() {
        true => everywhere | Capabilities::COOPERATIVE_MATRIX | Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP,
        false => everywhere,
    };
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

/// burn binds buffers 0, 1, … in order; a binding that `main` does not use vanishes from the
/// layout, and every later one is then bound to its neighbour.
fn wrong_bindings(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let bound = module.global_variables.iter().filter_map(|(handle, v)| v.binding.map(|b| (handle, v, b)));
    let mut bound: Vec<_> = bound.collect();
    bound.sort_by_key(|(_, _, at)| (at.group, at.binding));
    let mut wrong = Vec::new();
    for (expected, (handle, variable, at)) in bound.iter().enumerate() {
        let name = variable.name.as_deref().unwrap_or("a binding");
        if (at.group, at.binding) != (0, expected as u32) {
            wrong.push(format!("{name} is at group {}, binding {}; the next is (0, {expected})", at.group, at.binding));
        }
        if info.get_entry_point(0)[*handle].is_empty() {
            wrong.push(format!("{name} is bound and never used"));
        }
    }
    if bound.len() > MOST_STORAGE_BUFFERS {
        wrong.push(format!("it binds {} buffers; {MOST_STORAGE_BUFFERS} are guaranteed", bound.len()));
    }
    wrong
}

/// The last binding is `Params`, and each of its members what the host sends in that place.
fn wrong_params(module: &Module, sent: &[Field]) -> Vec<String> {
    let bound = module.global_variables.iter().filter_map(|(_, v)| Some((v.binding?.binding, v.ty)));
    let Some((_, last)) = bound.max_by_key(|&(binding, _)| binding) else {
        return vec!["it binds nothing".into()];
    };
    let ty = &module.types[last];
    let TypeInner::Struct { members, .. } = &ty.inner else {
        return vec![format!("its last binding is {:?}; the host sends Params last", ty.name)];
    };
    if ty.name.as_deref() != Some("Params") {
        return vec![format!("its last binding is {:?}; the host sends Params last", ty.name)];
    }
    let told = |name: &str, ty: &str, offset: usize| format!("{name}: {ty} at byte {offset}");
    let declared: Vec<String> = members
        .iter()
        .map(|m| told(m.name.as_deref().unwrap_or("_"), scalar(&module.types[m.ty].inner), m.offset as usize))
        .collect();
    let sent: Vec<String> = sent.iter().map(|f| told(f.name, f.ty, f.offset)).collect();
    if declared == sent { vec![] } else { vec![format!("Params is {declared:?}; the host sends {sent:?}")] }
}

fn scalar(ty: &TypeInner) -> &'static str {
    match *ty {
        TypeInner::Scalar(Scalar::U32) => "u32",
        TypeInner::Scalar(Scalar::I32) => "i32",
        TypeInner::Scalar(Scalar::F32) => "f32",
        _ => "no scalar of 32 bits",
    }
}

fn workgroup_bytes(module: &Module) -> u32 {
    let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
    shared.map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx())).sum()
}

#[test]
fn every_kernel_is_what_its_host_believes() {
    let wrong = KERNELS.iter().flat_map(|k| objections(k).into_iter().map(|o| format!("shaders/{}.wgsl: {o}", k.name)));
    let wrong: Vec<String> = wrong.collect();
    assert!(!KERNELS.is_empty() && wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_shader_has_a_host() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let names = std::fs::read_dir(folder).expect("shaders/").map(|f| f.expect("readable").path());
    let names = names.filter(|p| p.extension().is_some_and(|e| e == "wgsl"));
    let hostless: Vec<_> =
        names.filter(|p| !KERNELS.iter().any(|k| p.file_stem().is_some_and(|s| s == k.name))).collect();
    assert!(hostless.is_empty(), "no line of KERNELS in src/gpu/mod.rs names {hostless:?}");
}

const GOOD: &str = "
struct Params { rows: u32, scale: f32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> params: Params;
var<workgroup> shared_sum: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    if id.x < params.rows { x[id.x] *= params.scale; }
    shared_sum[lid] = 0.0;
}";

/// The objections to [`GOOD`] with `from` replaced by `to`.
fn objections_to(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    let source: &'static str = GOOD.replace(from, to).leak();
    let params = &[Field { name: "rows", offset: 0, ty: "u32" }, Field { name: "scale", offset: 4, ty: "f32" }];
    objections(&Kernel { name: "good", source, workgroup: [64, 1, 1], params })
}

#[test]
fn a_shader_that_is_not_what_its_host_believes_is_noticed() {
    assert_eq!(objections_to("x", "x"), Vec::<String>::new());
    for (from, to, why) in [
        ("fn main(", "fn main( nonsense", "expected"),
        ("fn main(", "fn start(", "called start"),
        ("x[id.x] *= params.scale", "x[id.x] *= params", "Params"),
        ("@workgroup_size(64)", "@workgroup_size(32)", "workgroup is [32, 1, 1]"),
        ("@workgroup_size(64)", "@workgroup_size(512)", "more than 256"),
        ("rows: u32,", "rows: u32, columns: u32,", "scale: f32 at byte 8"),
        ("scale", "factor", "factor: f32 at byte 4"),
        ("rows: u32, scale: f32", "scale: f32, rows: u32", "scale: f32 at byte 0"),
        ("@binding(1)", "@binding(2)", "the next is (0, 1)"),
        ("x[id.x] *= params.scale", "shared_sum[0] = params.scale", "x is bound and never used"),
        ("struct Params", "struct Sizes", "Params"),
        ("array<f32, 64>", "array<f32, 5000>", "20000 bytes"),
    ] {
        let wrong = objections_to(from, to);
        let noticed = wrong.iter().any(|o| o.to_lowercase().contains(&why.to_lowercase()));
        assert!(noticed, "{from} → {to}: expected {why:?} in {wrong:#?}");
    }
}
