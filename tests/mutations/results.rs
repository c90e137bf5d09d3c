//! What the program itself wrote: reports, records of figures; and schedules.

use serde_json::json;
use slimgpt::allocate::{Allocation, Schedule, Target};
use slimgpt::eval::{EvalEntry, EvalRecord, LayerTimes};
use slimgpt::pipeline::{Limits, Report, Request, plan};
use slimgpt::report::{Folder, page};
use slimgpt::shape::LayerShape;

use crate::support::checkpoint::Model;
use crate::support::pruned::{in_memory, rounded_by_layer};
use crate::support::tokens;
use crate::{Format, Outcome};

/// The report of a small model that was pruned.
fn report() -> Vec<u8> {
    let windows: Vec<Vec<u32>> = (0..4).map(|i| tokens(16, 32, i)).collect();
    let request = Request { allocation: rounded_by_layer(0.3), windows: 4, window_tokens: 16, ..Request::default() };
    let checkpoint = Model::llama(json!({ "intermediate_size": 64 })).open();
    serde_json::to_vec(&in_memory(&checkpoint, &windows, &request).0).unwrap()
}

fn record() -> Vec<u8> {
    let entry = |metric: &str, value| EvalEntry {
        what: "a text".into(),
        metric: metric.into(),
        value,
        stderr: Some(0.5),
        n: 100,
    };
    serde_json::to_vec(&EvalRecord { entries: vec![entry("ppl", 6.5), entry("acc", 0.25)] }).unwrap()
}

pub fn formats() -> Vec<Format> {
    vec![reports(), figures(), schedule(), times()]
}

fn reports() -> Format {
    Format {
        name: Report::FILE,
        share: 8,
        seeds: vec![report()],
        is_json: true,
        parts: &[],
        read: Box::new(|json| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(Report::FILE), json).unwrap();
            let made = Folder::open(folder.path()).and_then(|folder| page(&[folder], &[]));
            made.map_or(Outcome::Refused, |_| Outcome::Used)
        }),
    }
}

fn figures() -> Format {
    Format {
        name: "slimgpt-eval.json",
        share: 5,
        seeds: vec![record()],
        is_json: true,
        parts: &[],
        read: Box::new(|json| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("slimgpt-eval.json"), json).unwrap();
            let Ok(mut before) = EvalRecord::read(folder.path()) else { return Outcome::Refused };
            let new = EvalEntry { what: "b".into(), metric: "ppl".into(), value: 1.5, stderr: None, n: 1 };
            before.put([new.clone()]);
            match EvalRecord::add_to(folder.path(), [new]).and_then(|_| EvalRecord::read(folder.path())) {
                Ok(after) if after == before => Outcome::Used,
                other => Outcome::Wrong(format!("figures became {other:?}\nand were {before:?}")),
            }
        }),
    }
}

fn schedule() -> Format {
    let shape = |heads: usize, channels: usize| json!({ "heads": heads, "kv_heads": heads / 2, "channels": channels });
    let seeds = [
        "0.1 0.2, 0.3\n0.25\n".to_owned(),
        json!([0.1, 0.2, 0.3, 0.4]).to_string(),
        json!([{ "heads": 0.5, "channels": 0.2 }, 0.1, 0.2, 0.3]).to_string(),
        json!([shape(4, 64), shape(2, 40), shape(2, 33), shape(4, 64)]).to_string(),
    ];
    let checkpoint = Model::llama(json!({ "intermediate_size": 64, "num_hidden_layers": 4 })).open();
    let config = checkpoint.config().clone();
    Format {
        name: "schedule",
        share: 5,
        seeds: seeds.map(String::into_bytes).into(),
        is_json: true,
        parts: &[],
        read: Box::new(move |file| {
            let Ok(schedule) = Schedule::parse(&String::from_utf8_lossy(file)) else { return Outcome::Refused };
            for target in [None, Some(Target::Ratio(0.2))] {
                let allocation = Allocation {
                    target,
                    schedule: schedule.clone(),
                    channel_multiple: Some(1),
                    ..Allocation::default()
                };
                let Ok(plan) = plan(&Request { allocation, ..Request::default() }, &config, &Limits::default()) else {
                    continue;
                };
                let fits = plan.layers.iter().all(|l| {
                    l.after.heads <= l.before.heads && l.after.channels <= l.before.channels && l.after.kv_heads > 0
                });
                return if fits { Outcome::Used } else { Outcome::Wrong(format!("{:?}", plan.layers)) };
            }
            Outcome::Refused
        }),
    }
}

fn times() -> Format {
    let point = |heads: usize, kv_heads: usize, channels: usize, seconds: f64| {
        json!({
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels,
            "seconds": seconds,
        })
    };
    let points = [point(4, 2, 64, 2e-3), point(2, 1, 64, 1.7e-3), point(4, 2, 32, 1.4e-3), point(4, 2, 8, 1.2e-3)];
    let table = json!({
        "version": "1", "device": "cpu", "model": "a", "layers": 3, "context_tokens": 8, "points": points,
    });
    Format {
        name: "times",
        share: 3,
        seeds: vec![serde_json::to_vec(&table).unwrap()],
        is_json: true,
        parts: &[],
        read: Box::new(|file| {
            let Ok(times) = LayerTimes::parse(file) else { return Outcome::Refused };
            let layer = |heads, kv_heads, channels| LayerShape { heads, kv_heads, channels };
            let of = |channels: usize| times.seconds(&[layer(4, 2, channels), layer(2, 1, channels), layer(6, 3, 900)]);
            let all: Vec<f64> = [1, 8, 20, 64, 1000].map(of).to_vec();
            match all.windows(2).all(|pair| pair[0].is_finite() && pair[0] <= pair[1] + 1e-6) {
                true => Outcome::Used,
                false => Outcome::Wrong(format!("{all:?}")),
            }
        }),
    }
}
