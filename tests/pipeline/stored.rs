//! Finished layers on their way to the disk, where writing fails.

use slimgpt::pipeline::{Event, Flow, Opened, OutputFolder, PipelineError, Report};

use crate::tiny::{LAYERS, go_on, on_disk, planned, request, run, with_job};

#[test]
fn a_layer_that_cannot_be_written_is_named_and_those_before_it_stay() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = on_disk(&place.path().join("source"));
    let plan = planned(&checkpoint, &request());
    let pruned = |name: &str, on_event: &mut dyn FnMut(Event) -> Flow| -> Result<Report, PipelineError> {
        let opened = with_job(&checkpoint, &plan, |job| OutputFolder::open(&place.path().join(name), job, false));
        let Ok(Opened::Work(mut folder)) = opened else { panic!("{name} not opened") };
        run(&checkpoint, &plan, &mut folder, on_event)
    };
    let weights = |name: &str| std::fs::read(place.path().join(name).join("model.safetensors")).unwrap();
    pruned("whole", &mut go_on).unwrap();
    for broken in 0..LAYERS {
        let out = format!("out-{broken}");
        let file = format!("layer-{broken:05}.safetensors");
        // A folder of its name, which no file replaces.
        let in_the_way = place.path().join(format!("{out}.partial")).join(&file);
        let mut seen = Vec::new();
        let ended = pruned(&out, &mut |event| {
            match event {
                Event::LayerStarted { layer, .. } if layer == broken => std::fs::create_dir(&in_the_way).unwrap(),
                Event::LayerDone { record } => seen.push(record.layer),
                _ => {}
            }
            Flow::Continue
        });
        let error = ended.unwrap_err();
        assert!(matches!(error, PipelineError::Disk(_)) && error.to_string().contains(&file), "{error}");
        assert_eq!(seen, (0..broken).collect::<Vec<_>>(), "told of what is whole, and of nothing else");
        std::fs::remove_dir(&in_the_way).unwrap();
        let mut resumed = 0;
        pruned(&out, &mut |event| {
            if let Event::Resumed { finished, .. } = event {
                resumed = finished;
            }
            Flow::Continue
        })
        .unwrap();
        assert_eq!(resumed, broken);
        assert!(weights(&out) == weights("whole"), "layer {broken}");
    }
}
