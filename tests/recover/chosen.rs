//! What training chooses: as much as was planned, and a run that is interrupted goes on within the training.

use std::path::Path;

use slimgpt::allocate::Target;
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{self, Method, PipelineError, Plan, Request};
use slimgpt::recover::{Choosing, Lesson, Training};
use slimgpt::session::{SessionError, prune_to_folder};

use super::*;
use crate::support::tokens;

fn request(method: Method, unit: HeadUnit) -> Request {
    let mut request = Request { windows: 4, window_tokens: 24, ..Request::to(Target::Ratio(0.3)) };
    request.allocation.head_unit = unit;
    method.of(request)
}

fn pruned(
    subject: &Subject,
    plan: &Plan,
    out: &Path,
    on_event: &mut dyn FnMut(pipeline::Event) -> Flow,
) -> Result<slimgpt::session::Pruned, SessionError> {
    let windows: Vec<Vec<u32>> = (0..4).map(|i| tokens(24, 512, i)).collect();
    let device = Device::cpu();
    let job = pipeline::Job {
        checkpoint: &subject.checkpoint,
        windows: &windows,
        plan,
        scores: None,
        device: &device,
        clock: &|| 0.0,
        memory: &Peak::unknown,
        typed: None,
    };
    block_on(prune_to_folder(&job, out, false, on_event))
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_run_that_was_interrupted_does_not_train_again() {
    let subject = Subject::open(&shipped());
    let config = subject.checkpoint.config();
    for (method, unit) in [(Method::Loraprune, HeadUnit::KeyValue), (Method::Compresso, HeadUnit::Query)] {
        let plan = pipeline::plan(&request(method, unit), config, &Limits::default()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let (whole, stopped) = (place.path().join("whole"), place.path().join("stopped"));
        let report = pruned(&subject, &plan, &whole, &mut |_| Flow::Continue).unwrap().report;
        for (layer, planned) in report.layers.iter().zip(&plan.layers) {
            assert_eq!(layer.after, planned.after, "{method}: as much goes as was planned");
        }
        // Layers that were gone through, of all steps: some hundred of 200 · 2 · layers.
        let mut first = usize::MAX;
        for stop_at in [9, 333, 1001] {
            let mut in_training = |event| match event {
                pipeline::Event::Choosing { done, .. } => {
                    first = first.min(done);
                    if done >= stop_at { Flow::Stop } else { Flow::Continue }
                }
                _ => Flow::Continue,
            };
            let ended = pruned(&subject, &plan, &stopped, &mut in_training);
            assert!(matches!(ended, Err(SessionError::Pruning(PipelineError::Stopped { finished: 0, .. }))));
            // Within the first step nothing is done yet; 27 steps are by the second stop.
            assert!(stop_at < 1001 || first > 320, "{method}: it goes on where it was, not at {first}");
            first = usize::MAX;
        }
        let after_a_layer =
            |event| if matches!(event, pipeline::Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
        assert!(pruned(&subject, &plan, &stopped, &mut { after_a_layer }).is_err());
        let mut trained = false;
        let mut watch = |event| {
            trained |= matches!(event, pipeline::Event::Choosing { .. });
            Flow::Continue
        };
        pruned(&subject, &plan, &stopped, &mut watch).unwrap();
        assert!(!trained, "{method} was trained again");
        assert_eq!(weights(&stopped), weights(&whole), "{method}");
    }
}

#[test]
fn windows_of_one_token_teach_nothing() {
    let subject = Subject::open(&shipped());
    let device = Device::cpu();
    let found = Lesson::new(&subject.checkpoint, &[vec![1]], &device, None);
    assert!(matches!(found, Err(RecoverError::TooFew { examples: 0, .. })));
}

#[test]
fn it_keeps_within_the_memory_that_was_allowed() {
    let subject = Subject::open(&shipped());
    let windows: Vec<Vec<u32>> = (0..4).map(|i| tokens(24, 512, i)).collect();
    let of = |bytes| Lesson::new(&subject.checkpoint, &windows, &Device::cpu(), Some(bytes)).map(|_| ());
    assert!(of(8 << 30).is_ok());
    assert!(matches!(of(1 << 20), Err(RecoverError::Memory { budget, .. }) if budget == 1 << 20));
    // A plan tells what was allowed, wherever the work is done.
    for is_gpu in [false, true] {
        let limits = Limits { is_gpu, ..Limits::default() }.within(Some(7 << 30));
        let plan = pipeline::plan(&request(Method::Exact, HeadUnit::KeyValue), subject.checkpoint.config(), &limits);
        assert_eq!(plan.unwrap().memory.allowed_bytes, Some(7 << 30));
    }
}

#[test]
fn a_state_of_another_training_is_refused() {
    let subject = Subject::open(&shipped());
    let (config, device) = (subject.checkpoint.config(), Device::cpu());
    let windows: Vec<Vec<u32>> = (0..4).map(|i| tokens(24, 512, i)).collect();
    let lesson = Lesson::new(&subject.checkpoint, &windows, &device, None).unwrap();
    let begun = |unit, how, kept: Option<&[u8]>| {
        let plan = pipeline::plan(&request(Method::Exact, unit), config, &Limits::default()).unwrap();
        Training::new(&subject.checkpoint, &lesson, &plan, how, &device, kept).map(|training| training.state())
    };
    let state = begun(HeadUnit::KeyValue, Choosing::LoraGradients, None).unwrap();
    assert!(Training::is_state(&state));
    assert_eq!(begun(HeadUnit::KeyValue, Choosing::LoraGradients, Some(&state)).unwrap(), state);
    let (mut damaged, last) = (state.clone(), state.len() - 1);
    damaged[last] ^= 1;
    for (unit, how, kept) in [
        (HeadUnit::Query, Choosing::LoraGradients, &state),
        (HeadUnit::KeyValue, Choosing::Gates, &state),
        (HeadUnit::KeyValue, Choosing::LoraGradients, &damaged),
    ] {
        assert!(matches!(begun(unit, how, Some(kept)), Err(RecoverError::State(_))), "{unit:?} {how:?}");
    }
}
