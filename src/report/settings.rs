//! How a folder was made, setting by setting, in words.

use serde::Serialize;

use crate::format;
use crate::obs::schedule::Shape;
use crate::obs::{ChannelSteps, HeadUnit, Ranking, Reconstruction, Score, Selection};
use crate::pipeline::{Method, Plan, Propagate, Report, Schedule};

/// One setting.
#[derive(Serialize)]
pub struct Setting {
    /// What is set.
    pub name: &'static str,
    /// To what.
    pub value: String,
}

/// Everything that decides the result, and where it was computed.
pub fn settings(report: &Report) -> Vec<Setting> {
    let plan = &report.plan;
    let set = |name, value: String| Setting { name, value };
    let all = [
        set("Pruned from", report.source.clone().unwrap_or_else(|| "a model in memory".into())),
        set("Method", method(plan)),
        set("Target", format!("{} of the decoder layers' parameters", format::percent(plan.ratio))),
        set("Schedule", schedule(&plan.schedule)),
        set("Selection", selection(plan.options.selection)),
        set("What stays", reconstruction(plan.options.reconstruction).into()),
        set("Channels go", steps(plan)),
        set("Heads go", heads(plan.head_unit).into()),
        set("Damping", format!("{} of the mean of the Hessian's diagonal", plan.options.damping)),
        set("Fitted to", propagated(plan.propagate).into()),
        set("Calibration", calibration(report)),
        set("Calibration tokens, SHA-256", report.calibration_sha256.clone()),
        set("Element type", report.dtype.to_string()),
        set("Device", report.device.clone()),
        set("Time", time(report)),
        set("Memory, planned peak", memory(plan)),
        set("Made by", format!("slimgpt {}", report.version)),
    ];
    let run = report.run.iter().map(|run| set("Run", run.clone()));
    all.into_iter().chain(run).collect()
}

/// The name of what was done.
pub fn method(plan: &Plan) -> String {
    Method::of_plan(plan).map_or_else(|| "settings of its own".into(), |m| format!("{m}: {}", m.about()))
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Shape(Shape::Uniform) => "uniform: the same ratio in every layer".into(),
        Schedule::Shape(Shape::Log) => "log: rising with the logarithm of the depth".into(),
        Schedule::Shape(Shape::Linear) => "linear: rising in equal steps".into(),
        Schedule::Shape(Shape::LogDecrease) => "log-decrease: falling with the logarithm".into(),
        Schedule::Shape(Shape::LinearDecrease) => "linear-decrease: falling in equal steps".into(),
        Schedule::List(list) => format!("a list of {} ratios", list.len()),
    }
}

fn selection(selection: Selection) -> String {
    match selection {
        Selection::Elimination(Score::Exact) => {
            "exact increase of the layer's squared error, one after the other".into()
        }
        Selection::Elimination(Score::GroupedCholesky) => "grouped Cholesky score, one after the other".into(),
        Selection::Elimination(Score::Diagonal) => "score from the diagonal of H⁻¹, one after the other".into(),
        Selection::Ranking(Ranking::Random { seed }) => format!("at random, seed {seed}"),
        Selection::Ranking(Ranking::Magnitude) => "lowest ‖W_g‖²".into(),
        Selection::Ranking(Ranking::WandaSp) => "lowest Σ mean|W|·‖X‖".into(),
        Selection::Ranking(Ranking::Fluctuation) => "lowest Σ (variance of X · ‖W‖²)²".into(),
    }
}

fn reconstruction(reconstruction: Reconstruction) -> &'static str {
    match reconstruction {
        Reconstruction::LeastSquares => "refitted by least squares",
        Reconstruction::Unchanged => "unchanged",
        Reconstruction::MeanBias => "unchanged; the bias takes over the mean of what went",
    }
}

fn steps(plan: &Plan) -> String {
    match plan.channel_steps {
        _ if matches!(plan.options.selection, Selection::Ranking(_)) => "all at once".into(),
        ChannelSteps::OneByOne => "one by one".into(),
        ChannelSteps::Dynamic { floor } => format!("in dynamic groups, {floor} at least"),
        ChannelSteps::Fixed(size) => format!("{size} at a time"),
    }
}

fn heads(unit: HeadUnit) -> &'static str {
    match unit {
        HeadUnit::KeyValue => "key/value heads with their query heads",
        HeadUnit::Query => "query heads, as many from every key/value head",
    }
}

fn propagated(propagate: Propagate) -> &'static str {
    match propagate {
        Propagate::Pruned => "the outputs of the pruned layers before",
        Propagate::Dense => "the outputs of the dense layers before",
    }
}

fn calibration(report: &Report) -> String {
    let plan = &report.plan;
    let tokens = format::count(report.calibration_tokens);
    format!("{} windows of {} tokens: {tokens} tokens, seed {}", plan.windows, plan.window_tokens, plan.seed)
}

fn time(report: &Report) -> String {
    let layers: f64 = report.timing.layer_seconds.iter().sum();
    let each = layers / report.timing.layer_seconds.len().max(1) as f64;
    format!("{}, {} a layer", format::seconds(layers), format::seconds(each))
}

fn memory(plan: &Plan) -> String {
    let memory = &plan.memory;
    let places = [(memory.device_bytes, "device"), (memory.host_bytes, "host"), (memory.disk_bytes, "disk")];
    let used = places.into_iter().filter(|(bytes, _)| *bytes > 0);
    used.map(|(bytes, place)| format!("{} on the {place}", format::bytes(bytes))).collect::<Vec<_>>().join(", ")
}
