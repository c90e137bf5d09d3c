//! The jobs, held to what the session behind the command line makes of the same request.

use std::collections::BTreeMap;
use std::path::Path;

use pollster::block_on;
use slimgpt::allocate::{Schedule, Target};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::eval::perplexity;
use slimgpt::obs::Score;
use slimgpt::pipeline::{Flow, Job as Run, Limits, Report, Request as Asked, plan};
use slimgpt::session;
use slimgpt::shape::Site;
use slimgpt::shipped;
use slimgpt::text::{Bos, Files, Sampling, Windows, windows};
use slimgpt_worker::jobs::{Done, FILES, Failure, Model, Named, Worker};
use slimgpt_worker::protocol::{
    Answer, Eval, Event, Generate, Job, Layer, News, Progress, Prune, Pruned, Request, Stage, Text, Which,
};

/// Few windows, where all would take long, and as the model was trained.
const FEW: Eval = Eval { windows: Some(8), tokens: Some(256), bos: Bos::Each };

fn files() -> Vec<Named> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny_model");
    FILES.iter().map(|(name, _)| ((*name).to_owned(), std::fs::read(folder.join(name)).unwrap())).collect()
}

fn worker() -> Worker {
    Worker::on(Model::open(files()).unwrap(), Device::cpu())
}

fn asked(target: f64) -> Asked {
    Asked { windows: 16, window_tokens: 128, ..Asked::to(Target::Ratio(target)) }
}

fn few(request: Asked) -> Prune {
    Prune { request, text: Text::Shipped, eval: FEW }
}

fn done(worker: &mut Worker, id: u32, job: Job) -> Result<Done, Failure> {
    block_on(worker.answer(&Request { id, job, cpu: false }, &mut |_| {}))
}

fn pruned(worker: &mut Worker, id: u32, prune: Prune) -> Pruned {
    match done(worker, id, Job::Prune(prune)) {
        Ok(Done::Answer(Answer::Pruned(pruned))) => *pruned,
        other => panic!("{other:?}"),
    }
}

fn text(worker: &mut Worker, model: Which) -> Result<String, Failure> {
    let prompt = shipped::PROMPT.to_owned();
    let job = Job::Generate(Generate { model, prompt, tokens: 24, temperature: 0.0, seed: 0 });
    match done(worker, 9, job)? {
        Done::Answer(Answer::Text(text)) => Ok(text),
        other => panic!("{other:?}"),
    }
}

/// What `slimgpt prune` with these flags makes of the shipped model, as a folder.
fn session(folder: &Path, request: &Asked) -> Report {
    let dense = folder.join("dense");
    shipped::write(&dense).unwrap();
    let (checkpoint, tokenizer) = session::open(&dense).unwrap();
    let (device, clock) = (Device::cpu(), || 0.0);
    let plan = plan(request, checkpoint.config(), &Limits::of(&device, None)).unwrap();
    let (count, length) = (Some(request.windows), request.window_tokens);
    let which = Windows { count, length, sampling: Sampling::Random, bos: Bos::None, seed: request.seed };
    let none = Files { paths: &[], key: "text", documents: None };
    let cut = session::windows(none, &checkpoint, shipped::CALIBRATION, &tokenizer, &which, &mut |_, _| {});
    let windows = cut.unwrap().unwrap().windows;
    let (checkpoint, windows, plan, device) = (&checkpoint, &windows, &plan, &device);
    let job =
        Run { checkpoint, windows, plan, scores: None, device, clock: &clock, memory: &Peak::unknown, typed: None };
    block_on(session::prune_to_folder(&job, &folder.join("out"), false, &mut |_| Flow::Continue)).unwrap().report
}

/// What `slimgpt ppl` says of a folder on the evaluation text.
fn measured(folder: &Path) -> f64 {
    let (checkpoint, tokenizer) = session::open(folder).unwrap();
    let which = Windows { count: None, length: 512, sampling: Sampling::Sequential, bos: Bos::None, seed: 0 };
    let windows = windows(&tokenizer, &[shipped::EVALUATION.to_owned()], None, &which).unwrap();
    block_on(perplexity(&checkpoint, &windows, &Device::cpu(), &mut |_, _| {})).unwrap().perplexity
}

#[test]
fn a_pruning_is_that_of_the_command_line() {
    let (folder, request) = (tempfile::tempdir().unwrap(), asked(0.3));
    let want = session(folder.path(), &request);
    let mut worker = worker();
    let found = pruned(&mut worker, 7, Prune { request, ..Prune::default() });
    assert_eq!((found.number, &found.layers), (7, &want.layers));
    assert_eq!(found.parameters, [want.parameters_before, want.parameters_after]);
    assert_eq!(found.bytes, [want.bytes_before, want.bytes_after]);
    let ppl = ["dense", "out"].map(|name| measured(&folder.path().join(name)));
    for (found, want) in found.perplexity.iter().zip(ppl) {
        assert!((found / want - 1.0).abs() < 1e-3, "{found} {want}");
    }
    assert!(ppl[1] > ppl[0]);
    // What is downloaded is what the folder has, but for the name of its source.
    let Ok(Done::Files(files)) = done(&mut worker, 8, Job::Download { number: 7 }) else { panic!("no files") };
    let files: BTreeMap<_, _> = files.into_iter().collect();
    for same in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(files[same] == std::fs::read(folder.path().join("out").join(same)).unwrap(), "{same}");
    }
    let of_folder = std::fs::read_dir(folder.path().join("out")).unwrap();
    let mut missing: Vec<_> = of_folder.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    missing.retain(|name| !files.contains_key(name));
    // The page about the folder is the page's own business.
    assert_eq!(missing, [slimgpt::report::FILE]);
    let again = Checkpoint::from_bytes(&files["config.json"], files["model.safetensors"].clone()).unwrap();
    assert_eq!(again.config().parameters(), found.parameters[1]);
}

#[test]
fn pruned_models_write_until_they_are_forgotten() {
    let mut worker = worker();
    let dense = text(&mut worker, Which::Dense).unwrap();
    for id in 1..=5 {
        pruned(&mut worker, id, few(Asked { windows: 4, ..asked(0.6) }));
    }
    assert_ne!(text(&mut worker, Which::Pruned(5)).unwrap(), dense);
    assert_eq!(text(&mut worker, Which::Dense).unwrap(), dense);
    let forgotten = text(&mut worker, Which::Pruned(1)).unwrap_err();
    assert!(!forgotten.broken && forgotten.words.contains("prune it again"));
}

#[test]
fn a_text_is_told_in_pieces() {
    let (mut worker, mut pieces) = (worker(), String::new());
    let asked = Generate { model: Which::Dense, prompt: "Tom".into(), tokens: 12, temperature: 0.8, seed: 3 };
    let request = Request { id: 1, job: Job::Generate(asked), cpu: false };
    let answer = block_on(worker.answer(&request, &mut |progress| match progress {
        Progress::Written(piece) => pieces.push_str(&piece),
        other => panic!("{other:?}"),
    }));
    let Ok(Done::Answer(Answer::Text(text))) = answer else { panic!("no text") };
    assert!(!text.is_empty() && text == pieces);
}

#[test]
fn errors_travel_from_where_they_are_made() {
    let from = |layer: usize| {
        let ratios: Vec<f64> = (0..6).map(|i| if i == layer { 0.5 } else { 0.0 }).collect();
        let mut request = asked(0.3);
        (request.allocation.target, request.allocation.schedule) = (None, Schedule::even(&ratios));
        few(request)
    };
    let mut stages = Vec::new();
    let request = Request { id: 1, job: Job::Depth { runs: vec![from(0), from(3)] }, cpu: false };
    let answer = block_on(worker().answer(&request, &mut |progress| match progress {
        Progress::Working { stage, .. } => stages.push(stage),
        other => panic!("{other:?}"),
    }));
    let Ok(Done::Answer(Answer::Depth(depth))) = answer else { panic!("{answer:?}") };
    let [first, third] = depth.runs.as_slice() else { panic!("two runs") };
    assert!(first.errors.iter().all(|e| (0.0..2.0).contains(e)) && first.errors[0] > 0.0, "{first:?}");
    // Nothing is off before the layer that lost something.
    assert_eq!(third.errors[..3], [0.0; 3]);
    assert!(third.errors[3] > 0.0 && third.ratios[3] > 0.3 && third.ratios[2] == 0.0, "{third:?}");
    assert!(first.perplexity > depth.dense_perplexity);
    stages.dedup();
    assert_eq!(stages[..4], [Stage::MeasuringDense, Stage::Pruning, Stage::Comparing, Stage::MeasuringPruned]);
}

#[test]
fn a_real_layer_is_scored_three_ways() {
    let mut worker = worker();
    let mut look = |layer, site, remove| done(&mut worker, 1, Job::Layer(Layer { layer, site, remove, damping: 0.01 }));
    let Ok(Done::Answer(Answer::Layer(heads))) = look(2, Site::Heads, 2) else { panic!("no scores") };
    assert_eq!(
        heads.iter().map(|s| s.score).collect::<Vec<_>>(),
        [Score::Exact, Score::GroupedCholesky, Score::Diagonal]
    );
    for scored in &heads {
        assert_eq!((scored.scores.len(), scored.removed.len()), (4, 2));
        let least = scored.scores.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(scored.scores[scored.removed[0]], least);
        assert!(scored.error > 0.0 && scored.error < 1.0, "{scored:?}");
    }
    // Exact scores count what the columns of a head share; the others can only be larger or smaller by that.
    assert_ne!(heads[0].scores, heads[2].scores);
    let Ok(Done::Answer(Answer::Layer(channels))) = look(0, Site::Channels, 3) else { panic!("no scores") };
    assert_eq!((channels.len(), channels[0].removed.len(), channels[0].scores.len()), (1, 3, 352));
    for refused in [look(6, Site::Heads, 1), look(0, Site::Heads, 4), look(0, Site::Channels, 300)] {
        assert!(!refused.unwrap_err().broken);
    }
}

#[test]
fn a_wrong_text_costs_more() {
    let mut worker = worker();
    let request = Asked { windows: 32, ..asked(0.3) };
    let mut with = |text| pruned(&mut worker, 1, Prune { text, ..few(request.clone()) }).perplexity[1];
    let (right, digits) = (with(Text::Shipped), with(Text::Digits(0)));
    assert!(digits > 1.2 * right, "{digits} {right}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut worker = worker();
    let refused = done(&mut worker, 1, Job::Prune(few(asked(1.5)))).unwrap_err();
    assert!(!refused.broken && refused.words.contains("1.5"), "{refused:?}");
    let mut short = files();
    short[1].1.pop();
    let words = Model::open(short).err().unwrap().words;
    assert!(words.contains("model.safetensors has"), "{words}");
    assert!(Model::open(files()[1..].to_vec()).err().unwrap().words.contains("config.json is missing"));
}

#[test]
fn messages_survive_json() {
    let request = Request { id: 3, job: Job::Depth { runs: vec![few(asked(0.25))] }, cpu: false };
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    let found = pruned(&mut worker(), 1, few(asked(0.5)));
    let event = Event { id: 1, news: News::Done(Answer::Pruned(Box::new(found))), broken: false };
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}
