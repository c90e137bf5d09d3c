//! Climbs: complete candidates against a pruning and a forward pass of their own, the same again, interrupted, and with no
//! room for states.

use std::cell::RefCell;

use pollster::block_on;
use slimgpt::allocate::{Allocation, Schedule, Target, TimeBudget};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{LayerTimes, MeasuredTimes, TimePoint};
use slimgpt::obs::{Brought, CpuExecutor, Options, Ranking, Selection};
use slimgpt::pipeline::{Flow, Limits, MemoryError, PlanError, Request};
use slimgpt::search::{Bounds, Climb, Climbing, Effort, Event, Found, Map, Search, SearchError, climb, sizes};
use slimgpt::shape::LayerShape;

use crate::support::{assert_says, pruned, shipped};
use crate::{asked, found, go_on, windows};

/// What the climbs of these tests have in common.
struct Ground {
    checkpoint: Checkpoint,
    calibration: Vec<Vec<u32>>,
    probe: Vec<Vec<u32>>,
    held_out: Vec<Vec<u32>>,
    map: Map,
    request: Request,
    device: Device,
}

/// One climb of them.
struct How {
    bounds: Bounds,
    limits: Limits,
    seed: u64,
    steps: usize,
}

impl Default for How {
    fn default() -> Self {
        Self { bounds: Bounds::default(), limits: Limits::default(), seed: 5, steps: 6 }
    }
}

impl Ground {
    fn new() -> Self {
        let (checkpoint, device) = (Checkpoint::open(&shipped()).unwrap(), Device::cpu());
        let (calibration, probe, held_out) = (windows(6, 40, 1), windows(5, 32, 100), windows(4, 32, 200));
        let map = found(&asked(&checkpoint, &calibration, &probe, &device), Map::default(), &mut go_on).0.unwrap();
        let request = Request { windows: 6, window_tokens: 40, ..Request::to(Target::Ratio(0.3)) };
        Self { checkpoint, calibration, probe, held_out, map, request, device }
    }

    /// One shape for all layers: the map itself knows better.
    fn start(&self) -> Found {
        let bounds = Bounds { uniform: true, ..Bounds::default() };
        sizes(&self.map, self.checkpoint.config(), &bounds, Target::Ratio(0.3)).unwrap()
    }

    fn climb(&self, start: &Found, how: &How) -> Result<Found, SearchError> {
        self.go_on(start, how, None, &mut |_| Ok(()), &mut go_on)
    }

    fn go_on(
        &self,
        start: &Found,
        how: &How,
        known: Option<Climbing>,
        keep: &mut dyn FnMut(&Climbing) -> Result<(), SearchError>,
        on_event: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<Found, SearchError> {
        let asked = Climb {
            checkpoint: &self.checkpoint,
            request: &self.request,
            limits: &how.limits,
            calibration: &self.calibration,
            probe: &self.probe,
            held_out: &self.held_out,
            map: &self.map,
            bounds: &how.bounds,
            id: "this one",
            seed: how.seed,
            effort: Effort { steps: Some(how.steps), seconds: None },
            clock: &|| 0.0,
            device: &self.device,
        };
        block_on(climb(&asked, &CpuExecutor::<f32>::new(), start, known, keep, on_event))
    }

    /// The divergence of the model pruned to these sizes, by a pruning of its own and both models' forward passes.
    fn measured(&self, found: &Found, windows: &[Vec<u32>]) -> f64 {
        let schedule = Schedule::Shapes(found.layers.clone());
        let allocation = Allocation { target: None, schedule, whole_sites: true, ..self.request.allocation.clone() };
        let request = Request { allocation, ..self.request.clone() };
        let (_, sink) = pruned::in_memory(&self.checkpoint, &self.calibration, &request);
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in sink.files(&self.checkpoint).unwrap() {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let model = Checkpoint::open(folder.path()).unwrap();
        // There the last token of a window is only predicted.
        let longer: Vec<Vec<u32>> = windows.iter().map(|window| [&window[..], &[0]].concat()).collect();
        block_on(slimgpt::eval::divergence(&model, &self.checkpoint, &longer, &self.device, &mut |_, _| {})).unwrap()
    }
}

#[test]
fn a_climb_is_never_worse_than_its_start_and_tells_what_a_pruning_comes_to() {
    let ground = Ground::new();
    let start = ground.start();
    let candidates = RefCell::new(Vec::new());
    let mut watch = |event: Event| {
        if let Event::Candidate { accepted, best, .. } = event {
            candidates.borrow_mut().push((accepted, best));
        }
        Flow::Continue
    };
    let found = ground.go_on(&start, &How::default(), None, &mut |_| Ok(()), &mut watch).unwrap();
    let climbed = found.climb.clone().unwrap();
    let candidates = candidates.into_inner();
    assert_eq!((climbed.steps, climbed.seed, climbed.id.as_str()), (6, 5, "this one"));
    assert_eq!(candidates.len(), 6);
    assert_eq!(candidates.iter().filter(|(accepted, _)| *accepted).count(), climbed.accepted);
    assert!(candidates.windows(2).all(|two| two[1].1 <= two[0].1), "the best only gets better: {candidates:?}");
    assert_eq!((climbed.tokens, climbed.held_out_tokens, climbed.calibration_tokens), (160, 128, 240));
    // One shape for all leaves so much to gain that some of six candidates is better.
    assert!(climbed.accepted > 0 && climbed.reached < climbed.start, "{climbed:?}");
    // The target is met, as nearly as by what it began with.
    assert!(found.ratio >= 0.3 - 1e-9 && found.ratio < start.ratio.max(0.3 + 0.012) + 1e-9, "{}", found.ratio);
    let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-3, "{got} for {want}");
    near(climbed.start, ground.measured(&start, &ground.probe));
    near(climbed.held_out_start, ground.measured(&start, &ground.held_out));
    near(climbed.reached_by_sizes(), ground.measured(&found, &ground.probe));
    if climbed.keeps_start() {
        assert!(climbed.held_out_reached > climbed.held_out_start);
        assert_eq!(found.layers, start.layers);
    } else {
        near(climbed.held_out_reached, ground.measured(&found, &ground.held_out));
        assert_ne!(found.layers, start.layers);
    }
}

#[test]
fn the_same_seed_and_steps_find_the_same_with_and_without_room_for_states() {
    let ground = Ground::new();
    let start = ground.start();
    let whole = ground.climb(&start, &How::default()).unwrap();
    assert_eq!(ground.climb(&start, &How::default()).unwrap(), whole);
    // Just what a pruning takes: every candidate begins with the first layer.
    let bytes = |host_bytes| Limits { host_bytes: Some(host_bytes), ..Limits::default() };
    let refused = ground.climb(&start, &How { limits: bytes(1), ..How::default() });
    let Err(SearchError::Plan(PlanError::Memory(MemoryError::Host { needed, .. }))) = refused else {
        panic!("a byte is not enough: {refused:?}");
    };
    assert_eq!(ground.climb(&start, &How { limits: bytes(needed), ..How::default() }).unwrap(), whole);
}

#[test]
fn an_interrupted_climb_goes_on_to_the_same_end() {
    let ground = Ground::new();
    let start = ground.start();
    let whole = ground.climb(&start, &How::default()).unwrap();
    for stop_after in [1, 3, 6] {
        let kept = RefCell::new(None);
        let mut keep = |state: &Climbing| {
            // Through a file, as a session keeps it.
            *kept.borrow_mut() = Some(serde_json::to_string(state).unwrap());
            Ok(())
        };
        let mut stopping = |event: Event| match event {
            Event::Candidate { steps, .. } if steps == stop_after => Flow::Stop,
            _ => Flow::Continue,
        };
        let stopped = ground.go_on(&start, &How::default(), None, &mut keep, &mut stopping);
        assert_says(stopped, &["stopped with", "candidates", "goes on from there"]);
        let known: Climbing = serde_json::from_str(kept.borrow().as_ref().unwrap()).unwrap();
        assert_eq!(known.steps, stop_after);
        let gone_on = ground.go_on(&start, &How::default(), Some(known), &mut keep, &mut go_on).unwrap();
        assert_eq!(gone_on, whole, "stopped after {stop_after}");
        // What is finished is not worked for.
        let finished: Climbing = serde_json::from_str(kept.borrow().as_ref().unwrap()).unwrap();
        let mut never = |event: Event| -> Flow { panic!("{event:?}") };
        let again = ground.go_on(&start, &How::default(), Some(finished), &mut |_| Ok(()), &mut never).unwrap();
        assert_eq!(again, whole);
    }
    // Before the first candidate there is nothing to keep.
    let stopped = ground.go_on(&start, &How::default(), None, &mut |_| Ok(()), &mut |_| Flow::Stop);
    assert!(matches!(stopped, Err(SearchError::ClimbStopped { steps: 0 })), "{stopped:?}");
}

#[test]
fn a_climb_keeps_to_the_bounds() {
    let ground = Ground::new();
    let bounds = Bounds { keep_layers: vec![0], channel_multiple: Some(64), ..Bounds::default() };
    let config = ground.checkpoint.config();
    let start = sizes(&ground.map, config, &bounds, Target::Ratio(0.2)).unwrap();
    let found = ground.climb(&start, &How { bounds, steps: 3, ..How::default() }).unwrap();
    assert_eq!(found.layers[0], config.layers[0]);
    assert!(found.layers[1..].iter().all(|layer| layer.channels % 64 == 0 || layer.channels == 352), "{found:?}");
    assert!(found.ratio >= 0.2 - 1e-9, "{}", found.ratio);
}

/// Times of the shipped model by which most of a layer's lies in its heads, though most of its parameters are channels.
fn times(checkpoint: &Checkpoint) -> LayerTimes {
    let layers = &checkpoint.config().layers;
    let largest = layers[0];
    let one = LayerShape { heads: 1, kv_heads: 1, ..largest };
    let groups = LayerShape { heads: largest.kv_heads, ..largest };
    let grouped = LayerShape { heads: largest.heads_per_group(), kv_heads: 1, ..largest };
    let narrow = LayerShape { channels: 1, ..largest };
    let points = [(largest, 2.0), (groups, 1.4), (grouped, 0.9), (one, 0.8), (narrow, 1.6)];
    let points = points.map(|(layer, milliseconds)| TimePoint { layer, seconds: milliseconds / 1e3 }).to_vec();
    let [version, device, model] = [const { String::new() }; 3];
    LayerTimes::new(MeasuredTimes { version, device, model, layers: layers.len(), context_tokens: 1, points }).unwrap()
}

#[test]
fn a_climb_keeps_to_a_time() {
    let ground = Ground::new();
    let times = times(&ground.checkpoint);
    let config = ground.checkpoint.config();
    let bounds = Bounds { times: Some(times.clone()), ..Bounds::default() };
    // One shape for all layers, so that there is something to gain.
    let alike = Bounds { uniform: true, ..bounds.clone() };
    let target = Target::Time(TimeBudget::Share(0.8));
    let start = sizes(&ground.map, config, &alike, target).unwrap();
    let found = ground.climb(&start, &How { bounds, ..How::default() }).unwrap();
    let climbed = found.climb.clone().unwrap();
    assert_eq!(climbed.steps, 6, "there are moves by time: {climbed:?}");
    let seconds = times.seconds(&found.layers);
    assert!(seconds <= 0.8 * times.seconds(&config.layers) + 1e-10, "{seconds}");
    assert_eq!((found.target, found.predicted_seconds), (target, Some(seconds)));
    // Without the table nothing tells what a time is worth.
    assert_says(ground.climb(&start, &How::default()), &["times"]);
}

#[test]
fn a_climb_goes_on_from_sizes_without_some_halves() {
    let ground = Ground::new();
    let asked = asked(&ground.checkpoint, &ground.calibration, &ground.probe, &ground.device);
    let map = found(&Search { whole_sites: true, ..asked }, Map::default(), &mut go_on).0.unwrap();
    let ground = Ground { map, ..ground };
    let bounds = Bounds { whole_sites: true, ..Bounds::default() };
    // More than the units of all curves together.
    let start = sizes(&ground.map, ground.checkpoint.config(), &bounds, Target::Ratio(0.9)).unwrap();
    let found = ground.climb(&start, &How { bounds, steps: 3, ..How::default() }).unwrap();
    assert!(found.ratio >= 0.9 - 1e-9 && found.layers.iter().any(|layer| !layer.is_whole()), "{found:?}");
    let climbed = found.climb.clone().unwrap();
    let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-3, "{got} for {want}");
    near(climbed.start, ground.measured(&start, &ground.probe));
    near(climbed.reached_by_sizes(), ground.measured(&found, &ground.probe));
}

#[test]
fn what_cannot_be_climbed_is_refused() {
    let ground = Ground::new();
    let start = ground.start();
    let uniform = How { bounds: Bounds { uniform: true, ..Bounds::default() }, ..How::default() };
    assert_says(ground.climb(&start, &uniform), &["no climb", "one shape"]);
    let odd = Found { layers: start.layers[1..].to_vec(), ..start.clone() };
    assert_says(ground.climb(&odd, &How::default()), &["no climb", "map"]);
    let selection = Selection::Ranking(Ranking::Brought(Brought::Taylor));
    let request = Request { options: Options { selection, ..Options::default() }, ..ground.request.clone() };
    let scored = Ground { request, ..Ground::new() };
    assert_says(scored.climb(&start, &How::default()), &["no climb", "scores of the whole model"]);
    let same = Ground { held_out: ground.probe.clone(), ..Ground::new() };
    assert_says(same.climb(&start, &How::default()), &["held-out windows"]);
    let none = Ground { held_out: Vec::new(), ..Ground::new() };
    assert_says(none.climb(&start, &How::default()), &["no text", "held-out"]);
}
