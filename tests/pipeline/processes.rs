//! Several processes at one run, here threads that share nothing but messages: each opens the model for itself, and what
//! comes out is what as many devices of one process make, byte for byte.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use slimgpt::activations::Placement;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::eval::{EvalError, Request as Asked, log_likelihoods};
use slimgpt::obs::Options;
use slimgpt::pipeline::{Event, Flow, Limits, MemorySink, Method, PipelineError, Plan, Request, plan};
use slimgpt::ranks::{Crew, RanksError};
use slimgpt::session::{SessionError, execute, prune_to_folder, work_for_first};

use crate::support::channels::channels;
use crate::support::folders::assert_same;
use crate::support::pruned::job;
use crate::support::tokens;
use crate::tiny::{go_on, in_memory, on_disk, request, windows};

/// What `first` comes to with the CPUs of three processes, of which the others work for it until it is done.
fn with_three<T>(first: impl FnOnce(&Device) -> T) -> T {
    std::thread::scope(|scope| {
        let mut posts = channels(3).into_iter();
        // In here: when the first panics, the others lose their post.
        let crew = Arc::new(Crew::new(Box::new(posts.next().unwrap())));
        for post in posts {
            // As large as a program's first stack, which is what the work was made for.
            let thread = std::thread::Builder::new().stack_size(8 << 20);
            thread.spawn_scoped(scope, move || work_for_first(&post).unwrap()).unwrap();
        }
        let device = Device::open_everywhere(&crew, &[DeviceChoice::Cpu]).unwrap().device;
        let done = first(&device);
        assert!(crew.leave(), "all wait for work");
        done
    })
}

/// Three CPUs of this process.
fn threads() -> Device {
    Device::cpu().with(vec![Device::cpu(); 2]).unwrap()
}

fn planned(checkpoint: &Checkpoint, request: &Request, device: &Device) -> Plan {
    let limits = Limits { ranks: device.ranks(), ..Limits::default() };
    Plan { batch_windows: 2, ..plan(request, checkpoint.config(), &limits).unwrap() }
}

fn to_folder(
    checkpoint: &Checkpoint,
    plan: &Plan,
    device: &Device,
    out: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<(), SessionError> {
    let windows = windows();
    block_on(prune_to_folder(&job(checkpoint, &windows, plan, device), out, false, on_event)).map(drop)
}

#[track_caller]
fn assert_alike(one: &Path, other: &Path) {
    assert_same(one.to_str().unwrap(), other.to_str().unwrap());
}

/// Three processes make of a plan what three devices make, where `change` changes it for both.
#[track_caller]
fn check(request: &Request, change: impl Fn(Plan) -> Plan) {
    let place = tempfile::tempdir().unwrap();
    let [by_threads, by_processes] = ["threads", "processes"].map(|name| place.path().join(name));
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = change(planned(&checkpoint, request, &threads()));
    to_folder(&checkpoint, &plan, &threads(), &by_threads, &mut go_on).unwrap();
    with_three(|device| {
        assert_eq!((device.name(), device.ranks()), (threads().name(), 3));
        to_folder(&checkpoint, &plan, device, &by_processes, &mut go_on).unwrap();
    });
    assert_alike(&by_threads, &by_processes);
}

#[test]
fn three_processes_make_what_three_devices_make() {
    check(&request(), |plan| plan);
    check(&Request { options: Options { residual: 0.5, ..Options::default() }, ..request() }, |plan| plan);
}

#[test]
fn what_is_chosen_before_the_first_layer_is_told() {
    check(&Method::LlmPruner.of(request()), |plan| plan);
    check(&Method::Loraprune.of(request()), |plan| plan);
    check(&Method::Flap.of(request()), |plan| plan);
}

#[test]
fn activations_of_all_go_to_the_folder_of_the_first() {
    check(&request(), |mut plan| {
        plan.memory.activations = Placement::Disk;
        plan
    });
}

#[test]
fn a_stopped_run_goes_on_with_the_same_processes() {
    let place = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "out"].map(|name| place.path().join(name));
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = planned(&checkpoint, &request(), &threads());
    to_folder(&checkpoint, &plan, &threads(), &whole, &mut go_on).unwrap();
    with_three(|device| {
        let mut stop = |event| if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
        let stopped = to_folder(&checkpoint, &plan, device, &out, &mut stop).unwrap_err();
        assert!(matches!(stopped, SessionError::Pruning(PipelineError::Stopped { finished: 1, .. })), "{stopped}");
        let mut resumed = 0;
        let mut count = |event: Event| {
            resumed += usize::from(matches!(event, Event::Resumed { finished: 1, .. }));
            Flow::Continue
        };
        to_folder(&checkpoint, &plan, device, &out, &mut count).unwrap();
        assert_eq!(resumed, 1);
    });
    assert_alike(&whole, &out);
}

#[test]
fn what_fails_in_one_process_is_told_of_it_and_the_next_run_begins() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = planned(&checkpoint, &request(), &threads());
    let mut wrong = windows();
    // The last window is the last process's.
    wrong[8][0] = 999;
    with_three(|device| {
        let run = |windows: &[Vec<u32>]| {
            block_on(execute(&job(&checkpoint, windows, &plan, device), &mut MemorySink::default(), &mut go_on))
        };
        let told = run(&wrong).unwrap_err().to_string();
        assert!(told.starts_with("device 2 of those that share the work (cpu): calibration window 8"), "{told}");
        run(&windows()).unwrap();
    });
}

#[test]
fn a_model_that_no_other_process_can_open_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = planned(&checkpoint, &request(), &threads());
    let windows = windows();
    with_three(|device| {
        let run = |checkpoint: &Checkpoint| {
            block_on(execute(&job(checkpoint, &windows, &plan, device), &mut MemorySink::default(), &mut go_on))
                .unwrap_err()
        };
        assert!(matches!(run(&in_memory()), PipelineError::Ranks(RanksError::InMemory)));
        // Opened here before it went.
        std::fs::rename(place.path().join("source"), place.path().join("moved")).unwrap();
        let told = run(&checkpoint).to_string();
        assert!(told.starts_with("device 1 of those") && told.contains("source"), "{told}");
    });
}

#[test]
fn likelihoods_are_those_of_three_devices() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let asked: Vec<Asked> = (0..9)
        .map(|i| Asked { context: tokens(1 + i, 32, i as u64), continuation: tokens(7, 32, 100 + i as u64) })
        .collect();
    let found = |device: &Device, batch: Option<usize>| {
        block_on(log_likelihoods(&checkpoint, &asked, device, batch, &mut |_, _| {}))
    };
    with_three(|device| {
        // As many batches as processes and more, and one batch, with which two have nothing to do.
        for batch in [Some(16), Some(40), None] {
            assert_eq!(found(device, batch).unwrap(), found(&threads(), batch).unwrap(), "{batch:?}");
        }
        let in_memory = in_memory();
        let lost = block_on(log_likelihoods(&in_memory, &asked, device, None, &mut |_, _| {})).unwrap_err();
        assert!(matches!(lost, EvalError::Ranks(RanksError::InMemory)), "{lost}");
        assert!(found(device, None).is_ok());
    });
}
