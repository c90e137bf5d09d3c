//! Pruned on a device that binds less than H has: in blocks of rows, with the bits of a device that binds all of it.

use pollster::block_on;
use serde_json::json;
use slimgpt::allocate::Allocation;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::obs::Options;
use slimgpt::pipeline::{Limits, MemoryError, PlanError, Request, plan};

use crate::support::checkpoint::Model;
use crate::support::pruned::{job, rounded_by_layer, to_folder};
use crate::support::{software_gpu, tokens};

/// Half of the 4 MB that the Hessian of a thousand channels takes.
const LIMIT: u64 = 2 << 20;

fn limits(max_binding_bytes: u64) -> Limits {
    Limits { is_gpu: true, max_binding_bytes: Some(max_binding_bytes), ..Limits::default() }
}

#[test]
fn a_layer_wider_than_its_device_binds_is_pruned_to_the_same_bytes() {
    let checkpoint = Model::llama(json!({ "hidden_size": 64, "intermediate_size": 1000 })).open();
    let windows: Vec<Vec<u32>> = (0..12).map(|i| tokens(32, 32, i)).collect();
    let allocation = Allocation { channel_multiple: Some(8), ..rounded_by_layer(0.2) };
    let one_by_one = Request { allocation, windows: 12, window_tokens: 32, ..Request::default() };
    let in_groups = one_by_one.clone().as_in_the_paper();
    let swapped = Request { options: Options { swaps: 2, ..one_by_one.options }, ..one_by_one };
    let choice = DeviceChoice::Named("llvmpipe".into());
    let narrow = block_on(Device::open_binding(&choice, LIMIT)).expect("the software adapter");
    for request in [in_groups, swapped] {
        // One plan for both, so that the batches are cut alike.
        let planned = plan(&request, checkpoint.config(), &limits(LIMIT)).unwrap();
        let pruned = |device: &Device| {
            let place = tempfile::tempdir().unwrap();
            let out = place.path().join("out");
            let layers = to_folder(&job(&checkpoint, &windows, &planned, device), &out).layers;
            let kept: Vec<Vec<usize>> = layers.iter().map(|layer| layer.kept_channels.clone()).collect();
            let sites = layers.iter().flat_map(|layer| [&layer.heads, &layer.channels]);
            let losses: Vec<[f64; 2]> = sites.map(|site| [site.predicted_loss, site.measured_loss]).collect();
            (kept, losses, std::fs::read(out.join("model.safetensors")).unwrap())
        };
        let (whole, cut) = (pruned(&software_gpu()), pruned(&narrow));
        assert!(whole.0.iter().any(|kept| kept.len() < 1000));
        assert!(whole.0 == cut.0, "other channels stay");
        assert_eq!(whole.1, cut.1);
        assert!(whole.2 == cut.2, "the weights have other bits");
    }
}

#[test]
fn what_cannot_be_cut_is_refused_before_any_work() {
    let checkpoint = Model::llama(json!({ "hidden_size": 64, "intermediate_size": 1000 })).open();
    let request = |swaps| Request {
        allocation: rounded_by_layer(0.4),
        options: Options { swaps, ..Options::default() },
        windows: 4,
        window_tokens: 32,
        ..Request::default()
    };
    let refused = |swaps, limit| match plan(&request(swaps), checkpoint.config(), &limits(limit)) {
        Err(PlanError::Memory(MemoryError::Binding { what, bytes, limit })) => (what, bytes, limit),
        other => panic!("not refused: {:?}", other.map(|plan| plan.memory)),
    };
    assert_eq!(refused(0, 200_000), ("mlp.gate_proj.weight of layer 0".into(), 256_000, 200_000));
    assert_eq!(refused(0, 500_000), ("a block of the Hessian of down_proj of layer 0".into(), 512_000, 500_000));
    assert!(plan(&request(0), checkpoint.config(), &limits(600_000)).is_ok());
    let (what, bytes, _) = refused(1, 600_000);
    assert!(what.starts_with("what may come back to down_proj") && bytes > 600_000, "{what}: {bytes}");
}
