//! `compare` and `report` on the shipped model.

use std::path::Path;

use crate::{Ended, path, run, shipped, temporary};

fn compare(out: &str, arguments: &[&str]) -> Ended {
    let model = shipped();
    let fixed = ["--samples", "6", "--seq-len", "64", "--windows", "4", "--eval-seq-len", "64", "--device", "cpu"];
    run(&[&["compare", &model, "--out", out], &fixed[..], arguments].concat())
}

fn prune(out: &str, method: &str) {
    let model = shipped();
    let fixed = ["--samples", "6", "--seq-len", "64", "--target", "0.3", "--device", "cpu", "--method", method];
    run(&[&["prune", &model, "--out", out], &fixed[..]].concat()).with(0);
}

#[test]
fn a_comparison_is_a_table_with_its_protocol_and_goes_on_where_it_was() {
    let folder = temporary();
    let out = path(&folder.path().join("compared"));
    let first = compare(&out, &["--methods", "random,exact", "--targets", "0.2,0.98"]).with(0);
    for word in ["dense", "random", "exact", "perplexity", "4 windows of 64 tokens", "cannot be reached", "not done"] {
        assert!(first.out.contains(word), "{word}: {}", first.out);
    }
    assert!(first.err.contains("ETA"), "{}", first.err);
    let again = compare(&out, &["--methods", "random,exact", "--targets", "0.2,0.98", "--json"]).with(0);
    assert_eq!(again.err, "");
    let rows = &again.json()["rows"];
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(rows[1]["method"], "exact");
    assert!(rows[1]["measured"]["perplexity"].as_f64() < rows[0]["measured"]["perplexity"].as_f64());
    assert!(rows[3]["refused"].as_str().unwrap().contains("cannot be reached"));
    let more = compare(&out, &["--methods", "exact", "--targets", "0.2", "--samples", "8,6"]).with(0);
    assert_eq!(more.err.matches("(done before)").count(), 1, "{}", more.err);
}

#[test]
fn calibrations_are_compared_apart() {
    let folder = temporary();
    let (out, other) = (path(&folder.path().join("compared")), folder.path().join("other.txt"));
    let text = format!("{}/calibration.txt", shipped());
    let reversed: Vec<String> = std::fs::read_to_string(&text).unwrap().lines().rev().map(str::to_owned).collect();
    std::fs::write(&other, reversed.join("\n")).unwrap();
    let eval = format!("{}/eval.txt", shipped());
    let files = ["--text", &eval, "--calibration", &text, "--calibration", &path(&other)];
    let printed = compare(&out, &[&["--methods", "exact", "--targets", "0.3"], &files[..]].concat()).with(0);
    assert!(printed.out.contains("calibration") && printed.out.contains("other"), "{}", printed.out);
    let svg = std::fs::read_to_string(Path::new(&out).join("compare.svg")).unwrap();
    assert!(svg.contains("exact calibration") && svg.contains("exact other"), "{svg}");
}

#[test]
fn what_cannot_be_compared_is_wrong_usage() {
    let folder = temporary();
    let out = path(&folder.path().join("compared"));
    let unknown = compare(&out, &["--methods", "lasso"]).with(2);
    assert!(unknown.err.contains("lasso") && unknown.err.contains("wanda-sp"), "{}", unknown.err);
    compare(&out, &["--schedules", "steep"]).with(2);
    compare(&out, &["--targets", "1.5"]).with(2);
    compare(&out, &["--eval-seq-len", "4096"]).with(2);
    let other = crate::another_model(&folder);
    run(&["compare", &other, "--out", &out, "--device", "cpu"]).with(2).saying(&["--text", "--calibration"]);
}

#[test]
fn pruning_leaves_a_page_and_report_makes_one_of_several() {
    let folder = temporary();
    let [exact, flap] = ["exact", "flap"].map(|method| {
        let out = path(&folder.path().join(method));
        prune(&out, method);
        out
    });
    let own = std::fs::read_to_string(Path::new(&exact).join("slimgpt-report.html")).unwrap();
    assert!(own.contains("<h1>exact</h1>"), "{own}");
    let page = path(&folder.path().join("both.html"));
    let dense = shipped();
    let eval = format!("{dense}/eval.txt");
    let more =
        ["--text", &eval, "--samples-of", "1", "--prompt", "One day <Mia>", "--max-tokens", "8", "--dense", &dense];
    let told =
        run(&[&["report", &exact, &flap, "--out", &page, "--device", "cpu", "--windows", "3", "--json"], &more[..]]
            .concat());
    let told = told.with(0).json();
    assert_eq!(told["samples"], 2);
    for (figures, name) in told["figures"].as_array().unwrap().iter().zip(["exact", "flap"]) {
        assert_eq!(figures["folder"], name);
        let metrics: Vec<&str> =
            figures["evaluation"].as_array().unwrap().iter().map(|e| e["metric"].as_str().unwrap()).collect();
        assert_eq!(metrics, ["ppl, dense", "ppl"]);
        assert!(figures["evaluation"][1]["what"].as_str().unwrap().contains("3 windows of 128 tokens"));
    }
    let both = std::fs::read_to_string(&page).unwrap();
    for word in ["2 pruned models", "One day &lt;Mia&gt;", "3 windows of 128 tokens", "ppl, dense"] {
        assert!(both.contains(word), "{word}");
    }
    run(&["report", &exact, "--out", &page]).with(0);
}

#[test]
fn a_folder_without_a_report_and_a_stranger_s_file_are_refused() {
    let folder = temporary();
    let (model, page) = (shipped(), path(&folder.path().join("page.html")));
    run(&["report", &model, "--out", &page]).with(1).saying(&["slimgpt-report.json", "by pruning"]);
    std::fs::write(&page, "<html>mine</html>").unwrap();
    run(&["report", &model, "--out", &page]).with(2).saying(&["page.html", "--out"]);
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "<html>mine</html>");
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_exits_with_130_and_goes_on() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("compared")));
    let arguments = [
        "compare",
        &model,
        "--out",
        &out,
        "--methods",
        "random,magnitude,exact",
        "--targets",
        "0.2,0.3",
        "--samples",
        "16",
        "--seq-len",
        "128",
        "--windows",
        "2",
        "--device",
        "cpu",
    ];
    let mut child = crate::program(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.by_ref().map(Result::unwrap).find(|l| l.contains("perplexity")).expect("a row");
    assert!(first.starts_with("random-0.2"), "{first}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let resumed = run(&arguments).with(0);
    assert!(resumed.err.contains("(done before)"), "{}", resumed.err);
}
