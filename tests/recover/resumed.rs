//! Stopped at any event, the same job goes on and ends with the same bytes.

use std::collections::BTreeMap;

use slimgpt::recover::{RecoveryPlan, begun};

use super::*;

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => found
                .extend(contents(&entry.path()).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes))),
            false if name == Record::FILE => {
                let mut record: serde_json::Value =
                    serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
                record.as_object_mut().unwrap().remove("timing");
                found.insert(name, record.to_string().into_bytes());
            }
            false => {
                found.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn stopped_anywhere_it_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let settings = few(4);
    let data = subject.data(&[text(folder.path())], None, &settings).unwrap();
    let whole = folder.path().join("whole");
    let mut events = 0;
    let counted = &mut |_: Event| {
        events += 1;
        Flow::Continue
    };
    trained(&subject, None, &settings, &data, &whole, counted).unwrap();
    let want = contents(&whole);
    assert!(want.len() >= 8, "{:?}", want.keys());
    // Every so often, so that looks, the middle of steps and their ends are among them.
    for stride in [3, 7, 16] {
        let out = folder.path().join(format!("out-{stride}"));
        let mut stops = 0;
        loop {
            let mut left = stride;
            let mut sometimes = |_: Event| {
                left -= 1;
                if left == 0 { Flow::Stop } else { Flow::Continue }
            };
            match trained(&subject, None, &settings, &data, &out, &mut sometimes) {
                Ok(_) => break,
                Err(RecoverySessionError::Recovery(RecoverError::Stopped { done, steps: 4 })) => {
                    stops += 1;
                    // A step takes more events than the shortest stride: it would be begun for ever.
                    if stride < 16 && stops > 3 {
                        trained(&subject, None, &settings, &data, &out, &mut go_on).unwrap();
                        break;
                    }
                    assert!(done <= 4);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(stops > 0 && !folder.path().join(format!("out-{stride}.partial")).exists());
        let got = contents(&out);
        let differing: Vec<&String> = want.keys().filter(|name| got.get(*name) != want.get(*name)).collect();
        assert!(differing.is_empty() && got.len() == want.len(), "{differing:?}");
    }
    assert!(events > 30);
    // Once more: it is finished, and says so at once.
    let mut told = Vec::new();
    let again = trained(&subject, None, &settings, &data, &whole, &mut |event| {
        told.push(event);
        Flow::Continue
    });
    again.unwrap();
    assert!(matches!(told[..], [Event::Finished { .. }]), "{told:?}");
}

#[test]
fn another_job_does_not_go_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let settings = few(4);
    let data = subject.data(&[text(folder.path())], None, &settings).unwrap();
    let out = folder.path().join("out");
    let stop_at_step = &mut |event| if matches!(event, Event::Step(_)) { Flow::Stop } else { Flow::Continue };
    trained(&subject, None, &settings, &data, &out, stop_at_step).unwrap_err();
    let other = Settings { rate: 2e-3, ..settings.clone() };
    let error = trained(&subject, None, &other, &data, &out, &mut go_on).unwrap_err().to_string();
    assert!(error.contains("settings"), "{error}");
    // A state that was damaged is not gone on from.
    let state = folder.path().join("out.partial/state");
    let mut bytes = std::fs::read(&state).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let error = trained(&subject, None, &settings, &data, &out, &mut go_on).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}

/// How many sequences go together follows from the memory that is free, which may be less when a run goes on.
#[test]
fn a_run_goes_on_in_the_batches_that_it_was_begun_in() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let settings = few(4);
    let data = subject.data(&[text(folder.path())], None, &settings).unwrap();
    let (device, out) = (Device::cpu(), folder.path().join("out"));
    let stop_at_step = &mut |event| if matches!(event, Event::Step(_)) { Flow::Stop } else { Flow::Continue };
    trained(&subject, None, &settings, &data, &out, stop_at_step).unwrap_err();
    let planned = plan(&settings, subject.checkpoint.config(), None, &Limits::default()).unwrap();
    assert_eq!(planned.micro_batch, 4);
    let by = |plan: &RecoveryPlan, out: &Path| {
        let job = Job {
            checkpoint: &subject.checkpoint,
            teacher: None,
            data: &data,
            sources: &["text.txt".to_owned()],
            settings: &settings,
            plan,
            device: &device,
            clock: &|| 0.0,
            memory: &Peak::unknown,
            typed: None,
        };
        begun(out, &job).unwrap()
    };
    let smaller = RecoveryPlan { micro_batch: 1, ..planned.clone() };
    assert_eq!(by(&smaller, &out), planned);
    assert_eq!(by(&smaller, &folder.path().join("other")), smaller, "where nothing was begun");
}
