//! Texts to calibrate on and to measure, and the rows of tasks.

use std::io::Write as _;

use serde_json::json;
use slimgpt::eval::tasks::{Begin, ZERO_SHOT, mmlu, prepare, rows};
use slimgpt::text::{Bos, Files, Sampling, Tokenizer, Windows};

use crate::support::parquet::table;
use crate::support::shipped;
use crate::{Format, Outcome};

fn tokenizer() -> Tokenizer {
    Tokenizer::open(&shipped(), 4096).unwrap()
}

fn lines() -> Vec<u8> {
    let row =
        |i: usize| format!("{}\n", json!({ "text": format!("The cat number {i} sat on the mat."), "n": i, "x": null }));
    (0..20).flat_map(|i| row(i).into_bytes()).collect()
}

fn list() -> Vec<u8> {
    let row = |i: usize| json!({ "instruction": "Say it.", "input": if i.is_multiple_of(2) { "" } else { "cat" }, "output": format!("It is {i} cats.") });
    json!((0..20).map(row).collect::<Vec<_>>()).to_string().into_bytes()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A calibration file of this name.
fn calibration(name: &'static str, seed: Vec<u8>, is_json: bool) -> Format {
    let tokenizer = tokenizer();
    Format {
        name,
        share: 4,
        seeds: vec![seed],
        is_json,
        parts: &[
            "{\"text\": null}\n",
            "{\"text\": \"\\ud800\", \"x\": NaN}\n",
            "\u{feff}",
            "\r\n",
            "{\"text\": \"\"}\n",
        ],
        read: Box::new(move |file| {
            let folder = tempfile::tempdir().unwrap();
            let paths = [folder.path().join(name)];
            std::fs::write(&paths[0], file).unwrap();
            let files = Files { paths: &paths, key: "text", documents: None };
            let mut outcome = Outcome::Refused;
            for sampling in [Sampling::Sequential, Sampling::Random] {
                let which = Windows { count: Some(3), length: 8, sampling, bos: Bos::None, seed: 1 };
                if let Ok(cut) = files.windows(None, &tokenizer, None, &which, &mut |_, _| {}) {
                    let is_right = cut.windows.len() == 3 && cut.windows.iter().all(|w| w.len() == 8);
                    outcome = if is_right { Outcome::Used } else { Outcome::Wrong(format!("{:?}", cut.windows)) };
                }
            }
            outcome
        }),
    }
}

/// Tables, of which `tests/input/tables/make.py` made one, and of the other every byte is known.
fn tables() -> Vec<Format> {
    let texts: Vec<String> = (0..20).map(|i| format!("The cat number {i} sat on the mat.")).collect();
    let some = || texts.iter().map(|text| Some(text.as_str())).chain([None]).collect();
    let csv = format!("id,text\r\n{}", texts.iter().map(|text| format!("1,\"{text}\"\r\n")).collect::<String>());
    let parquet = |codec| table(&[some(), some()], codec);
    let written =
        |name: &str| std::fs::read(format!("{}/tests/input/tables/{name}.parquet", env!("CARGO_MANIFEST_DIR")));
    let of_pyarrow = ["plain", "snappy", "gzip", "lengths", "prefixes", "pages"].map(|name| written(name).unwrap());
    let mut columns = calibration("a.parquet", parquet(0), false);
    columns.seeds.extend([1, 2, 6].map(parquet));
    columns.seeds.extend(of_pyarrow);
    columns.share = 16;
    let mut nested = calibration("b.parquet", written("chat").unwrap(), false);
    nested.read = Box::new(|file| {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("b.parquet")];
        std::fs::write(&paths[0], file).unwrap();
        let files = Files { paths: &paths, key: "", documents: None };
        match files.rows(None, &mut |_, _| Ok(())) {
            Ok(_) => Outcome::Used,
            Err(_) => Outcome::Refused,
        }
    });
    let mut separated = calibration("a.csv", csv.into_bytes(), false);
    separated.parts = &["\"", "\"\"", ",", "\r\n", "\n\n", "\u{feff}"];
    columns.parts = &["PAR1", "PARE"];
    nested.parts = columns.parts;
    vec![columns, nested, separated]
}

/// Rows that every task can be asked with.
fn task_row() -> Vec<u8> {
    let choices = json!({ "text": ["a ball", "a dog", "rain", "none"], "label": ["A", "B", "C", "D"] });
    let row = json!({
        "passage": "Tom has a ball.", "question": "what does tom have", "answer": true, "goal": "Fly.", "sol1": "Run.", "sol2": "Eat.",
        "label": 0, "activity_label": "Playing", "ctx_a": "Tom has.", "ctx_b": "tom And", "endings": ["a", "b", "c", "d"],
        "sentence": "Tom gave _ a ball.", "option1": "Ann", "option2": "Tom", "question_stem": "Tom has", "choices": choices, "answerKey": "A",
    });
    format!("{row}\n{row}\n").into_bytes()
}

fn tasks() -> Format {
    let tokenizer = tokenizer();
    Format {
        name: "rows of a task",
        share: 8,
        seeds: vec![task_row()],
        is_json: true,
        parts: &[],
        read: Box::new(move |file| {
            let text = String::from_utf8_lossy(file);
            let mut good = 0;
            for task in ZERO_SHOT {
                let Ok(prepared) =
                    prepare(rows(task.name, &text, None, task.item), &tokenizer, 512, Begin::None, &mut |_, _| {})
                else {
                    continue;
                };
                good += prepared.questions.len();
            }
            mmlu(("dev", &text), ("test", &text), Some(5));
            if good > 0 { Outcome::Used } else { Outcome::Refused }
        }),
    }
}

pub fn formats() -> Vec<Format> {
    let text: Vec<u8> = "The cat sat on the mat. Ünicode 😀 too.\n".repeat(12).into_bytes();
    let mut all = vec![
        calibration("a.txt", text.clone(), false),
        calibration("a.jsonl", lines(), true),
        calibration("a.json", list(), true),
        calibration("a.jsonl.gz", gzip(&lines()), false),
        calibration("a.txt.zst", zstd(&text), false),
        tasks(),
    ];
    all.extend(tables());
    all
}
