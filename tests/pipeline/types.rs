//! Element types: each tensor keeps its own unless one is asked for, and what does not fit is
//! found before the first layer.

use std::path::Path;

use safetensors::{Dtype as Kind, SafeTensors};
use serde_json::json;
use slimgpt::checkpoint::{Checkpoint, Dtype, ReadError, WriteError};
use slimgpt::device::Device;
use slimgpt::gpu::launched;
use slimgpt::pipeline::{Event, Flow, PipelineError, Report, Request};
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::session::{Pruned, SessionError, prune_to_folder};

use crate::support::checkpoint::{Model, config};
use crate::support::pruned::{job, to_folder};
use crate::support::software_gpu;
use crate::tiny::{LAYERS, planned, request, windows};

/// The small LLaMA in bf16.
fn model() -> Model {
    let config = config(json!({ "num_hidden_layers": LAYERS, "intermediate_size": 100, "torch_dtype": "bfloat16" }));
    Model::random(config, Kind::BF16, 7)
}

/// Embedding and norms in f32, as tools leave them that trained them, all else in bf16.
fn left_over(name: &str) -> Kind {
    if name.contains("embed") || name.contains("norm") { Kind::F32 } else { Kind::BF16 }
}

fn on_disk(place: &Path, model: &Model, of: impl Fn(&str) -> Kind) -> Checkpoint {
    model.write(place);
    std::fs::write(place.join("model.safetensors"), model.mixed(of)).unwrap();
    Checkpoint::open(place).unwrap()
}

/// Prunes, counting the layers that were begun.
fn pruned(checkpoint: &Checkpoint, request: &Request, out: &Path) -> (Result<Pruned, SessionError>, usize) {
    let (plan, windows, device) = (planned(checkpoint, request), windows(), Device::cpu());
    let mut begun = 0;
    let observe = &mut |event: Event| {
        begun += usize::from(matches!(event, Event::LayerStarted { .. }));
        Flow::Continue
    };
    let result = pollster::block_on(prune_to_folder(&job(checkpoint, &windows, &plan, &device), out, false, observe));
    (result, begun)
}

fn size(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("model.safetensors")).unwrap().len()
}

#[test]
fn each_tensor_keeps_its_own_type_and_the_bytes_are_those_of_the_files() {
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    let checkpoint = on_disk(&source, &model(), left_over);
    assert_eq!(checkpoint.dtype(), Dtype::Bf16);
    let report: Report = pruned(&checkpoint, &request(), &out).0.unwrap().report;
    let bytes = std::fs::read(out.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (name, view) in file.tensors() {
        assert_eq!(view.dtype(), left_over(&name), "{name}");
    }
    let data = |file: &SafeTensors<'_>| file.tensors().iter().map(|(_, view)| view.data().len() as u64).sum::<u64>();
    assert_eq!(report.bytes_after, data(&file));
    let before = std::fs::read(source.join("model.safetensors")).unwrap();
    assert_eq!(report.bytes_before, data(&SafeTensors::deserialize(&before).unwrap()));
    assert!(size(&out) < size(&source), "{} of {}", size(&out), size(&source));
    assert_eq!(report.bytes_after, Checkpoint::open(&out).unwrap().bytes());
    // What no pruning changes is written as it was.
    assert_eq!(Checkpoint::open(&out).unwrap().outer().unwrap(), checkpoint.outer().unwrap());
}

#[test]
fn a_type_that_is_asked_for_holds_for_all() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"), &model(), left_over);
    let out = place.path().join("out");
    let report = pruned(&checkpoint, &Request { dtype: Some(Dtype::F16), ..request() }, &out).0.unwrap().report;
    assert_eq!((report.dtype, report.bytes_after as usize), (Dtype::F16, 2 * report.parameters_after));
    let bytes = std::fs::read(out.join("model.safetensors")).unwrap();
    assert!(SafeTensors::deserialize(&bytes).unwrap().tensors().iter().all(|(_, view)| view.dtype() == Kind::F16));
}

#[test]
fn what_cannot_be_stored_is_found_before_the_first_layer_and_the_advice_works() {
    for name in ["layers.2.mlp.up_proj.weight", "layers.2.mlp.down_proj.weight", "embed_tokens.weight"] {
        let place = tempfile::tempdir().unwrap();
        let mut model = model();
        model.tensor(name).values[3] = 70_144.0;
        let checkpoint = on_disk(&place.path().join("source"), &model, |_| Kind::BF16);
        let out = place.path().join("out");
        let (result, begun) = pruned(&checkpoint, &Request { dtype: Some(Dtype::F16), ..request() }, &out);
        let error = result.unwrap_err();
        assert_eq!((begun, error.remedy()), (0, Some(Remedy::WiderType)), "{error}");
        let SessionError::Pruning(PipelineError::Write(WriteError::Overflow { tensor, value, .. })) = error else {
            panic!("another error: {error}")
        };
        assert!(tensor.ends_with(name) && value == 70_144.0, "{tensor} {value}");
        // Nothing is left that another run would be refused for.
        assert!(!place.path().join("out.partial").exists());
        pruned(&checkpoint, &Request { dtype: Some(Dtype::Bf16), ..request() }, &out).0.unwrap();
    }
}

#[test]
fn a_weight_that_is_no_number_is_found_before_the_first_layer() {
    let place = tempfile::tempdir().unwrap();
    let mut model = model();
    model.tensor("layers.2.mlp.up_proj.weight").values[17] = f32::NAN;
    let checkpoint = on_disk(&place.path().join("source"), &model, |_| Kind::BF16);
    let (result, begun) = pruned(&checkpoint, &request(), &place.path().join("out"));
    let error = result.unwrap_err();
    assert_eq!(begun, 0);
    let SessionError::Pruning(PipelineError::Read(ReadError::NotFinite { tensor, index, .. })) = error else {
        panic!("another error: {error}")
    };
    assert_eq!((&*tensor, index), ("model.layers.2.mlp.up_proj.weight", 17));
}

#[test]
fn what_is_read_needs_no_rounding_to_the_types_that_it_has() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(place.path(), &model(), left_over);
    let own = checkpoint.types(None);
    assert!(checkpoint.holds_exactly(&own));
    for asked in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
        // Norms are in f32, all else in bf16.
        assert!(!checkpoint.holds_exactly(&checkpoint.types(Some(asked))), "{asked}");
    }
    for i in 0..LAYERS {
        let layer = checkpoint.layer(i).unwrap();
        let mut rounded = layer.clone();
        slimgpt::checkpoint::round_layer(i, &mut rounded, &own).unwrap();
        assert_eq!(rounded, layer);
    }
}

#[test]
fn halves_that_a_gpu_widens_give_the_bytes_that_singles_give() {
    let (gpu, windows) = (software_gpu(), windows());
    for (kind, dtype) in [(Kind::F16, Dtype::F16), (Kind::BF16, Dtype::Bf16)] {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let mut model = model();
        for value in model.tensors.iter_mut().flat_map(|tensor| &mut tensor.values) {
            // Numbers that both types hold.
            *value = half::f16::from_f32(half::bf16::from_f32(*value).to_f32()).to_f32();
        }
        let narrow = on_disk(&at("narrow"), &model, |_| kind);
        // Rounded to the type that is asked for, they go to the device in singles.
        let wide = on_disk(&at("wide"), &model, |_| Kind::F32);
        let pruned = |checkpoint: &Checkpoint, asked: Option<Dtype>, name: &str| {
            let plan = planned(checkpoint, &Request { dtype: asked, ..request() });
            let before = launched().launches;
            to_folder(&job(checkpoint, &windows, &plan, &gpu), &at(name));
            (std::fs::read(at(name).join("model.safetensors")).unwrap(), launched().launches - before)
        };
        let (of_halves, launches) = pruned(&narrow, None, "of-halves");
        let (of_singles, fewer) = pruned(&wide, Some(dtype), "of-singles");
        assert!(of_halves == of_singles, "{dtype}");
        // Seven matrices of each layer.
        assert_eq!(launches, fewer + 7 * LAYERS as u64, "{dtype}");
    }
}
