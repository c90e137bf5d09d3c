//! Recovery of a pruned model: what is learnt from what, what comes out, and that an interrupted run ends
//! with the same bytes.

#[path = "../support/mod.rs"]
mod support;

mod chosen;
mod data;
mod learnt;
mod limits;
mod resumed;

use std::path::{Path, PathBuf};

use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::pipeline::{Flow, Limits};
use slimgpt::recover::{Data, Event, Format, Job, Length, Record, RecoverError, Settings, plan};
use slimgpt::session::{RecoverySessionError, examples, recover_to_folder};
use slimgpt::text::{Files, Tokenizer};
use support::shipped;

/// A model with its tokenizer.
struct Subject {
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
}

impl Subject {
    fn open(folder: &Path) -> Self {
        let (checkpoint, tokenizer) = slimgpt::session::open(folder).unwrap();
        Self { checkpoint, tokenizer }
    }

    fn data(&self, files: &[PathBuf], format: Option<Format>, settings: &Settings) -> Result<Data, RecoverError> {
        let files = Files { paths: files, key: "text", documents: None };
        let folder = self.checkpoint.folder().unwrap();
        Data::read(&examples(files, format, folder, &self.checkpoint, &self.tokenizer)?, settings)
    }
}

/// A few small steps.
fn few(steps: usize) -> Settings {
    Settings {
        length: Length::Steps(steps),
        batch: 4,
        window: 48,
        eval_every: 2,
        hold_out: Some(4),
        rate: 1e-3,
        warm_up: 1,
        ..Settings::default()
    }
}

/// The text the shipped model was not trained on.
fn text(folder: &Path) -> PathBuf {
    let path = folder.join("text.txt");
    std::fs::write(&path, &slimgpt::shipped::CALIBRATION[..6000]).unwrap();
    path
}

/// Trains into `out` and is told what happens.
fn trained(
    subject: &Subject,
    teacher: Option<&Checkpoint>,
    settings: &Settings,
    data: &Data,
    out: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Record, RecoverySessionError> {
    let device = Device::cpu();
    let config = subject.checkpoint.config();
    let plan = plan(settings, config, teacher.map(Checkpoint::config), &Limits::default()).unwrap();
    let job = Job {
        checkpoint: &subject.checkpoint,
        teacher,
        data,
        sources: &["text.txt".to_owned()],
        settings,
        plan: &plan,
        device: &device,
        clock: &|| 0.0,
        memory: &Peak::unknown,
        typed: None,
    };
    block_on(recover_to_folder(&job, out, None, false, on_event))
}

fn go_on(_: Event) -> Flow {
    Flow::Continue
}
