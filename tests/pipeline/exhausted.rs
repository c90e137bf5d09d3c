//! A device without room: the run goes on with less on it, and what is on the disk stays of use.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use burn::tensor::Tensor;
use pollster::block_on;
use slimgpt::activations::Placement;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::readback::{ReadbackError, floats};
use slimgpt::device::{caught, caught_async};
use slimgpt::pipeline::{Event, Flow, Job, OutputFolder, PipelineError, Plan};
use slimgpt::remedy::{Remedied, Remedy};
use slimgpt::session::{Pruned, SessionError, execute, prune_to_folder, prune_to_folder_by};

use crate::support::software_gpu;
use crate::tiny::{LAYERS, on_disk, planned, request, with_job};

/// Runs on a device that has room for the activations elsewhere and batches of so many windows, and
/// notices after its first layer that it has no more; returns what came out and what was told.
fn pruned(
    checkpoint: &Checkpoint,
    plan: &Plan,
    out: &Path,
    fits: impl Fn(&Plan) -> bool,
    mut stop: impl FnMut(&Event) -> bool,
) -> (Result<Pruned, SessionError>, Vec<Event>) {
    let told = RefCell::new(Vec::new());
    let work = async |job: &Job<'_>, folder: &mut OutputFolder, on_event: &mut dyn FnMut(Event) -> Flow| {
        if fits(job.plan) {
            return execute(job, folder, on_event).await;
        }
        let mut until_it_is_full = |event: Event| {
            let full = matches!(event, Event::LayerDone { .. });
            if on_event(event) == Flow::Stop || full { Flow::Stop } else { Flow::Continue }
        };
        match execute(job, folder, &mut until_it_is_full).await {
            Err(PipelineError::Stopped { .. }) => Err(ReadbackError::OutOfMemory.into()),
            other => other,
        }
    };
    let mut on_event = |event: Event| {
        let stops = stop(&event);
        told.borrow_mut().push(event);
        if stops { Flow::Stop } else { Flow::Continue }
    };
    let done = with_job(checkpoint, plan, |job| block_on(prune_to_folder_by(&work, job, out, false, &mut on_event)));
    (done, told.into_inner())
}

/// A plan with everything on the device.
fn on_the_device(checkpoint: &Checkpoint, batch_windows: usize) -> Plan {
    let mut plan = Plan { batch_windows, ..planned(checkpoint, &request()) };
    (plan.memory.activations, plan.memory.batch_windows) = (Placement::Device, batch_windows);
    plan
}

fn weights(out: &Path) -> Vec<u8> {
    std::fs::read(out.join("model.safetensors")).unwrap()
}

/// The weights of a run that had room from its beginning.
fn directly(checkpoint: &Checkpoint, plan: &Plan, out: &Path) -> Vec<u8> {
    with_job(checkpoint, plan, |job| block_on(prune_to_folder(job, out, false, &mut |_| Flow::Continue))).unwrap();
    weights(out)
}

fn resumed(told: &[Event]) -> Vec<usize> {
    told.iter().filter_map(|e| if let Event::Resumed { finished, .. } = e { Some(*finished) } else { None }).collect()
}

#[test]
fn activations_move_before_batches_shrink_and_finished_layers_stay() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = on_the_device(&checkpoint, 4);
    let out = place.path().join("out");
    let (done, told) = pruned(&checkpoint, &plan, &out, |plan| plan.memory.activations == Placement::Host, |_| false);
    assert_eq!(done.unwrap().report.plan.batch_windows, 4);
    let less = Event::OutOfMemory { batch_windows: 4, activations: Placement::Host, from_the_first_layer: false };
    assert_eq!(told.iter().filter(|e| **e == less).count(), 1);
    assert_eq!(resumed(&told), [1], "the layer that was finished is not pruned again");
    assert_eq!(weights(&out), directly(&checkpoint, &plan, &place.path().join("whole")));
}

#[test]
fn smaller_batches_begin_at_the_first_layer_and_are_those_of_one_run() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = on_the_device(&checkpoint, 4);
    let out = place.path().join("out");
    let (done, told) = pruned(&checkpoint, &plan, &out, |plan| plan.batch_windows == 1, |_| false);
    assert_eq!(done.unwrap().report.plan.batch_windows, 1);
    let anew: Vec<usize> = told
        .iter()
        .filter_map(|e| match e {
            Event::OutOfMemory { batch_windows, from_the_first_layer: true, .. } => Some(*batch_windows),
            _ => None,
        })
        .collect();
    assert_eq!(anew, [2, 1]);
    let one = on_the_device(&checkpoint, 1);
    assert_eq!(weights(&out), directly(&checkpoint, &one, &place.path().join("whole")));
    // The same request finds what it has led to.
    let (again, _) = pruned(&checkpoint, &plan, &out, |_| true, |_| false);
    assert!(again.unwrap().was_finished);
}

#[test]
fn a_run_that_shrank_and_was_stopped_goes_on_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = on_the_device(&checkpoint, 4);
    let out = place.path().join("out");
    let mut shrank = false;
    let stop = |event: &Event| {
        shrank |= matches!(event, Event::OutOfMemory { from_the_first_layer: true, .. });
        shrank && matches!(event, Event::LayerDone { record } if record.layer == 1)
    };
    let (stopped, _) = pruned(&checkpoint, &plan, &out, |plan| plan.batch_windows == 2, stop);
    let stopped = stopped.unwrap_err();
    assert!(
        matches!(stopped, SessionError::Pruning(PipelineError::Stopped { finished: 2, layers: LAYERS })),
        "{stopped}"
    );
    let (done, told) = pruned(&checkpoint, &plan, &out, |_| true, |_| false);
    assert_eq!(resumed(&told), [2]);
    assert_eq!(done.unwrap().report.plan.batch_windows, 2);
    let two = on_the_device(&checkpoint, 2);
    assert_eq!(weights(&out), directly(&checkpoint, &two, &place.path().join("whole")));
}

#[test]
fn a_device_without_room_for_one_window_is_told_with_a_remedy() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let (done, _) =
        pruned(&checkpoint, &on_the_device(&checkpoint, 2), &place.path().join("out"), |_| false, |_| false);
    let error = done.unwrap_err();
    assert_eq!(error.to_string(), "the device ran out of memory");
    assert_eq!(error.remedy(), Some(Remedy::LessAtOnce));
}

/// Bytes of the tensors that are too many.
const EACH: usize = 100 << 20;

/// To be run in a process of its own, whose memory is then limited.
#[test]
#[ignore = "limits the memory of its whole process; another test starts it"]
fn in_a_process_without_memory() {
    let gpu = software_gpu();
    let one = |n: usize| Tensor::<1>::ones([n], gpu.tensor_device()) + 1.0;
    let first = |x: Tensor<1>| block_on(floats(x.narrow(0, 0, 1)));
    // What is compiled now need not be compiled in want of memory.
    assert_eq!(first(one(EACH / 4)), Ok(vec![2.0]));
    gpu.release_unused();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib: usize =
        status.lines().find_map(|l| l.strip_prefix("VmSize:")).unwrap().trim_end_matches("kB").trim().parse().unwrap();
    let limit = format!("--as={}", (kib << 10) + 5 * EACH / 2);
    let own = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &own, &limit]).status().unwrap().success());
    let mut held = Vec::new();
    let found = block_on(caught_async(async {
        for _ in 0..8 {
            held.push(one(EACH / 4));
            floats(held[held.len() - 1].clone().narrow(0, 0, 1)).await?;
        }
        Ok::<_, ReadbackError>(())
    }));
    assert_eq!(found.and_then(|inner| inner), Err(ReadbackError::OutOfMemory));
    assert!(held.len() < 4, "{}", held.len());
    // With what was held given back, the device works on.
    drop(held);
    gpu.release_unused();
    assert_eq!(caught(|| first(one(1024))), Ok(Ok(vec![2.0])));
    println!("it went on");
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_without_memory_is_one_sentence_and_works_on() {
    let own = std::env::current_exe().unwrap();
    let arguments =
        ["--exact", "exhausted::in_a_process_without_memory", "--ignored", "--nocapture", "--test-threads=1"];
    let ended = Command::new(own).args(arguments).env("RUST_BACKTRACE", "0").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && out.contains("it went on"), "{out}\n{err}");
    assert!(!err.contains("panicked"), "{err}");
}
