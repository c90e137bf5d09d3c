//! A layer is stored while the next one is worked on, told when it is whole, and waited for before another is finished.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use pollster::block_on;

use super::*;
use crate::allocate::{Allocation, Target};
use crate::checkpoint::{Checkpoint, LayerWeights};
use crate::device::Device;
use crate::obs::CpuExecutor;
use crate::pipeline::aside::Aside;
use crate::pipeline::{FinishedLayer, LayerRecord, Limits, MemorySink, Request, Storing, plan};
use crate::shape::Site;

/// Layers of the shipped model.
const LAYERS: usize = 6;

/// Takes as long over each layer as it is let, and ends as it is told.
struct Slow<'a> {
    kept: MemorySink,
    thread: Aside,
    ends: Arc<Mutex<Receiver<Result<(), PipelineError>>>>,
    told: &'a RefCell<Vec<String>>,
}

impl LayerSink for Slow<'_> {
    fn finished(&self) -> usize {
        self.kept.finished()
    }

    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError> {
        self.kept.record(layer)
    }

    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        self.kept.weights(layer)
    }

    fn store(&mut self, finished: FinishedLayer) -> Storing {
        self.told.borrow_mut().push(format!("store {}", finished.record.layer));
        self.kept.store(finished).wait().unwrap();
        let ends = Arc::clone(&self.ends);
        self.thread.begin(move || ends.lock().unwrap().recv().unwrap())
    }

    fn finish(&mut self, checkpoint: &Checkpoint, report: &Report) -> Result<(), PipelineError> {
        self.kept.finish(checkpoint, report)
    }
}

/// Two short windows of the shipped model on the CPU, cut by a third, into this sink.
fn pruned<S: LayerSink>(sink: &mut S, on_event: &mut dyn FnMut(Event) -> Flow) -> Result<Report, PipelineError> {
    let (checkpoint, _) = crate::shipped::open().unwrap();
    let windows: Vec<Vec<u32>> = (0..2).map(|window| (0..24).map(|i| 3 + (i * 37 + window) % 400).collect()).collect();
    let allocation = Allocation::to(Target::Ratio(0.3));
    let request = Request { allocation, windows: 2, window_tokens: 24, ..Request::default() };
    let plan = plan(&request, checkpoint.config(), &Limits::default()).unwrap();
    let job = Job {
        checkpoint: &checkpoint,
        windows: &windows,
        plan: &plan,
        scores: None,
        device: &Device::cpu(),
        clock: &|| 0.0,
        memory: &Peak::unknown,
        typed: None,
    };
    block_on(prune(&job, &CpuExecutor::<f32>::new(), sink, on_event))
}

/// Prunes into a slow sink; `react` says at every event how the layer on its way ends, if it does, and whether to go on.
/// What was told, and what was handed over to be stored, in their order.
fn slowly(
    react: impl Fn(&Event, &Sender<Result<(), PipelineError>>) -> Flow,
) -> (Result<Report, PipelineError>, Vec<String>) {
    let ((end, ends), told) = (channel(), RefCell::new(Vec::new()));
    let ends = Arc::new(Mutex::new(ends));
    let mut sink = Slow { kept: MemorySink::default(), thread: Aside::named("slow"), ends, told: &told };
    let mut on_event = |event: Event| {
        let said = match &event {
            Event::LayerStarted { layer, .. } => format!("start {layer}"),
            Event::Pruned { layer, site: Site::Heads, .. } => format!("heads {layer}"),
            Event::Measured { layer, site: Site::Channels, .. } => format!("end {layer}"),
            Event::LayerDone { record } => format!("whole {}", record.layer),
            Event::Writing => "writing".into(),
            _ => return Flow::Continue,
        };
        told.borrow_mut().push(said);
        react(&event, &end)
    };
    let done = pruned(&mut sink, &mut on_event);
    (done, told.into_inner())
}

/// Ends each layer in the middle of the next, and the last one at its end.
fn in_the_next(event: &Event, end: &Sender<Result<(), PipelineError>>) -> Flow {
    let is_last = |layer: usize| layer + 1 == LAYERS;
    match *event {
        Event::Pruned { layer, site: Site::Heads, .. } if layer > 0 => end.send(Ok(())).unwrap(),
        Event::Measured { layer, site: Site::Channels, .. } if is_last(layer) => end.send(Ok(())).unwrap(),
        _ => {}
    }
    Flow::Continue
}

#[test]
fn the_next_layer_is_worked_on_meanwhile_and_another_is_not_finished_before() {
    let (done, told) = slowly(in_the_next);
    let at = |what: String| told.iter().position(|said| *said == what).unwrap_or_else(|| panic!("{what}: {told:?}"));
    for layer in 0..LAYERS - 1 {
        let next = layer + 1;
        assert!(at(format!("heads {next}")) < at(format!("whole {layer}")), "{told:?}");
        assert!(at(format!("whole {layer}")) < at(format!("store {next}")), "{told:?}");
    }
    assert_eq!(told[told.len() - 2..], [format!("whole {}", LAYERS - 1), "writing".into()]);
    let at_once = pruned(&mut MemorySink::default(), &mut |_| Flow::Continue).unwrap();
    assert_eq!(done.unwrap().layers, at_once.layers);
}

#[test]
fn who_stops_keeps_the_layer_that_is_on_its_way() {
    let (stopped, told) = slowly(|event, end| match event {
        Event::LayerStarted { layer: 1, .. } => {
            end.send(Ok(())).unwrap();
            Flow::Stop
        }
        _ => Flow::Continue,
    });
    assert!(matches!(stopped, Err(PipelineError::Stopped { finished: 1, layers: LAYERS })), "{stopped:?}");
    assert_eq!(told.last().map(String::as_str), Some("start 1"));
}

#[test]
fn a_layer_that_is_not_kept_ends_the_run_before_the_next_is_finished_and_at_its_end() {
    let refused = || Err(PipelineError::NotStored { layer: 77 });
    let (ended, told) = slowly(|event, end| {
        if let Event::LayerStarted { layer: 1, .. } = event {
            end.send(refused()).unwrap();
        }
        Flow::Continue
    });
    assert!(matches!(ended, Err(PipelineError::NotStored { layer: 77 })), "{ended:?}");
    assert!(!told.iter().any(|said| said.starts_with("whole") || said == "store 1"), "{told:?}");

    let (ended, told) = slowly(|event, end| match *event {
        Event::Measured { layer, site: Site::Channels, .. } if layer + 1 == LAYERS => {
            end.send(refused()).unwrap();
            Flow::Continue
        }
        _ => in_the_next(event, end),
    });
    assert!(matches!(ended, Err(PipelineError::NotStored { layer: 77 })), "{ended:?}");
    assert_eq!(told.last(), Some(&format!("store {}", LAYERS - 1)));
}
