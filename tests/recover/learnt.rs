//! What is learnt, and what comes out.

use slimgpt::recover::Train;
use slimgpt::shape::Part;

use super::*;
use crate::support::assert_says;

fn held_out(train: Train, teacher: bool) -> (Record, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    // Text in which every other word is another: something to learn for a model that knows the stories.
    let path = folder.path().join("text.txt");
    std::fs::write(&path, slimgpt::shipped::CALIBRATION[..6000].replace("the", "teh").replace("and", "nad")).unwrap();
    let share = if teacher { 1.0 } else { 0.0 };
    let settings = Settings { train, teacher: share, dropout: 0.0, rate: 2e-3, ..few(6) };
    let data = subject.data(&[path], None, &settings).unwrap();
    let dense = teacher.then(|| Checkpoint::open(&shipped()).unwrap());
    let out = folder.path().join("out");
    let record = trained(&subject, dense.as_ref(), &settings, &data, &out, &mut go_on).unwrap();
    (record, folder)
}

#[test]
fn each_kind_learns_and_its_folder_opens() {
    for train in [Train::Lora, Train::Norms, Train::All] {
        let (record, folder) = held_out(train, false);
        let [before, after] = record.held_out_change().unwrap();
        assert!(after < before, "{train:?}: {before} {after}");
        let out = folder.path().join("out");
        let (dense, after) = (Checkpoint::open(&shipped()).unwrap(), Checkpoint::open(&out).unwrap());
        assert_eq!((after.config(), after.dtype()), (dense.config(), dense.dtype()));
        let changed: Vec<Part> = after
            .config()
            .parts()
            .filter(|&part| after.layer(0).unwrap()[part] != dense.layer(0).unwrap()[part])
            .collect();
        let is_weight = |part: &Part| matches!(part, Part::Weight(_));
        assert!(!changed.is_empty());
        match train {
            Train::Lora => assert!(changed.iter().all(is_weight)),
            Train::Norms => assert!(!changed.iter().any(is_weight)),
            Train::All => assert_eq!(changed.len(), after.config().parts().count()),
        }
        let outer = after.outer().unwrap() != dense.outer().unwrap();
        assert_eq!(outer, train != Train::Lora, "{train:?}");
        assert_eq!(out.join("adapter").is_dir(), train == Train::Lora);
        let card = std::fs::read_to_string(out.join("README.md")).unwrap();
        assert!(card.contains("recovered") && card.contains("from_pretrained"), "{card}");
    }
}

/// Added while the source is read, the adapter gives the weights that the merged folder has.
#[test]
fn the_adapter_on_its_model_is_the_merged_model() {
    let (_, folder) = held_out(Train::Lora, false);
    let out = folder.path().join("out");
    let merged = Checkpoint::open(&out).unwrap();
    let adapter = Checkpoint::open(&shipped()).unwrap().with_adapter(&out.join("adapter")).unwrap();
    for layer in 0..merged.config().layers.len() {
        let (merged, adapter) = (merged.layer(layer).unwrap(), adapter.layer(layer).unwrap());
        for part in Part::ALL.into_iter().filter(|&part| merged.get(part).is_some()) {
            for (a, b) in merged[part].values.iter().zip(&adapter[part].values) {
                // The folder is in half precision: 2⁻¹¹ of the value.
                assert!((a - b).abs() <= b.abs() / 2048.0 + 1e-7, "{part}: {a} {b}");
            }
        }
    }
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let (_, folder) = held_out(Train::Lora, false);
    let adapter = folder.path().join("out/adapter");
    let other = crate::support::checkpoint::Model::llama(serde_json::json!({})).open();
    assert_says(other.with_adapter(&adapter), &["adapter", "layer 0", "q_proj"]);
    let config = adapter.join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let mine = || Checkpoint::open(&shipped()).unwrap();
    for (from, to, word) in [
        ("\"LORA\"", "\"IA3\"", "IA3"),
        ("\"r\": 8", "\"r\": 0", "r is 0"),
        ("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true", "fan_in_fan_out"),
        ("\"r\": 8", "\"r\": 4", "its factors are"),
    ] {
        assert!(text.contains(from), "{text}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
        assert_says(mine().with_adapter(&adapter), &[word]);
    }
    std::fs::write(&config, &text[..20]).unwrap();
    assert_says(mine().with_adapter(&adapter), &["no JSON"]);
    assert_says(mine().with_adapter(&folder.path().join("none")), &["none"]);
}

/// Taught by itself it has nothing to learn: there is no divergence, and nothing to pull back. (AdamW makes steps of
/// full length of the rounding that is left, so only the first is looked at.)
#[test]
fn a_teacher_that_is_the_model_itself_teaches_nothing() {
    let (record, folder) = held_out(Train::All, true);
    let first = record.steps[0];
    assert!(first.loss.abs() < 1e-6 && first.gradient_norm < 1e-4, "{first:?}");
    assert!(record.teacher.is_some());
    let card = std::fs::read_to_string(folder.path().join("out/README.md")).unwrap();
    assert!(card.contains("taught by the dense model"), "{card}");
}

#[test]
fn a_loss_that_is_no_number_is_told_and_the_state_before_stays() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    // A step so long that the next loss overflows.
    let settings = Settings { train: Train::All, rate: 1e30, hold_out: Some(0), ..few(5) };
    let data = subject.data(&[text(folder.path())], None, &settings).unwrap();
    let out = folder.path().join("out");
    assert_says(
        trained(&subject, None, &settings, &data, &out, &mut go_on),
        &["step 2", "state after step 1", "learning rate"],
    );
    assert!(!out.exists() && folder.path().join("out.partial/state").is_file());
}

#[test]
fn patience_ends_it_and_keeps_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    // Far too fast: it only gets worse.
    let settings = Settings { train: Train::All, rate: 0.05, patience: Some(2), ..few(40) };
    let data = subject.data(&[text(folder.path())], None, &settings).unwrap();
    let out = folder.path().join("out");
    let mut ends = Vec::new();
    let record = trained(&subject, None, &settings, &data, &out, &mut |event| {
        ends.extend(matches!(event, Event::Patience { .. }).then_some(event));
        Flow::Continue
    });
    let record = record.unwrap();
    assert!(matches!(ends[..], [Event::Patience { kept: 0 }]), "{ends:?}");
    assert_eq!((record.kept, record.steps.len()), (0, 4));
    // What is kept is what it was before.
    let (before, after) = (Checkpoint::open(&shipped()).unwrap(), Checkpoint::open(&out).unwrap());
    assert_eq!(before.layer(3).unwrap(), after.layer(3).unwrap());
}
