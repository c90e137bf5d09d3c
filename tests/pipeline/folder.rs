//! The output folder: whole or not there, and a run that is stopped goes on to the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use slimgpt::activations::{CacheError, Placement};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::obs::{Options, WgpuExecutor};
use slimgpt::pipeline::{
    Event, Flow, FolderError, MemorySink, Opened, OutputFolder, PipelineError, Plan, Report, Request, prune,
};
use slimgpt::place::PlaceError;
use slimgpt::remedy::{Remedied, Remedy};

use crate::support::pruned::{job, rounded_by_layer};
use crate::support::software_gpu;
use crate::tiny::{LAYERS, go_on, on_disk, planned, request, run, windows, with_job};

struct Place {
    folder: tempfile::TempDir,
    checkpoint: Checkpoint,
    plan: Plan,
}

impl Place {
    fn new(request: &Request) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = on_disk(&folder.path().join("source"));
        let plan = planned(&checkpoint, request);
        Self { folder, checkpoint, plan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str, overwrite: bool) -> Result<Opened, FolderError> {
        with_job(&self.checkpoint, &self.plan, |job| OutputFolder::open(&self.path(name), job, overwrite))
    }

    fn work(&self, name: &str) -> OutputFolder {
        match self.open(name, false).unwrap() {
            Opened::Work(folder) => folder,
            Opened::Finished(_) => panic!("{name} is finished already"),
        }
    }

    fn run(&self, name: &str, on_event: impl FnMut(Event) -> Flow) -> Result<Report, PipelineError> {
        run(&self.checkpoint, &self.plan, &mut self.work(name), on_event)
    }
}

impl Place {
    fn run_on(
        &self,
        name: &str,
        gpu: &Device,
        mut on_event: impl FnMut(Event) -> Flow,
    ) -> Result<Report, PipelineError> {
        let windows = windows();
        let job = job(&self.checkpoint, &windows, &self.plan, gpu);
        let Ok(Opened::Work(mut folder)) = OutputFolder::open(&self.path(name), &job, false) else {
            panic!("{name} not opened")
        };
        pollster::block_on(prune(&job, &WgpuExecutor::new(gpu.tensor_device()), &mut folder, &mut on_event))
    }

    /// The weights that came out, and what became of each layer.
    fn layers(&self, name: &str) -> (Vec<u8>, String) {
        let report: Report =
            serde_json::from_slice(&std::fs::read(self.path(name).join(Report::FILE)).unwrap()).unwrap();
        (std::fs::read(self.path(name).join("model.safetensors")).unwrap(), format!("{:?}", report.layers))
    }
}

/// All files of a folder; of the report all but the timing.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let mut content = std::fs::read(&path).unwrap();
            if name == Report::FILE {
                let mut json: serde_json::Value = serde_json::from_slice(&content).unwrap();
                json.as_object_mut().unwrap().remove("timing").unwrap();
                content = json.to_string().into_bytes();
            }
            (name, content)
        })
        .collect()
}

#[test]
fn the_folder_is_whole_and_loads_with_the_new_sizes() {
    let place = Place::new(&request());
    let report = place.run("out", go_on).unwrap();
    assert!(!place.path("out.partial").exists());
    let files: Vec<String> = bytes(&place.path("out")).into_keys().collect();
    let [of_config, of_model] = ["configuration_slimllama.py", "modeling_slimllama.py"];
    let want =
        ["README.md", "config.json", of_config, "model.safetensors", of_model, Report::FILE, "tokenizer_config.json"];
    assert_eq!(files, want);
    let pruned = Checkpoint::open(&place.path("out")).unwrap();
    let after: Vec<_> = place.plan.layers.iter().map(|l| l.after).collect();
    assert_eq!(pruned.config().layers, after);
    assert_eq!(pruned.config().parameters(), report.parameters_after);
    pruned.layer(LAYERS - 1).unwrap();
}

#[test]
fn activations_on_disk_give_the_same_weights_and_leave_nothing_behind() {
    let mut place = Place::new(&request());
    place.run("memory", go_on).unwrap();
    place.plan.memory.activations = Placement::Disk;
    let lying = place.path("disk.partial/activations");
    let mut seen = 0;
    let stopped = place.run("disk", |event| {
        seen += usize::from(lying.join("hidden-00002").is_file());
        if matches!(event, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue }
    });
    assert!(matches!(stopped, Err(PipelineError::Stopped { finished: 1, .. })) && seen > 0);
    place.run("disk", go_on).unwrap();
    assert_eq!(place.layers("disk"), place.layers("memory"));
    assert!(!place.path("disk.partial").exists());
}

#[test]
fn a_result_in_memory_has_no_disk_for_activations() {
    let mut place = Place::new(&request());
    place.plan.memory.activations = Placement::Disk;
    let error = run(&place.checkpoint, &place.plan, &mut MemorySink::default(), go_on).unwrap_err();
    assert!(matches!(error, PipelineError::Cache(CacheError::NoDisk)), "{error}");
}

#[cfg(unix)]
#[test]
fn whoever_may_read_one_file_may_read_them_all() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(&request());
    place.run("out", go_on).unwrap();
    let mode = |name: &str| std::fs::metadata(place.path("out").join(name)).unwrap().permissions().mode();
    std::fs::write(place.path("usual"), "").unwrap();
    let usual = std::fs::metadata(place.path("usual")).unwrap().permissions().mode();
    for name in bytes(&place.path("out")).keys() {
        assert_eq!(mode(name), usual, "{name}");
    }
}

#[test]
fn a_run_stopped_anywhere_goes_on_to_the_same_bytes() {
    let place = Place::new(&request());
    let mut events = 0;
    place
        .run("whole", |_| {
            events += 1;
            Flow::Continue
        })
        .unwrap();
    let whole = bytes(&place.path("whole"));
    // The last event tells that it is too late to stop.
    for stop in 0..events - 1 {
        let mut seen = 0;
        let stopped = place.run("stopped", |_| {
            seen += 1;
            if seen > stop { Flow::Stop } else { Flow::Continue }
        });
        assert!(matches!(stopped, Err(PipelineError::Stopped { .. })), "{stop}");
        assert!(!place.path("stopped").exists());
        place.run("stopped", go_on).unwrap();
        assert_eq!(bytes(&place.path("stopped")), whole, "stopped at event {stop}");
        std::fs::remove_dir_all(place.path("stopped")).unwrap();
    }
}

#[test]
fn a_drawn_run_goes_on_to_the_same_bytes() {
    let drawn = Request { options: Options { residual: 0.5, ..Options::default() }, ..request() };
    let place = Place::new(&drawn);
    place.run("whole", go_on).unwrap();
    let (whole, plain) = (bytes(&place.path("whole")), Place::new(&request()));
    plain.run("whole", go_on).unwrap();
    assert_ne!(bytes(&plain.path("whole")), whole, "drawn is another result");
    for _ in 1..LAYERS {
        let stop = |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
        assert!(place.run("stopped", stop).is_err());
    }
    place.run("stopped", go_on).unwrap();
    assert_eq!(bytes(&place.path("stopped")), whole);
}

#[test]
fn a_run_that_is_stopped_after_every_layer_still_ends_the_same() {
    let place = Place::new(&request());
    place.run("whole", go_on).unwrap();
    for layer in 0..LAYERS {
        let stopped =
            place.run("slow", |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue });
        assert!(matches!(stopped, Err(PipelineError::Stopped { finished, .. }) if finished == layer + 1));
    }
    place.run("slow", go_on).unwrap();
    assert_eq!(bytes(&place.path("slow")), bytes(&place.path("whole")));
}

#[test]
fn rubbish_of_a_killed_process_is_cleared_away() {
    let place = Place::new(&request());
    place.run("whole", go_on).unwrap();
    let _ = place.run("killed", |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue });
    let partial = place.path("killed.partial");
    std::fs::write(partial.join("layer-00001.safetensors.unfinished.abc123"), "half").unwrap();
    // Weights without their mark: the process died between the two renames.
    std::fs::write(partial.join("layer-00001.safetensors"), "whole but not marked").unwrap();
    std::fs::create_dir(partial.join("final")).unwrap();
    std::fs::write(partial.join("final/config.json"), "{}").unwrap();
    place.run("killed", go_on).unwrap();
    assert_eq!(bytes(&place.path("killed")), bytes(&place.path("whole")));
}

#[test]
fn a_finished_run_is_not_done_again() {
    let place = Place::new(&request());
    let report = place.run("out", go_on).unwrap();
    // Killed between the last rename and the clearing of the working folder.
    std::fs::create_dir(place.path("out.partial")).unwrap();
    match place.open("out", false).unwrap() {
        Opened::Finished(found) => assert_eq!(*found, report),
        Opened::Work(_) => panic!("done again"),
    }
    assert!(!place.path("out.partial").exists());
    // Killed while it was cleared, when it had lost its name already.
    std::fs::create_dir(place.path("out.partial.unfinished.abc123")).unwrap();
    assert!(matches!(place.open("out", false), Ok(Opened::Finished(_))));
    assert!(!place.path("out.partial.unfinished.abc123").exists());
}

#[test]
fn a_folder_of_another_run_is_replaced_only_when_asked() {
    let mut place = Place::new(&request());
    place.run("out", go_on).unwrap();
    place.plan.request.options.damping = 0.1;
    let error = place.open("out", false).err().unwrap();
    assert!(matches!(&error, FolderError::Place(PlaceError::Exists { .. })), "{error}");
    assert_eq!(error.remedy(), Some(Remedy::Replace));
    let Opened::Work(mut folder) = place.open("out", true).unwrap() else { panic!("not opened") };
    let report = run(&place.checkpoint, &place.plan, &mut folder, go_on).unwrap();
    assert_eq!(report.plan.request.options.damping, 0.1);
    assert!(!place.path("out.partial").exists());
}

#[test]
fn an_output_that_was_being_replaced_is_not_lost() {
    let mut place = Place::new(&request());
    place.run("out", go_on).unwrap();
    let older = bytes(&place.path("out"));
    place.plan.request.options.damping = 0.1;
    // Killed between two renames: the older output lies aside and nothing has its name.
    std::fs::create_dir(place.path("out.partial")).unwrap();
    std::fs::rename(place.path("out"), place.path("out.partial/replaced")).unwrap();
    assert!(matches!(place.open("out", false), Err(FolderError::Place(PlaceError::Exists { .. }))));
    assert_eq!(bytes(&place.path("out")), older);
    // Killed once more, and then replaced.
    std::fs::rename(place.path("out"), place.path("out.partial/replaced")).unwrap();
    let Opened::Work(mut folder) = place.open("out", true).unwrap() else { panic!("not opened") };
    assert_eq!(bytes(&place.path("out")), older);
    run(&place.checkpoint, &place.plan, &mut folder, go_on).unwrap();
    assert_ne!(bytes(&place.path("out")), older);
    assert!(!place.path("out.partial").exists());
}

#[test]
fn a_folder_that_is_not_ours_is_never_touched() {
    let place = Place::new(&request());
    std::fs::create_dir(place.path("letters")).unwrap();
    std::fs::write(place.path("letters/to-ada.txt"), "dear").unwrap();
    for overwrite in [false, true] {
        for name in ["letters", "letters/to-ada.txt"] {
            let error = place.open(name, overwrite).err().unwrap();
            assert!(
                matches!(&error, FolderError::Place(PlaceError::NotOurs { .. })) && error.to_string().contains(name),
                "{error}"
            );
        }
    }
    std::fs::create_dir(place.path("other.partial")).unwrap();
    std::fs::write(place.path("other.partial/thesis.tex"), "years of work").unwrap();
    let error = place.open("other", true).err().unwrap();
    assert!(matches!(&error, FolderError::Stranger { name, .. } if name == "thesis.tex"), "{error}");
}

#[test]
fn the_model_itself_is_not_the_output() {
    let mut place = Place::new(&request());
    place.run("once", go_on).unwrap();
    // An output may be replaced, but not while it is the model that is read.
    place.checkpoint = Checkpoint::open(&place.path("once")).unwrap();
    let less = Request { allocation: rounded_by_layer(0.05), ..request() };
    place.plan = planned(&place.checkpoint, &less);
    for (name, overwrite) in [("once", false), ("once", true), ("source/../once", true)] {
        let error = place.open(name, overwrite).err().unwrap();
        assert!(matches!(error, FolderError::Place(PlaceError::IsRead { .. })), "{error}");
    }
    place.checkpoint.layer(0).unwrap();
}

#[test]
fn an_empty_folder_is_used() {
    let place = Place::new(&request());
    std::fs::create_dir(place.path("out")).unwrap();
    place.run("out", go_on).unwrap();
    assert!(place.path("out/config.json").is_file());
}

#[test]
fn a_working_folder_of_other_settings_names_them() {
    let mut place = Place::new(&request());
    let stop = |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue };
    let _ = place.run("out", stop);
    place.plan.request.seed = 5;
    let error = place.open("out", false).err().unwrap();
    assert!(matches!(&error, FolderError::OtherRun { differences, .. } if differences == &["plan.seed"]), "{error}");
    let Opened::Work(folder) = place.open("out", true).unwrap() else { panic!("not opened") };
    assert_eq!(slimgpt::pipeline::LayerSink::finished(&folder), 0);
}

#[test]
fn memory_may_change_between_two_attempts() {
    let mut place = Place::new(&request());
    let _ = place.run("out", |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue });
    place.plan.memory.keep_inner = true;
    let mut resumed = 0;
    place
        .run("out", |e| {
            if let Event::Resumed { finished, .. } = e {
                resumed = finished;
            }
            Flow::Continue
        })
        .unwrap();
    assert_eq!(resumed, 1);
}

#[test]
fn two_processes_do_not_share_a_working_folder() {
    let place = Place::new(&request());
    let _held = place.work("out");
    let error = place.open("out", false).err().unwrap();
    assert!(matches!(error, FolderError::Place(PlaceError::Busy { .. })), "{error}");
}

#[test]
fn damaged_layers_are_noticed() {
    let place = Place::new(&request());
    let _ = place.run("out", |e| if matches!(e, Event::LayerDone { .. }) { Flow::Stop } else { Flow::Continue });
    let path = place.path("out.partial/layer-00000.safetensors");
    let mut content = std::fs::read(&path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(&path, content).unwrap();
    let error = place.run("out", go_on).unwrap_err();
    assert!(error.to_string().contains("layer-00000.safetensors is damaged"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = Place::new(&request());
    std::fs::write(place.path("file"), "").unwrap();
    let error = place.open("file/out", false).err().unwrap();
    assert!(matches!(&error, FolderError::Disk(_)) && error.to_string().contains("file/out"), "{error}");
}

#[test]
fn small_shards_get_an_index() {
    let place = Place::new(&request());
    let mut folder = place.work("out").with_shard_bytes(4000);
    run(&place.checkpoint, &place.plan, &mut folder, go_on).unwrap();
    assert!(place.path("out/model.safetensors.index.json").is_file());
    Checkpoint::open(&place.path("out")).unwrap().layer(0).unwrap();
}

#[test]
fn on_a_gpu_too_a_stopped_run_goes_on_to_the_same_bytes() {
    let mut place = Place::new(&request());
    let device = software_gpu();
    place.run_on("whole", &device, go_on).unwrap();
    let whole = place.layers("whole");
    // Where the activations lie changes no bit either.
    for activations in [Placement::Device, Placement::Host] {
        place.plan.memory.activations = activations;
        for stop in 0..LAYERS {
            let until = |e| match e {
                Event::LayerDone { record } if record.layer == stop => Flow::Stop,
                _ => Flow::Continue,
            };
            assert!(place.run_on("stopped", &device, until).is_err());
            place.run_on("stopped", &device, go_on).unwrap();
            assert_eq!(place.layers("stopped"), whole, "{activations:?}, stopped after layer {stop}");
            std::fs::remove_dir_all(place.path("stopped")).unwrap();
        }
    }
}
