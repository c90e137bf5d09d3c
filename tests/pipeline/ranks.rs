//! Several devices at one run: what comes out is what one makes, the same on every run, and whatever ends one ends all.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use pollster::block_on;
use serde_json::json;
use slimgpt::activations::Placement;
use slimgpt::allocate::{Allocation, Schedule};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::device::readback::ReadbackError;
use slimgpt::model::largest_layer_bytes;
use slimgpt::obs::{CpuExecutor, Options};
use slimgpt::pipeline::{
    Event, Flow, FolderError, LayerSink, Limits, MemorySink, Method, Opened, OutputFolder, PipelineError, Plan, Report,
    Request, plan, prune_following, prune_leading,
};
use slimgpt::ranks::{Ranks, RanksError, ThreadRank, on_threads};
use slimgpt::remedy::Remedied;
use slimgpt::session::{SessionError, execute, prune_to_folder};
use slimgpt::shape::{LayerShape, Part, Projection, Site};

use crate::families;
use crate::support::pruned::{carried_out, job};
use crate::support::software_gpu;
use crate::tiny::{LAYERS, go_on, in_memory, on_disk, request, windows};

/// So many of a device as one.
fn times(count: usize, device: &Device) -> Device {
    device.clone().with(vec![device.clone(); count - 1]).unwrap()
}

/// A plan for so many devices, of several batches each.
fn planned(checkpoint: &Checkpoint, request: &Request, device: &Device) -> Plan {
    let limits = Limits { is_gpu: device.is_gpu(), ranks: device.each().len(), ..Limits::default() };
    Plan { batch_windows: 2, ..plan(request, checkpoint.config(), &limits).unwrap() }
}

fn pruned(checkpoint: &Checkpoint, request: &Request, device: &Device) -> (MemorySink, Report) {
    let (windows, mut sink) = (windows(), MemorySink::default());
    let plan = planned(checkpoint, request, device);
    let report = carried_out(&job(checkpoint, &windows, &plan, device), &mut sink);
    (sink, report)
}

/// What the sums of one device and of several may be apart, as a share: both are sums of the same numbers in single
/// precision in another order, and what is solved of them is damped by a hundredth.
const APART: f64 = 1e-3;

#[track_caller]
fn assert_alike((several, told): &(MemorySink, Report), (one, said): &(MemorySink, Report), what: &str) {
    assert_eq!(told.calibration_tokens, said.calibration_tokens);
    for (several, one) in several.layers.iter().zip(&one.layers) {
        let (a, b) = (&several.record, &one.record);
        assert_eq!((&a.kept_heads, &a.kept_channels), (&b.kept_heads, &b.kept_channels), "{what}, layer {}", a.layer);
        for (a, b) in [(&a.heads, &b.heads), (&a.channels, &b.channels)] {
            for (a, b) in [(a.predicted_loss, b.predicted_loss), (a.measured_loss, b.measured_loss)] {
                assert!((a - b).abs() <= APART * b, "{what}: a loss of {a} and not {b}");
            }
        }
        for projection in [Projection::O, Projection::Down] {
            let [a, b] = [several, one].map(|layer| layer.weights.get(Part::Weight(projection)));
            assert_eq!(a.is_some(), b.is_some(), "{what}, {projection}");
            let Some((a, b)) = a.zip(b) else { continue };
            let largest = b.values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            let apart = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert_eq!(a.shape, b.shape);
            assert!(f64::from(apart) <= APART * f64::from(largest), "{what}, {projection}: {apart} of {largest}");
        }
    }
    assert_eq!(told.plan.ranks, 3);
    assert_eq!(several.layers.len(), LAYERS);
}

/// Three make of a request what one makes, and the same twice.
#[track_caller]
fn check(request: &Request, device: &Device, what: &str) {
    check_of(&in_memory(), request, device, what);
}

#[track_caller]
fn check_of(checkpoint: &Checkpoint, request: &Request, device: &Device, what: &str) {
    let (one, three) = (pruned(checkpoint, request, device), times(3, device));
    let several = pruned(checkpoint, request, &three);
    assert_alike(&several, &one, what);
    let again = pruned(checkpoint, request, &three);
    assert_eq!(again.1.layers, several.1.layers, "{what}: twice the same records");
    let weights = |sink: &MemorySink| sink.layers.iter().map(|l| l.weights.clone()).collect::<Vec<_>>();
    assert!(weights(&again.0) == weights(&several.0), "{what}: twice the same weights");
    assert_eq!(several.1.device, format!("3 × {}", device.name()));
}

#[test]
fn three_on_the_cpu_make_what_one_makes() {
    check(&request(), &Device::cpu(), "by Optimal Brain Surgeon");
    let drawn = Request { options: Options { residual: 0.5, ..Options::default() }, ..request() };
    check(&drawn, &Device::cpu(), "drawn to the dense model");
    check(&Method::WandaSp.of(request()), &Device::cpu(), "without a refit");
}

#[test]
fn three_on_the_software_adapter_make_what_one_makes() {
    check(&request(), &software_gpu(), "by Optimal Brain Surgeon");
}

#[test]
fn norms_behind_halves_and_factors_are_those_of_one() {
    let cpu = Device::cpu();
    let gemma = json!({ "model_type": "gemma2", "head_dim": 6, "query_pre_attn_scalar": 20, "sliding_window": 8 });
    check_of(&families::model(gemma).open(), &request(), &cpu, "a Gemma 2");
    let granite = json!({ "model_type": "granite", "residual_multiplier": 0.25, "attention_multiplier": 0.7 });
    check_of(&families::model(granite).open(), &request(), &cpu, "a Granite");
}

/// One layer without attention, one that leaves, and one without its feed-forward part.
fn without_halves() -> Request {
    let dense = in_memory().config().dense;
    let first = LayerShape { channels: 64, ..dense.without(Site::Heads) };
    let last = LayerShape { heads: 2, kv_heads: 1, channels: 0 };
    let schedule = Schedule::Shapes(vec![first, LayerShape::EMPTY, last]);
    Request { allocation: Allocation { schedule, whole_sites: true, ..Allocation::default() }, ..request() }
}

#[test]
fn halves_go_as_a_whole_on_all_devices() {
    check(&without_halves(), &Device::cpu(), "without halves");
}

#[test]
fn sizes_that_follow_from_the_text_are_those_of_all_windows() {
    let flap = Method::Flap.of(request());
    check(&flap, &Device::cpu(), "by FLAP");
}

#[test]
fn more_devices_than_batches_leave_some_without_work() {
    let (checkpoint, windows) = (in_memory(), windows());
    // Two batches: of the eight long windows and of the short one.
    let device = times(3, &Device::cpu());
    let plan = Plan { batch_windows: 9, ..planned(&checkpoint, &request(), &device) };
    let mut sink = MemorySink::default();
    let report = carried_out(&job(&checkpoint, &windows, &plan, &device), &mut sink);
    assert_alike(&(sink, report), &pruned(&checkpoint, &request(), &Device::cpu()), "with an idle device");
}

/// The weights of a run with activations in this place.
fn weights_of(checkpoint: &Checkpoint, place: Placement, out: &Path) -> Vec<u8> {
    let (windows, device) = (windows(), times(3, &Device::cpu()));
    let mut plan = planned(checkpoint, &request(), &device);
    plan.memory.activations = place;
    block_on(prune_to_folder(&job(checkpoint, &windows, &plan, &device), out, false, &mut go_on)).unwrap();
    std::fs::read(out.join("model.safetensors")).unwrap()
}

#[test]
fn where_activations_lie_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let on_host = weights_of(&checkpoint, Placement::Host, &place.path().join("host"));
    assert_eq!(weights_of(&checkpoint, Placement::Disk, &place.path().join("disk")), on_host);
}

/// Prunes into a folder on so many CPUs.
fn to_folder(
    checkpoint: &Checkpoint,
    count: usize,
    out: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, SessionError> {
    asked_to_folder(checkpoint, &request(), count, out, on_event)
}

fn asked_to_folder(
    checkpoint: &Checkpoint,
    request: &Request,
    count: usize,
    out: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, SessionError> {
    let (windows, device) = (windows(), times(count, &Device::cpu()));
    let plan = planned(checkpoint, request, &device);
    let done = block_on(prune_to_folder(&job(checkpoint, &windows, &plan, &device), out, false, on_event))?;
    Ok(done.report)
}

fn after_a_layer(event: Event) -> Flow {
    if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue }
}

#[test]
fn a_stopped_run_goes_on_with_as_many_and_with_no_other_number() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let (whole, out) = (place.path().join("whole"), place.path().join("out"));
    to_folder(&checkpoint, 3, &whole, &mut go_on).unwrap();
    let stopped = to_folder(&checkpoint, 3, &out, &mut after_a_layer).unwrap_err();
    assert!(matches!(stopped, SessionError::Pruning(PipelineError::Stopped { finished: 1, .. })), "{stopped}");
    for other in [1, 2] {
        let refused = to_folder(&checkpoint, other, &out, &mut go_on).unwrap_err();
        let SessionError::Pruning(PipelineError::Folder(FolderError::OtherRun { differences, .. })) = &refused else {
            panic!("{refused}")
        };
        assert_eq!(differences, &["device", "plan.ranks"]);
    }
    let mut resumed = 0;
    let mut on_event = |event: Event| {
        resumed += usize::from(matches!(event, Event::Resumed { finished: 1, .. }));
        Flow::Continue
    };
    to_folder(&checkpoint, 3, &out, &mut on_event).unwrap();
    assert_eq!(resumed, 1);
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&out), weights(&whole));
}

#[test]
fn a_stopped_run_goes_on_behind_layers_without_halves() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let (whole, out) = (place.path().join("whole"), place.path().join("out"));
    let asked = without_halves();
    let report = asked_to_folder(&checkpoint, &asked, 3, &whole, &mut go_on).unwrap();
    // Behind the layer without attention, and behind the one that leaves.
    for finished in [1, 2] {
        let stopped = asked_to_folder(&checkpoint, &asked, 3, &out, &mut after_a_layer).unwrap_err();
        let SessionError::Pruning(PipelineError::Stopped { finished: got, .. }) = stopped else { panic!("{stopped}") };
        assert_eq!(got, finished);
    }
    let again = asked_to_folder(&checkpoint, &asked, 3, &out, &mut go_on).unwrap();
    assert_eq!(again.layers, report.layers);
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&out), weights(&whole));
}

#[test]
fn what_fails_on_one_device_is_told_of_it_once() {
    let (checkpoint, device) = (in_memory(), times(3, &Device::cpu()));
    let mut windows = windows();
    // The last window is the last device's.
    windows[8][0] = 999;
    let plan = planned(&checkpoint, &request(), &device);
    let failed = block_on(execute(&job(&checkpoint, &windows, &plan, &device), &mut MemorySink::default(), &mut go_on));
    let told = failed.unwrap_err().to_string();
    assert!(told.starts_with("device 2 of those that share the work (cpu): calibration window 8"), "{told}");
}

#[test]
fn a_device_without_room_is_one_wherever_it_stands() {
    let full = PipelineError::from(ReadbackError::OutOfMemory);
    let remedy = full.remedy();
    let told = PipelineError::Rank { rank: 1, device: "small".into(), cause: Box::new(full) };
    assert!(told.is_out_of_memory() && !told.is_of_another_rank());
    assert_eq!(told.remedy(), remedy);
    assert_eq!(told.to_string(), "device 1 of those that share the work (small): the device ran out of memory");
}

/// A rank that is lost at its `at`-th message from the first.
struct Lost<'a> {
    rank: &'a ThreadRank,
    heard: Cell<usize>,
    at: usize,
}

impl Ranks for Lost<'_> {
    fn rank(&self) -> usize {
        self.rank.rank()
    }

    fn count(&self) -> usize {
        self.rank.count()
    }

    fn gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError> {
        self.rank.gather(message)
    }

    fn broadcast(&self, message: Vec<u8>) -> Result<Vec<u8>, RanksError> {
        self.heard.set(self.heard.get() + 1);
        match self.heard.get() == self.at {
            true => Err(RanksError::OutOfStep("what a lost device could hear")),
            false => self.rank.broadcast(message),
        }
    }

    fn check(&self) -> Result<(), RanksError> {
        self.rank.check()
    }
}

#[test]
fn a_lost_device_ends_all_and_finished_layers_stay() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let (whole, out) = (place.path().join("whole"), place.path().join("out"));
    to_folder(&checkpoint, 3, &whole, &mut go_on).unwrap();
    let (windows, device) = (windows(), times(3, &Device::cpu()));
    let plan = planned(&checkpoint, &request(), &device);
    let began = Instant::now();
    {
        let job = job(&checkpoint, &windows, &plan, &device);
        let Ok(Opened::Work(mut folder)) = OutputFolder::open(&out, &job, false) else { panic!("not opened") };
        let lead = |rank: &ThreadRank| {
            block_on(prune_leading(&job, rank, &CpuExecutor::<f32>::new(), &mut folder, &mut go_on)).map(drop)
        };
        let (checkpoint, windows, plan) = (&checkpoint, &windows, &plan);
        let follow = |rank: &ThreadRank, ()| {
            let cpu = Device::cpu();
            let job = crate::support::pruned::job(checkpoint, windows, plan, &cpu);
            // How many layers are finished, and of each layer what was found of its heads and of its channels: the last
            // of the three is lost in the second layer.
            let at = if rank.rank() == 2 { 1 + 2 + 1 } else { usize::MAX };
            let lost = Lost { rank, heard: Cell::new(0), at };
            block_on(prune_following(&job, &lost, &CpuExecutor::<f32>::new(), None))
        };
        let (led, followed) = on_threads(vec![(), ()], lead, follow, PipelineError::is_of_another_rank).unwrap();
        assert!(led.unwrap_err().is_of_another_rank());
        assert_eq!(followed.iter().filter(|done| done.as_ref().is_err_and(|e| !e.is_of_another_rank())).count(), 1);
        assert_eq!(folder.finished(), 1);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    to_folder(&checkpoint, 3, &out, &mut go_on).unwrap();
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&out), weights(&whole));
}

#[test]
fn each_device_holds_its_share_of_the_activations_and_the_host_all_of_them() {
    let checkpoint = in_memory();
    let within = |limits: Limits| {
        let request = Request { windows: 256, window_tokens: 64, ..request() };
        plan(&request, checkpoint.config(), &limits).unwrap().memory
    };
    let of = |ranks: usize, device_bytes: Option<u64>| {
        within(Limits { is_gpu: true, ranks, device_bytes, ..Limits::default() })
    };
    let (one, eight) = (of(1, None), of(8, None));
    let activations = |memory: &slimgpt::pipeline::MemoryPlan| {
        memory.parts.iter().find(|part| part.what == "activations").map(|part| (part.place, part.bytes)).unwrap()
    };
    let (Placement::Device, all) = activations(&one) else { panic!("{one:?}") };
    let (Placement::Device, share) = activations(&eight) else { panic!("{eight:?}") };
    assert_eq!(share, all / 8);
    // Each holds a layer as it was read, what is left of it and the next; one has the layer before, which it writes.
    let written = largest_layer_bytes(checkpoint.config());
    assert_eq!(eight.host_bytes - written, 8 * (one.host_bytes - written));
    // Where not even a share has room, all come together in this machine's memory.
    let off = of(8, Some(eight.device_bytes - share));
    assert_eq!(activations(&off).0, Placement::Host);
    assert!(off.device_bytes < eight.device_bytes && off.host_bytes > eight.host_bytes);
    // Of four machines each has what two devices need.
    for is_gpu in [true, false] {
        let of = |ranks, ranks_here| within(Limits { is_gpu, ranks, ranks_here, ..Limits::default() });
        let (one, apart, eight) = (of(1, 1), of(8, 2), of(8, 8));
        assert_eq!((apart.device_bytes, &eight), (eight.device_bytes, &of(8, 0)));
        assert!(apart.host_bytes < eight.host_bytes, "{} {}", apart.host_bytes, eight.host_bytes);
        if is_gpu {
            assert_eq!(apart.host_bytes - written, 2 * (one.host_bytes - written));
        } else {
            let (_, all) = activations(&eight);
            assert_eq!(activations(&apart), (Placement::Host, all / 4));
        }
    }
}
