//! What an unfinished run left, and the rows of a comparison: whatever became of them, the result is the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use serde_json::json;
use slimgpt::allocate::{Curve, Rounding};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::compare::{Cell, CompareError, Comparison, Evaluation, Grid, GridContext, Protocol, run};
use slimgpt::device::{Device, Peak};
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{Event, Flow, Limits, Method, Opened, OutputFolder, Plan, Request, plan};
use slimgpt::session::execute;
use slimgpt::text::{Bos, Sampling};

use crate::support::checkpoint::Model;
use crate::support::pruned::{job, rounded_by_layer};
use crate::support::tokens;
use crate::{Format, Outcome};

const WEIGHTS: &str = "model.safetensors";

fn windows() -> Vec<Vec<u32>> {
    (0..3).map(|i| tokens(12, 32, i)).collect()
}

/// A run that was stopped before its last layer.
struct Stopped {
    _folder: tempfile::TempDir,
    source: PathBuf,
    partial: PathBuf,
    plan: Plan,
    /// The weights of the run that was not stopped.
    want: Vec<u8>,
}

impl Stopped {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        Model::llama(json!({ "num_hidden_layers": 2, "intermediate_size": 80 })).write(&source);
        let request =
            Request { allocation: rounded_by_layer(0.3), windows: 3, window_tokens: 12, ..Request::default() };
        let plan = plan(&request, Checkpoint::open(&source).unwrap().config(), &Limits::default()).unwrap();
        let stopped =
            Self { source, partial: folder.path().join("out.partial"), plan, want: Vec::new(), _folder: folder };
        let whole = tempfile::tempdir().unwrap();
        let want = stopped.finish(&whole.path().join("out")).unwrap();
        let stop = |event| if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
        assert!(stopped.run(&stopped.partial.with_extension(""), stop).is_err());
        Self { want, ..stopped }
    }

    fn run(&self, out: &Path, mut on_event: impl FnMut(Event) -> Flow) -> Result<(), String> {
        let (checkpoint, windows, device) = (Checkpoint::open(&self.source).unwrap(), windows(), Device::cpu());
        let job = job(&checkpoint, &windows, &self.plan, &device);
        match OutputFolder::open(out, &job, false).map_err(|e| e.to_string())? {
            Opened::Work(mut folder) => {
                block_on(execute(&job, &mut folder, &mut on_event)).map(drop).map_err(|e| e.to_string())
            }
            Opened::Finished(_) => Ok(()),
        }
    }

    /// The weights that come of going on.
    fn finish(&self, out: &Path) -> Result<Vec<u8>, String> {
        self.run(out, |_| Flow::Continue)?;
        std::fs::read(out.join(WEIGHTS)).map_err(|e| e.to_string())
    }

    /// Goes on with another file in the place of one.
    fn with(&self, name: &str, file: &[u8]) -> Outcome {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        copy(&self.partial, &place.path().join("out.partial"));
        std::fs::write(place.path().join("out.partial").join(name), file).unwrap();
        match self.finish(&out) {
            Err(_) => Outcome::Refused,
            Ok(found) if found == self.want => Outcome::Used,
            Ok(_) => Outcome::Wrong("the run went on to other weights".into()),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

pub fn formats() -> Vec<Format> {
    let stopped = Arc::new(Stopped::new());
    let names = std::fs::read_dir(&stopped.partial).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let kept = |name: &str, label: &'static str, share, is_json| {
        let (stopped, name) = (stopped.clone(), name.to_owned());
        let seeds = vec![std::fs::read(stopped.partial.join(&name)).unwrap()];
        Format { name: label, share, seeds, is_json, parts: &[], read: Box::new(move |file| stopped.with(&name, file)) }
    };
    let first = |end: &str| names.iter().find(|n| n.starts_with("layer-") && n.ends_with(end)).unwrap().clone();
    vec![
        kept("run.json", "run.json", 2, true),
        kept(&first(".json"), "the record of a layer", 2, true),
        kept(&first(".safetensors"), "the weights of a layer", 1, false),
        rows(),
    ]
}

/// The rows that a comparison kept.
fn rows() -> Format {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    Model::llama(json!({ "num_hidden_layers": 1, "intermediate_size": 80 })).write(&source);
    let results = folder.path().join("results");
    let want = compared(&source, &results).unwrap();
    let row = std::fs::read_dir(&results).unwrap().map(|e| e.unwrap().path()).find(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.contains("\"identity\"") && path.file_name().unwrap() != "dense.json"
    });
    let name = row.unwrap().file_name().unwrap().to_owned();
    Format {
        name: "a row of a comparison",
        share: 1,
        seeds: vec![std::fs::read(results.join(&name)).unwrap()],
        is_json: true,
        parts: &[],
        read: Box::new(move |file| {
            // Held as long as the closure is.
            let place = tempfile::tempdir_in(folder.path()).unwrap();
            copy(&results, place.path());
            std::fs::write(place.path().join(&name), file).unwrap();
            match compared(&source, place.path()) {
                Ok(found) if found == want => Outcome::Used,
                Ok(found) => Outcome::Wrong(format!("{found:?}")),
                // What somebody else may have written is not replaced.
                Err(_) => Outcome::Refused,
            }
        }),
    }
}

fn compared(source: &Path, out: &Path) -> Result<Comparison, CompareError> {
    let (checkpoint, device) = (Checkpoint::open(source).unwrap(), Device::cpu());
    let grid = Grid {
        methods: vec![Method::Random],
        targets: vec![0.2],
        schedules: vec![Curve::Uniform],
        calibrations: vec!["tokens".into()],
        samples: vec![3],
        seq_lens: vec![12],
        heads: vec![HeadUnit::KeyValue],
        dampings: vec![0.01],
        seeds: vec![0],
    };
    let protocol = Protocol {
        text: "tokens".into(),
        windows: 2,
        seq_len: 12,
        bos: Bos::None,
        calibration_sampling: Sampling::Sequential,
        calibration_bos: Bos::None,
        channel_multiple: 1,
        rounding: Rounding::Layer,
    };
    let setting = GridContext {
        checkpoint: &checkpoint,
        model: "small",
        device: &device,
        limits: Limits::default(),
        base: Request { allocation: rounded_by_layer(0.0), ..Request::default() },
        evaluation: Evaluation { windows: windows(), protocol, tasks: vec![], timed: None },
        typed: None,
        recovery: None,
        calibrate: &|_: &Cell| Ok(windows()),
        out,
        keep_weights: false,
        clock: &|| 0.0,
        memory: &Peak::unknown,
    };
    block_on(run(&setting, &grid, &mut |_| Flow::Continue))
}
