//! Where an output may be put, what comes there meanwhile, and what working folders hold.

use std::path::{Path, PathBuf};

use slimgpt::checkpoint::Checkpoint;
use slimgpt::pipeline::{Event, Flow, FolderError, Opened, OutputFolder, PipelineError, Plan, Report};
use slimgpt::place::{Kind, Place, PlaceError};

use crate::tiny::{LAYERS, go_on, on_disk, planned, request, run, with_job};

struct Run {
    folder: tempfile::TempDir,
    checkpoint: Checkpoint,
    plan: Plan,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = on_disk(&folder.path().join("source"));
        let plan = planned(&checkpoint, &request());
        Self { folder, checkpoint, plan }
    }

    /// Another run on the same model.
    fn other(self) -> Self {
        let mut plan = self.plan.clone();
        plan.request.seed = 5;
        Self { plan, ..self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str, overwrite: bool) -> Result<Opened, FolderError> {
        with_job(&self.checkpoint, &self.plan, |job| OutputFolder::open(&self.path(name), job, overwrite))
    }

    fn run(&self, name: &str, overwrite: bool, on_event: impl FnMut(Event) -> Flow) -> Result<Report, PipelineError> {
        let Opened::Work(mut folder) = self.open(name, overwrite)? else { panic!("{name} is finished already") };
        run(&self.checkpoint, &self.plan, &mut folder, on_event)
    }

    fn weights(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name).join("model.safetensors")).unwrap()
    }
}

fn after_first_layer(event: Event) -> Flow {
    if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue }
}

fn when_all_are_finished(event: Event) -> Flow {
    if matches!(event, Event::Writing) { Flow::Stop } else { Flow::Continue }
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).and_then(|()| std::fs::write(path, text)).unwrap();
}

#[test]
fn an_output_that_holds_the_model_or_lies_in_it_is_refused() {
    let mut place = Run::new();
    place.run("out", false, go_on).unwrap();
    let dense = place.path("out/dense");
    std::fs::rename(place.path("source"), &dense).unwrap();
    place.checkpoint = Checkpoint::open(&dense).unwrap();
    for (name, overwrite) in [("out", true), ("out", false), ("out/dense/../../out", true)] {
        let error = place.open(name, overwrite).err().unwrap();
        assert!(matches!(error, FolderError::Place(PlaceError::HoldsRead { .. })), "{error}");
    }
    let inside = place.open("out/dense/slim", true).err().unwrap();
    assert!(matches!(inside, FolderError::Place(PlaceError::InModel { .. })), "{inside}");
    place.run("beside", false, go_on).unwrap();
    place.checkpoint.layer(0).unwrap();
}

#[cfg(unix)]
#[test]
fn an_output_that_holds_what_the_model_s_links_lead_to_is_refused() {
    let mut place = Run::new();
    place.run("out", false, go_on).unwrap();
    let farm = place.path("farm");
    std::fs::create_dir(&farm).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::os::unix::fs::symlink(place.path("out").join(name), farm.join(name)).unwrap();
    }
    place.checkpoint = Checkpoint::open(&farm).unwrap();
    place.plan = planned(
        &place.checkpoint,
        &slimgpt::pipeline::Request { allocation: crate::support::pruned::rounded_by_layer(0.05), ..request() },
    );
    let error = place.open("out", true).err().unwrap();
    assert!(matches!(error, FolderError::Place(PlaceError::HoldsRead { .. })), "{error}");
}

#[test]
fn whatever_a_command_reads_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    put(&at("texts/page.html"), "<meta name=\"generator\" content=\"slimgpt");
    put(&at("slim/slimgpt-report.json"), r#"{"version": "1", "plan": {}, "layers": []}"#);
    put(&at("slim/vocab.json"), "calibration under a model's name");
    let ask = |out: &str, kind, reads: &[&str]| {
        Place::new(&at(out), kind, true).ask(&reads.iter().map(|read| at(read)).collect::<Vec<_>>())
    };
    assert!(ask("texts/page.html", Kind::Page, &[]).unwrap());
    let read = ask("texts/page.html", Kind::Page, &["other", "texts/../texts/page.html"]);
    assert!(matches!(read, Err(PlaceError::IsRead { model: false, .. })), "{read:?}");
    assert!(ask("slim", Kind::Pruned, &["texts/page.html"]).unwrap());
    let held = ask("slim", Kind::Pruned, &["slim/vocab.json"]);
    assert!(matches!(held, Err(PlaceError::HoldsRead { .. })), "{held:?}");
    // A new file may lie beside what is read, and results may be added where texts lie.
    assert!(!ask("slim/new.gguf", Kind::Gguf, &["slim"]).unwrap());
    assert!(!ask("texts", Kind::Results, &["texts/page.html"]).unwrap());
}

#[test]
fn what_stands_there_is_known_by_what_is_in_it() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let stands = |name: &str, kind, overwrite| Place::new(&at(name), kind, overwrite).stands();
    let figure = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\" ";
    let comparison = r#"{"version": "", "model": "", "protocol": {}, "dense": {}, "rows": []}"#;
    let ours = [
        ("a.gguf", Kind::Gguf, "GGUF\u{3}"),
        ("a.Modelfile", Kind::Modelfile, "# Made by slimgpt. Or so"),
        ("a.html", Kind::Page, "<meta name=\"generator\" content=\"slimgpt 1\"/>"),
        ("a.svg", Kind::Figure, figure),
        ("a.json", Kind::Comparison, comparison),
        ("a.csv", Kind::Table, "method,target,schedule,calibration,samples,seq_len,parameters\n"),
        ("row.json", Kind::Row, r#"{"identity": "a", "result": 1}"#),
        (
            "times.json",
            Kind::Times,
            r#"{"version": "1", "device": "cpu", "model": "a", "context_tokens": 1, "points": []}"#,
        ),
        ("items.jsonl", Kind::Items, "{\"task\": \"piqa\", \"file\": \"a\", \"line\": 1}\n{}"),
    ];
    for (name, kind, text) in ours {
        assert!(!stands(name, kind, false).unwrap(), "{name}");
        put(&at(name), text);
        assert!(stands(name, kind, true).unwrap(), "{name}");
        assert_eq!(stands(name, kind, false).is_err(), kind == Kind::Gguf, "{name}");
        for (_, other, text) in ours.iter().filter(|(_, other, _)| *other != kind) {
            put(&at("other"), text);
            let error = Place::new(&at("other"), kind, true).write(b"new").unwrap_err();
            assert!(matches!(error, PlaceError::NotOurs { .. }), "{other:?} as {kind:?}: {error}");
            assert_eq!(std::fs::read(at("other")).unwrap(), text.as_bytes());
        }
        // An empty file is no loss; a folder, or a device, is never a file of ours.
        put(&at("empty"), "");
        Place::new(&at("empty"), kind, false).write(text.as_bytes()).unwrap();
        assert!(stands("", kind, true).is_err());
        #[cfg(unix)]
        assert!(Place::new(Path::new("/dev/null"), kind, true).stands().is_err());
    }
}

#[test]
fn a_folder_of_ours_with_something_else_in_it_is_not_replaced() {
    let place = Run::new();
    place.run("out", false, go_on).unwrap();
    let place = place.other();
    for stranger in ["notes.txt", "adapter/weights", "model-backup.safetensors"] {
        put(&place.path("out").join(stranger), "mine");
        let error = place.open("out", true).err().unwrap();
        let name = stranger.split('/').next().unwrap();
        assert!(matches!(&error, FolderError::Place(PlaceError::Stranger { name: n, .. }) if n == name), "{error}");
        std::fs::remove_file(place.path("out").join(stranger)).unwrap();
        let _ = std::fs::remove_dir(place.path("out/adapter"));
    }
    // What systems and killed processes leave is nobody's.
    put(&place.path("out/.DS_Store"), "");
    // What comes along from a model may go with it.
    for name in ["License.txt", "NOTICE", "spiece.model", "additional_chat_templates/tools.jinja"] {
        put(&place.path("out").join(name), "the model's");
    }
    put(&place.path("out/slimgpt-report.html.unfinished.abc123"), "");
    place.run("out", true, go_on).unwrap();
    // A report that cannot be read is no proof that the folder is ours.
    put(&place.path("out").join(Report::FILE), "{}");
    let error = place.open("out", true).err().unwrap();
    assert!(matches!(error, FolderError::Place(PlaceError::NotOurs { .. })), "{error}");
}

#[test]
fn what_comes_to_the_output_s_place_meanwhile_stays_and_the_run_is_not_lost() {
    let place = Run::new();
    for (out, overwrite) in [("a", false), ("b", true)] {
        let comes = |event| {
            if matches!(event, Event::Writing) {
                put(&place.path(out).join("thesis.txt"), "mine");
            }
            Flow::Continue
        };
        let error = place.run(out, overwrite, comes).unwrap_err();
        assert!(matches!(error, PipelineError::Folder(FolderError::Taken { .. })), "{error}");
        assert!(error.to_string().contains(&format!("{out}.partial")), "{error}");
        assert_eq!(std::fs::read_to_string(place.path(out).join("thesis.txt")).unwrap(), "mine");
        std::fs::rename(place.path(out), place.path(&format!("{out}-mine"))).unwrap();
        let layers = |event| {
            assert!(!matches!(event, Event::LayerStarted { .. }), "done again");
            Flow::Continue
        };
        place.run(out, overwrite, layers).unwrap();
        assert!(place.path(out).join("config.json").is_file() && !place.path(&format!("{out}.partial")).exists());
    }
}

#[test]
fn a_finished_run_that_is_repeated_leaves_the_layers_of_another_alone() {
    let first = Run::new();
    first.run("out", false, go_on).unwrap();
    let other = first.other();
    let _ = other.run("out", true, after_first_layer);
    let layers = |run: &Run| std::fs::read_dir(run.path("out.partial")).unwrap().count();
    let before = layers(&other);
    let again = Run { plan: planned(&other.checkpoint, &request()), ..other };
    // While the other works there, and when it was interrupted.
    for held in [true, false] {
        let _held = held.then(|| slimgpt::disk::lock(&again.path("out.partial/lock")).unwrap().unwrap());
        assert!(matches!(again.open("out", false).unwrap(), Opened::Finished(_)));
        assert_eq!(layers(&again), before, "held: {held}");
    }
    let other = again.other();
    let mut resumed = 0;
    let on_event = |event| {
        if let Event::Resumed { finished, .. } = event {
            resumed = finished;
        }
        Flow::Continue
    };
    other.run("out", true, on_event).unwrap();
    assert_eq!(resumed, 1);
}

#[test]
fn layers_without_the_name_of_their_run_do_not_count() {
    let place = Run::new();
    let _ = place.run("out", false, after_first_layer);
    std::fs::remove_file(place.path("out.partial/run.json")).unwrap();
    let place = place.other();
    let Opened::Work(folder) = place.open("out", false).unwrap() else { panic!("not opened") };
    assert_eq!(slimgpt::pipeline::LayerSink::finished(&folder), 0);
    assert!(!place.path("out.partial/layer-00000.safetensors").exists());
}

#[test]
fn damage_is_noticed_in_every_layer_and_record_also_when_all_are_finished() {
    let place = Run::new();
    place.run("right", false, go_on).unwrap();
    type Observer = fn(Event) -> Flow;
    let stops: [(usize, Observer); 2] = [(1, after_first_layer), (LAYERS, when_all_are_finished)];
    for (layers, stop) in stops {
        let _ = place.run("out", false, stop);
        for name in (0..layers).flat_map(|l| ["safetensors", "json"].map(|end| format!("layer-{l:05}.{end}"))) {
            let path = place.path("out.partial").join(&name);
            let whole = std::fs::read(&path).unwrap();
            for at in (0..whole.len()).step_by(whole.len() / 10 + 1).chain([whole.len() - 3]) {
                let mut damaged = whole.clone();
                damaged[at] ^= 1;
                // The seventeenth digit of a number may be another one of the same number.
                let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
                if json(&damaged).is_some_and(|same| Some(same) == json(&whole)) {
                    continue;
                }
                std::fs::write(&path, &damaged).unwrap();
                let told = place.run("out", false, go_on).err().map(|e| e.to_string()).unwrap_or_default();
                assert!(told.contains(&name) && told.contains("is damaged"), "{name} at {at}: {told}");
            }
            std::fs::write(&path, &whole).unwrap();
        }
        place.run("out", false, go_on).unwrap();
        assert_eq!(place.weights("out"), place.weights("right"));
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
}

#[test]
fn a_record_of_indices_that_the_layer_does_not_have_is_damaged() {
    let place = Run::new();
    let _ = place.run("out", false, after_first_layer);
    let path = place.path("out.partial/layer-00000.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let change = |change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(record["record"]["kept_channels"].as_array_mut().unwrap());
        std::fs::write(&path, record.to_string()).unwrap();
        place.run("out", false, go_on).unwrap_err().to_string()
    };
    for told in
        [change(&|kept| kept[1] = 4000.into()), change(&|kept| drop(kept.pop())), change(&|kept| kept.swap(0, 1))]
    {
        assert!(told.contains("layer-00000.json is damaged"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn behind_a_link_lies_the_result_and_the_link_stays() {
    let place = Run::new();
    std::fs::create_dir(place.path("big")).unwrap();
    std::os::unix::fs::symlink("big", place.path("link")).unwrap();
    place.run("link", false, go_on).unwrap();
    assert!(place.path("link").symlink_metadata().unwrap().is_symlink());
    assert!(place.path("big/config.json").is_file());
    assert!(matches!(place.open("link/.", false).unwrap(), Opened::Finished(_)));
    // A link to nowhere is somebody's.
    std::os::unix::fs::symlink("nowhere", place.path("dangling")).unwrap();
    let error = place.open("dangling", true).err().unwrap();
    assert!(matches!(error, FolderError::Place(PlaceError::NotOurs { .. })), "{error}");
}

#[cfg(unix)]
#[test]
fn links_out_of_the_model_are_not_copied() {
    use std::os::unix::fs::symlink;
    let place = Run::new();
    put(&place.path("secret"), "PRIVATE KEY");
    symlink(place.path("secret"), place.path("source/merges.txt")).unwrap();
    symlink("tokenizer_config.json", place.path("source/generation_config.json")).unwrap();
    let left = slimgpt::export::huggingface::left_behind(&place.path("source"));
    assert_eq!(left, [std::path::Path::new("merges.txt")]);
    place.run("out", false, go_on).unwrap();
    assert!(!place.path("out/merges.txt").exists() && place.path("out/generation_config.json").is_file());
    // A folder of nothing but links, as download caches have: what they lead to is the model's.
    let cache = place.path("cache");
    std::fs::create_dir(&cache).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer_config.json"] {
        symlink(place.path("source").join(name), cache.join(name)).unwrap();
    }
    symlink(place.path("secret"), cache.join("vocab.json")).unwrap();
    let made = place.path("made");
    std::fs::create_dir(&made).unwrap();
    slimgpt::export::huggingface::carry(&cache, &made).unwrap();
    let names: Vec<_> = std::fs::read_dir(&made).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["tokenizer_config.json"]);
}
