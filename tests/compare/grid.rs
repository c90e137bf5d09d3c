//! Grids: every cell becomes a row, what is finished is not done again, what cannot be says why.

use std::cell::Cell as Counter;
use std::path::Path;

use pollster::block_on;
use slimgpt::allocate::{Curve, Rounding};
use slimgpt::compare::{
    Cell, CellResult, CompareError, Comparison, Evaluation, Event, Grid, GridContext, Outcome, Protocol, plot, run,
};
use slimgpt::device::{Device, Peak};
use slimgpt::obs::HeadUnit;
use slimgpt::pipeline::{self, Flow, Limits, Method, Request};
use slimgpt::text::{Bos, Sampling};

use crate::model::{cut, opened};
use crate::support::pruned::rounded_by_layer;
use crate::xml;

fn grid() -> Grid {
    Grid {
        methods: vec![Method::Random, Method::Exact],
        // At 98 % a layer would keep fewer than 32 channels.
        targets: vec![0.2, 0.98],
        schedules: vec![Curve::Uniform],
        calibrations: vec!["stories".into()],
        samples: vec![6],
        seq_lens: vec![64],
        heads: vec![HeadUnit::KeyValue],
        dampings: vec![0.01],
        seeds: vec![0],
    }
}

/// Runs the grid into a folder; the observer is told every event.
fn compared(
    out: &Path,
    eval_windows: usize,
    keep_weights: bool,
    on_event: &mut dyn FnMut(&Event<'_>) -> Flow,
) -> Result<Comparison, CompareError> {
    let (checkpoint, tokenizer) = opened();
    let device = Device::cpu();
    let protocol = Protocol {
        text: "eval.txt".into(),
        windows: eval_windows,
        seq_len: 64,
        bos: Bos::Each,
        calibration_sampling: Sampling::Sequential,
        calibration_bos: Bos::Each,
        channel_multiple: 1,
        rounding: Rounding::Layer,
    };
    let setting = GridContext {
        checkpoint: &checkpoint,
        model: "tiny",
        device: &device,
        limits: Limits::default(),
        base: Request { allocation: rounded_by_layer(0.0), ..Request::default() },
        evaluation: Evaluation {
            windows: cut(&tokenizer, "eval.txt", eval_windows, 64),
            protocol,
            tasks: Vec::new(),
            timed: None,
        },
        recovery: None,
        calibrate: &|cell: &Cell| Ok(cut(&tokenizer, "calibration.txt", cell.samples, cell.seq_len)),
        out,
        keep_weights,
        clock: &|| 0.0,
        memory: &Peak::unknown,
        typed: None,
    };
    block_on(run(&setting, &grid(), &mut |event| on_event(&event)))
}

fn go_on(_: &Event<'_>) -> Flow {
    Flow::Continue
}

fn perplexity(row: &CellResult) -> f64 {
    row.figures().expect("figures").perplexity
}

#[test]
fn every_cell_is_a_row_and_what_cannot_be_says_why() {
    let place = tempfile::tempdir().unwrap();
    let found = compared(place.path(), 4, false, &mut go_on).unwrap();
    assert_eq!(found.rows.len(), 4);
    assert!(perplexity(&found.rows[1]) < perplexity(&found.rows[0]), "exact is better than random");
    assert!(found.dense.perplexity < perplexity(&found.rows[1]));
    for row in &found.rows[2..] {
        let Outcome::Refused(reason) = &row.outcome else { panic!("{row:?}") };
        assert!(reason.contains("must stay"), "{reason}");
    }
    let read: Comparison = serde_json::from_slice(&std::fs::read(place.path().join("compare.json")).unwrap()).unwrap();
    assert_eq!(read, found);
    let csv = std::fs::read_to_string(place.path().join("compare.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 1 + 4, "{csv}");
    assert!(csv.starts_with("method,target,") && csv.contains("4 windows of 64 tokens"), "{csv}");
    let svg = std::fs::read_to_string(place.path().join("compare.svg")).unwrap();
    xml::check(&svg);
    assert!(svg.contains("random") && svg.contains("dense"), "{svg}");
}

#[test]
fn the_weights_go_and_the_report_stays_unless_they_are_to_be_kept() {
    for keep in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let found = compared(place.path(), 2, keep, &mut go_on).unwrap();
        let folder = place.path().join(found.rows[1].folder.as_ref().unwrap());
        assert_eq!(folder.join("model.safetensors").is_file(), keep);
        for file in ["slimgpt-report.json", "slimgpt-report.html", "slimgpt-eval.json", "config.json"] {
            assert!(folder.join(file).is_file(), "{file}");
        }
        let page = std::fs::read_to_string(folder.join("slimgpt-report.html")).unwrap();
        assert!(page.contains("2 windows of 64 tokens"), "the protocol stands beside the number");
    }
}

/// The events of a run that matter here: cells that were pruned, and cells that were there.
fn counted(out: &Path, eval_windows: usize) -> (Comparison, usize, usize) {
    let (pruned, reused) = (Counter::new(0), Counter::new(0));
    let found = compared(out, eval_windows, false, &mut |event| {
        match event {
            Event::Pruning(pipeline::Event::Planned { .. }) => pruned.set(pruned.get() + 1),
            Event::Finished { reused: true, .. } => reused.set(reused.get() + 1),
            _ => {}
        }
        Flow::Continue
    });
    (found.unwrap(), pruned.get(), reused.get())
}

#[test]
fn what_is_finished_is_not_done_again_and_what_changed_is() {
    let place = tempfile::tempdir().unwrap();
    let (first, pruned, reused) = counted(place.path(), 2);
    assert_eq!((pruned, reused), (2, 0));
    let (second, pruned, reused) = counted(place.path(), 2);
    assert_eq!((pruned, reused), (0, 2));
    assert_eq!(first, second);
    let (third, pruned, reused) = counted(place.path(), 3);
    assert_eq!((pruned, reused), (2, 0), "another evaluation is another figure");
    assert_ne!(third.dense, first.dense);
    let (fourth, pruned, reused) = counted(place.path(), 2);
    assert_eq!((pruned, reused, fourth), (0, 2, first), "and takes none of the earlier ones away");
}

#[test]
fn a_run_that_is_stopped_within_a_cell_goes_on_from_its_last_layer() {
    let place = tempfile::tempdir().unwrap();
    let whole = compared(&place.path().join("whole"), 2, false, &mut go_on).unwrap();
    let out = place.path().join("stopped");
    let layers = Counter::new(0);
    let stopped = compared(&out, 2, false, &mut |event| {
        if let Event::Pruning(pipeline::Event::LayerDone { .. }) = event {
            layers.set(layers.get() + 1);
        }
        // The shipped model has six layers: this is the third of the second cell.
        if layers.get() == 9 { Flow::Stop } else { Flow::Continue }
    });
    assert!(matches!(stopped, Err(CompareError::Stopped { finished: 1, cells: 4 })));
    let resumed = Counter::new(0);
    let found = compared(&out, 2, false, &mut |event| {
        if let Event::Pruning(pipeline::Event::Resumed { finished, .. }) = event {
            resumed.set(*finished);
        }
        Flow::Continue
    });
    assert_eq!(resumed.get(), 3);
    assert_eq!(found.unwrap(), whole);
}

#[test]
fn the_chart_is_drawn_across_what_varies_most() {
    let place = tempfile::tempdir().unwrap();
    let mut found = compared(place.path(), 2, false, &mut go_on).unwrap();
    assert!(plot(&found).standalone().contains("share of the decoder layers"));
    found.rows.retain(|r| r.cell.target == 0.2);
    let mut more = found.rows.clone();
    more.iter_mut().for_each(|r| r.cell.samples = 128);
    found.rows.extend(more);
    assert!(plot(&found).standalone().contains("calibration windows"));
}
