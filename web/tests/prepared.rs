//! What lesson 7 shows before anything is computed is what its own requests come to.

use std::path::Path;

use pollster::block_on;
use slimgpt::device::Device;
use slimgpt_web::kit::Outcome;
use slimgpt_web::lessons::seven::asked::{CURVES, FIRST, of_curve, of_first, of_profile};
use slimgpt_web::lessons::seven::found::{Found, Yours};
use slimgpt_worker::jobs::{Done, FILES, Model, Worker};
use slimgpt_worker::protocol::{Answer, Depth, Job, Prune, Request, Run};

/// Set, the file is written anew instead of compared.
const WRITE: &str = "SLIMGPT_WRITE_PREPARED";

fn worker() -> Worker {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny_model");
    let file = |(name, _): &(&str, usize)| ((*name).to_owned(), std::fs::read(folder.join(name)).unwrap());
    Worker::on(Model::open(FILES.iter().map(file).collect()).unwrap(), Device::cpu())
}

fn compared(worker: &mut Worker, runs: Vec<Prune>) -> Depth {
    let request = Request { id: 1, job: Job::Depth { runs }, cpu: false };
    match block_on(worker.answer(&request, &mut |_| {})) {
        Ok(Done::Answer(Answer::Depth(depth))) => depth,
        other => panic!("{other:?}"),
    }
}

/// Equal up to what another processor rounds otherwise.
fn near(a: &Run, b: &Run) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= 2e-3 * a.abs().max(1e-3);
    let all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| close(a, b));
    a.parameters == b.parameters
        && all(&a.ratios, &b.ratios)
        && all(&a.errors, &b.errors)
        && close(a.perplexity, b.perplexity)
}

#[test]
fn the_prepared_runs_are_those_of_the_lessons_requests() {
    let mut worker = worker();
    let first = compared(&mut worker, FIRST.map(of_first).to_vec());
    let curves = compared(&mut worker, CURVES.map(of_curve).to_vec());
    let (dense, first, curves) = (first.dense_perplexity, first.runs, curves.runs);
    let made = Found { dense, first, curves, ..Found::default() };
    if std::env::var_os(WRITE).is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lessons/seven/prepared.json");
        return std::fs::write(path, serde_json::to_string(&made).unwrap() + "\n").unwrap();
    }
    let kept = Found::prepared();
    assert!((kept.dense - made.dense).abs() < 1e-3 * made.dense, "{} {}", kept.dense, made.dense);
    for (kept, made) in [(&kept.first, &made.first), (&kept.curves, &made.curves)] {
        assert!(kept.len() == made.len() && kept.iter().zip(made).all(|(k, m)| near(k, m)), "{kept:?}\n{made:?}");
    }
    // What the lesson says of them.
    let perplexities: Vec<f64> = made.first.iter().map(|run| run.perplexity).collect();
    assert!(made.dense < perplexities[0] && perplexities.is_sorted(), "{perplexities:?}");
}

/// A profile that does the task.
const BETTER: [f64; 6] = [0.1, 0.3, 0.35, 0.35, 0.35, 0.35];

#[test]
fn some_curve_beats_the_logarithmic_one_at_the_same_size() {
    let runs = vec![of_curve(CURVES[0]), of_profile(&BETTER)];
    let Depth { dense_perplexity: dense, runs, .. } = compared(&mut worker(), runs);
    let [log, run] = runs.try_into().unwrap();
    let yours = Some(Yours { profile: BETTER.to_vec(), dense, log, run });
    let found = Found { yours, ..Found::default() };
    let outcome = found.outcome(Some(&BETTER));
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?} {found:?}");
    // What was pruned by is another profile than the one that is shown.
    assert!(matches!(found.outcome(Some(&[0.3; 6])), Outcome::Open(_)));
    assert!(matches!(found.outcome(None), Outcome::Open(_)));
}
