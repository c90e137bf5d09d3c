//! `prune --text`: perplexity before and after, as `ppl` has it; and what the report knows of how it was made.

use std::path::Path;

use serde_json::{Value, json};

use crate::{Ended, path, run, shipped, temporary};

const SMALL: [&str; 6] = ["--device", "cpu", "--samples", "8", "--seq-len", "64"];

fn prune(out: &str, more: &[&str]) -> Ended {
    let model = shipped();
    run(&[&["prune", &model, "--out", out, "--target", "0.3"], &SMALL[..], more].concat())
}

fn eval_text() -> String {
    format!("{}/eval.txt", shipped())
}

fn ppl(model: &str, text: &str, more: &[&str]) -> Value {
    run(&[&["ppl", model, "--text", text, "--device", "cpu", "--json"], more].concat()).with(0).json()
}

fn read(folder: &str, name: &str) -> String {
    std::fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

#[test]
fn perplexity_before_and_after_is_that_of_ppl() {
    let folder = temporary();
    let (model, out, text) = (shipped(), path(&folder.path().join("out")), path(&folder.path().join("short.txt")));
    // Measured six times, a tenth of it is enough.
    let whole = std::fs::read_to_string(eval_text()).unwrap();
    std::fs::write(&text, &whole[..whole.floor_char_boundary(whole.len() / 10)]).unwrap();
    let printed = prune(&out, &["--text", &text]).with(0);
    let [before, after] = [&model, &out].map(|m| ppl(m, &text, &[])["perplexity"].as_f64().unwrap());
    assert!(before < after);
    let figures = format!("perplexity {before:.4} → {after:.4}");
    assert!(printed.out.contains(&figures), "{figures}: {}", printed.out);
    assert!(printed.err.contains(&format!("perplexity {before:.4} as it is")), "{}", printed.err);
    let page = read(&out, "slimgpt-report.html");
    assert!(page.contains(&format!("{after:.4}")) && page.contains(&format!("{before:.4} before")), "{page}");
    let kept: Value = serde_json::from_str(&read(&out, "slimgpt-eval.json")).unwrap();
    assert_eq!(kept["entries"][0]["metric"], "ppl, dense");
    assert_eq!((&kept["entries"][0]["value"], &kept["entries"][1]["value"]), (&json!(before), &json!(after)));
    assert_eq!(run(&["inspect", &out, "--json"]).with(0).json()["evaluation"], kept["entries"]);
    // Typed again, it is measured again, to the same bytes.
    let again = prune(&out, &["--text", &text]).with(0);
    assert!(again.err.contains("finished already") && again.out.contains(&figures), "{}", again.out);
    assert_eq!(serde_json::from_str::<Value>(&read(&out, "slimgpt-eval.json")).unwrap(), kept);
}

#[test]
fn several_texts_are_measured_apart_and_told_as_events() {
    let folder = temporary();
    let (model, out, eval) = (shipped(), path(&folder.path().join("out")), eval_text());
    let other = format!("{model}/calibration.txt");
    let how = ["--windows", "4", "--eval-seq-len", "64", "--eval-bos", "each"];
    let printed = prune(&out, &[&["--text", &eval, "--text", &other, "--json"], &how[..]].concat()).with(0);
    let events: Vec<Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<&Value> = events.iter().filter(|e| e["event"] == "perplexity").collect();
    assert_eq!(
        found.iter().map(|e| e["model"].as_str().unwrap()).collect::<Vec<_>>(),
        ["dense", "dense", "pruned", "pruned"]
    );
    assert_eq!(events.last().unwrap()["event"], "finished", "the last event says that all is done");
    for (event, folder) in found.iter().zip([&model, &model, &out, &out]) {
        let text = event["text"].as_str().unwrap();
        let same = ppl(folder, text, &["--windows", "4", "--seq-len", "64", "--bos", "each"]);
        for key in
            ["perplexity", "nll", "tokens", "windows", "seq_len", "bos", "join", "protocol", "what", "text", "device"]
        {
            assert_eq!(event[key], same[key], "{key} of {text}");
        }
    }
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_is_pruned() {
    let folder = temporary();
    let out = path(&folder.path().join("out"));
    prune(&out, &["--text", "wikitext2"]).with(2).saying(&["--text", "wiki.test.raw"]);
    prune(&out, &["--text", &eval_text(), "--eval-seq-len", "4096"]).with(2).saying(&["--eval-seq-len", "512"]);
    prune(&out, &["--windows", "3"]).with(2).saying(&["--text"]);
    assert!(prune(&out, &["--text", "no/such.txt"]).with(1).err.contains("no/such.txt"));
    assert!(!Path::new(&out).exists() && !folder.path().join("out.partial").exists());
}

#[test]
fn the_report_has_the_command_line_and_every_setting() {
    let folder = temporary();
    let out = path(&folder.path().join("my out"));
    prune(&out, &["--damping", "0.02"]).with(0);
    let report: Value = serde_json::from_str(&read(&out, "slimgpt-report.json")).unwrap();
    let typed = &report["timing"]["typed"];
    let words: Vec<&str> = typed["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    assert!(words[0].ends_with("slimgpt"), "{words:?}");
    assert_eq!(words[1..6], ["prune", &shipped(), "--out", &out, "--target"]);
    let settings = &typed["settings"];
    // As typed, by default, and neither.
    assert_eq!(
        (&settings["damping"], &settings["target"], &settings["out"]),
        (&json!(["0.02"]), &json!(["0.3"]), &json!([out]))
    );
    assert_eq!(
        (&settings["schedule"], &settings["seed"], &settings["bos"]),
        (&json!(["log"]), &json!(["0"]), &json!(["none"]))
    );
    assert_eq!(
        (&settings["sampling"], &settings["method"], &settings["text"]),
        (&json!(["random"]), &json!([]), &json!([]))
    );
    let page = read(&out, "slimgpt-report.html");
    for word in [
        "prune ",
        "--damping 0.02",
        "my out&#x27;",
        "<dt>channel-multiple</dt><dd>not given</dd>",
        "<dt>seed</dt><dd>0</dd>",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
}
