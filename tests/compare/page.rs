//! The page: it is whole, it opens anywhere, it shows what the report says, and no text breaks it.

use std::path::Path;

use serde_json::json;
use slimgpt::eval::EvalEntry;
use slimgpt::pipeline::{Method, Report, Request};
use slimgpt::report::{Continuation, Folder, ReportError, Sample, page};
use slimgpt::search::{TuneTrial, Tuning};

use crate::support::checkpoint::Model;
use crate::support::{pruned, tokens};
use crate::xml;

fn report(method: Method, layers: usize) -> Report {
    let checkpoint = Model::llama(json!({ "num_hidden_layers": layers, "intermediate_size": 100 })).open();
    let windows: Vec<Vec<u32>> = (0..6).map(|i| tokens(24, 32, i)).collect();
    let request = method.of(Request {
        allocation: pruned::rounded_by_layer(0.4),
        windows: 6,
        window_tokens: 24,
        ..Request::default()
    });
    pruned::in_memory(&checkpoint, &windows, &request).0
}

fn folder(name: &str, method: Method) -> Folder {
    let entry = EvalEntry {
        what: "a.txt, 4 windows of 64 tokens".into(),
        metric: "ppl".into(),
        value: 12.5,
        stderr: Some(0.25),
        n: 252,
    };
    Folder {
        name: name.into(),
        report: report(method, 3),
        evaluation: vec![entry],
        searched: None,
        tuned: None,
        recovery: None,
    }
}

#[track_caller]
fn has(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "\"{word}\" is not on the page");
    }
}

#[test]
fn a_page_has_every_figure_and_says_how_it_was_made() {
    let subject = folder("slim", Method::Exact);
    let html = page(std::slice::from_ref(&subject), &[]).unwrap();
    xml::check(&html);
    for title in [
        "Which heads stay",
        "How many channels stay",
        "How much each layer loses",
        "Error of the attention output by layer",
        "Error of the feed-forward output by layer",
    ] {
        assert_eq!(html.matches(&format!("<title>{title}</title>")).count(), 1, "{title}");
    }
    assert_eq!(html.matches("<figcaption>").count(), html.matches("<figure>").count());
    has(
        &html,
        &[&subject.report.calibration_sha256, "exact", "log: rising", "12.5000 ± 0.2500", "4 windows of 64 tokens"],
    );
    has(&html, &["prefers-color-scheme: dark", "@media print", "name=\"viewport\"", "lang=\"en\""]);
    let lines = html.matches("<th scope=\"row\">").count();
    assert_eq!(lines, 3 + 1, "one row a layer, one a figure");
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let html = page(&[folder("slim", Method::Slimgpt)], &[]).unwrap();
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("@import") && !html.contains("url("));
    let elsewhere = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http:") && !elsewhere.contains("https:"), "the page reaches out");
}

#[test]
fn no_name_and_no_text_breaks_the_page() {
    let evil = "</title><b>&\"'\u{1}{{ x }}";
    let sample = Sample {
        prompt: "<script>alert(1)</script>".into(),
        continuations: vec![Continuation { name: evil.into(), text: "a < b && c > d\nnext".into() }],
    };
    let folders = [folder(evil, Method::Flap), folder("plain", Method::Exact)];
    let html = page(&folders, &[sample]).unwrap();
    xml::check(&html);
    assert!(!html.contains("<script>") && !html.contains("</title><b>"));
    has(&html, &["&lt;script&gt;alert(1)", "a &lt; b &amp;&amp; c &gt; d", "{{ x }}"]);
}

#[test]
fn several_folders_stand_side_by_side() {
    let folders = [folder("twenty", Method::Exact), folder("fifty", Method::WandaSp)];
    let html = page(&folders, &[]).unwrap();
    xml::check(&html);
    assert_eq!(html.matches("<title>Which heads stay</title>").count(), 2, "a map for each");
    assert_eq!(html.matches("<title>How much each layer loses</title>").count(), 1, "curves over one another");
    has(&html, &["twenty, measured", "fifty, measured", "fifty, schedule", "2 pruned models"]);
}

#[test]
fn the_map_tells_which_heads_went_and_in_which_order() {
    let subject = folder("slim", Method::Exact);
    let html = page(std::slice::from_ref(&subject), &[]).unwrap();
    for layer in &subject.report.layers {
        let gone = (0..layer.before.heads).filter(|h| !layer.kept_heads.contains(h));
        for head in gone {
            assert!(html.contains(&format!("layer {}, head {head}, removed as number ", layer.layer)));
        }
    }
    let kept: usize = subject.report.layers.iter().map(|l| l.after.heads).sum();
    let bars = subject.report.layers.len();
    assert_eq!(html.matches("class=\"kept\"").count(), kept + bars);
}

#[test]
fn a_page_of_one_layer_and_of_many_is_whole() {
    for layers in [1, 50] {
        let subject = Folder {
            name: "deep".into(),
            report: report(Method::Exact, layers),
            evaluation: Vec::new(),
            searched: None,
            tuned: None,
            recovery: None,
        };
        let html = page(&[subject], &[]).unwrap();
        xml::check(&html);
        assert!(!html.contains("NaN") && !html.contains("inf\""), "{layers} layers");
    }
}

#[test]
fn a_page_tells_every_setting_that_was_tried() {
    let trial = |damping, windows, perplexity| TuneTrial { damping, windows, perplexity };
    let trials = vec![trial(0.01, 8, Some(12.5)), trial(0.003, 8, None), trial(0.03, 8, Some(12.25))];
    let (version, id) = ("1".into(), "a".into());
    let tuned = Tuning { version, id, tokens: 4096, damping: 0.01, windows: 8, trials };
    let subject = Folder { tuned: Some(tuned), ..folder("slim", Method::Exact) };
    let html = page(&[subject], &[]).unwrap();
    xml::check(&html);
    has(&html, &["What was tried", "12.5000", "12.2500", "could not be pruned", "4,096 tokens"]);
    assert_eq!(html.matches(">chosen<").count(), 1);
}

#[test]
fn without_a_report_there_is_no_page() {
    let place = tempfile::tempdir().unwrap();
    let error = Folder::open(place.path()).err().expect("an error");
    assert!(matches!(error, ReportError::NotPruned { .. }), "{error}");
    std::fs::write(place.path().join(Report::FILE), "{}").unwrap();
    let error = Folder::open(place.path()).err().expect("an error").to_string();
    assert!(error.contains(Report::FILE) && error.contains("prune again"), "{error}");
    assert!(matches!(page(&[], &[]), Err(ReportError::NoFolders)));
}

#[test]
fn a_folder_s_page_is_whole_under_its_name() {
    let place = tempfile::tempdir().unwrap();
    let subject = folder("slim", Method::Exact);
    std::fs::write(place.path().join(Report::FILE), subject.report.to_json()).unwrap();
    slimgpt::report::write_into(place.path()).unwrap();
    let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    xml::check(&std::fs::read_to_string(place.path().join(Path::new(slimgpt::report::FILE))).unwrap());
}
