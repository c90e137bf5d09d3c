//! What training chooses: as much as was planned, kept by a run that is interrupted, and never trained twice.

use std::path::Path;

use slimgpt::allocate::Target;
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{self, Method, PipelineError, Plan, Request};
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
        // Within the training there is nothing to keep yet; after a layer there is.
        let in_training = |event| {
            if matches!(event, pipeline::Event::Choosing { done: 9.., .. }) { Flow::Stop } else { Flow::Continue }
        };
        let ended = pruned(&subject, &plan, &stopped, &mut { in_training });
        assert!(matches!(ended, Err(SessionError::Pruning(PipelineError::Stopped { finished: 0, .. }))));
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
    let mut request = request(Method::Compresso, HeadUnit::KeyValue);
    request.window_tokens = 1;
    let plan = pipeline::plan(&request, subject.checkpoint.config(), &Limits::default()).unwrap();
    let device = Device::cpu();
    let windows = vec![vec![1]];
    let how = slimgpt::recover::Choosing::Gates;
    let mut watch = |_, _| Flow::Continue;
    let found = block_on(slimgpt::recover::choose(&subject.checkpoint, &plan, &windows, how, &device, &mut watch));
    assert!(matches!(found, Err(RecoverError::TooFew { examples: 0, .. })));
}
