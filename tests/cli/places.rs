//! Whatever a command writes, it replaces nothing that it reads and nothing that this program did not make.

use std::path::Path;

use crate::{path, run, shipped, temporary};

const SMALL: [&str; 6] = ["--device", "cpu", "--samples", "6", "--seq-len", "64"];

fn prune(model: &str, out: &str, more: &[&str]) -> crate::Ended {
    run(&[&["prune", model, "--out", out, "--target", "0.2"], &SMALL[..], more].concat())
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn items_go_to_no_file_of_somebody_else() {
    let (folder, model) = (temporary(), shipped());
    let rows = "{\"goal\": \"to eat\", \"sol1\": \"a spoon\", \"sol2\": \"a boat\", \"label\": 0}\n";
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("t")).unwrap();
    std::fs::write(at("t/piqa.jsonl"), rows).unwrap();
    std::fs::write(at("thesis.txt"), "mine").unwrap();
    let tasks = path(&at("t"));
    let eval = |items: &Path| {
        run(&["eval", &model, "--tasks", "piqa", "--task-dir", &tasks, "--items", &path(items), "--device", "cpu"])
    };
    eval(&at("t/piqa.jsonl")).with(2).saying(&["--items", "piqa.jsonl", "read by this very command"]);
    eval(&at("thesis.txt")).with(2).saying(&["--items", "thesis.txt"]);
    assert_eq!((read(&at("t/piqa.jsonl")), read(&at("thesis.txt"))), (rows.to_owned(), "mine".to_owned()));
    // Its own may be made again.
    for _ in 0..2 {
        eval(&at("items.jsonl")).with(0);
        assert!(read(&at("items.jsonl")).starts_with("{\"task\":\"piqa\""));
    }
}

#[test]
fn a_comparison_replaces_only_what_comparisons_are() {
    let (folder, model) = (temporary(), shipped());
    let at = |name: &str| folder.path().join(name);
    let compare = |plot: &Path| {
        let fixed = ["--methods", "magnitude", "--targets", "0.2", "--windows", "2", "--eval-seq-len", "64"];
        let places = [path(&at("c")), path(plot)];
        run(&[&["compare", &model, "--out", &places[0], "--plot", &places[1]], &SMALL[..], &fixed[..]].concat())
    };
    std::fs::create_dir(at("c")).unwrap();
    for name in ["c/compare.json", "c/compare.csv", "c/compare.svg", "c/dense.json"] {
        std::fs::write(at(name), "mine").unwrap();
        compare(&at("plot.svg")).with(2).saying(&[name.trim_start_matches("c/"), "no "]);
        assert_eq!(read(&at(name)), "mine");
        std::fs::remove_file(at(name)).unwrap();
    }
    std::fs::write(at("thesis.txt"), "mine").unwrap();
    compare(&at("thesis.txt")).with(2).saying(&["--plot", "thesis.txt", "another file"]);
    assert_eq!(read(&at("thesis.txt")), "mine");
    // Other files of the folder are in nobody's way, and its own are made again.
    std::fs::write(at("c/notes.txt"), "mine").unwrap();
    for _ in 0..2 {
        compare(&at("plot.svg")).with(0);
    }
    assert_eq!((read(&at("c/notes.txt")), read(&at("c/compare.svg"))), ("mine".to_owned(), read(&at("plot.svg"))));
    assert!(!at("c/compare.lock").exists());
}

#[test]
fn exports_and_prunes_do_not_replace_what_they_read() {
    let (folder, model) = (temporary(), shipped());
    let at = |name: &str| folder.path().join(name);
    let slim = path(&at("slim"));
    prune(&model, &slim, &[]).with(0);
    for form in ["padded", "mlx"] {
        for out in [&slim, &path(folder.path()), &path(&at("slim/inside"))] {
            run(&["export", form, &slim, "--out", out, "--overwrite"]).with(2);
        }
    }
    run(&["export", "gguf", &slim, "--out", &path(&at("slim/model.safetensors")), "--overwrite"]).with(2);
    // A calibration text under a name that a checkpoint has too.
    let text = format!("{model}/calibration.txt");
    std::fs::copy(&text, at("slim/vocab.txt")).unwrap();
    let calibration = path(&at("slim/vocab.txt"));
    prune(&model, &slim, &["--overwrite", "--calibration", &calibration]).with(2).saying(&["vocab.txt", "--out"]);
    std::fs::remove_file(at("slim/vocab.txt")).unwrap();
    std::fs::write(at("slim/merges.txt"), "0 0.1 0.2 0.2 0.2 0.3\n").unwrap();
    let schedule = path(&at("slim/merges.txt"));
    let fixed = ["prune", &model, "--out", &slim, "--schedule", &schedule, "--overwrite"];
    run(&[&fixed[..], &SMALL[..]].concat()).with(2).saying(&["merges.txt", "--out"]);
    run(&["inspect", &slim]).with(0);
    // A dense model that somebody downloaded beside what this program writes is not replaced.
    std::fs::create_dir(at("dense")).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(Path::new(&model).join(name), at("dense").join(name)).unwrap();
    }
    std::fs::write(at("dense/.gitattributes"), "").unwrap();
    run(&["export", "padded", &slim, "--out", &path(&at("dense")), "--overwrite"]).with(2).saying(&[".gitattributes"]);
}
