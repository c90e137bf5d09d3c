//! How a folder was made, setting by setting, in words.

use serde::Serialize;

use crate::allocate::{LayerPlan, Schedule, Target};
use crate::format;
use crate::names::Named;
use crate::obs::{Brought, ChannelSteps, Ranking, Reconstruction, Selection};
use crate::pipeline::{Method, Plan, Report, Request};

/// A line of the table of settings.
#[derive(Serialize)]
pub struct Setting {
    /// What is set, in words, or by the name that it has where it is typed.
    pub name: String,
    /// What it is set to, in words.
    pub value: String,
}

/// Everything that decides the result, and where it was computed.
pub fn settings(report: &Report) -> Vec<Setting> {
    let plan = &report.plan;
    let request = &plan.request;
    let set = |name: &str, value: String| Setting { name: name.into(), value };
    let all = [
        set("Pruned from", report.source.clone().unwrap_or_else(|| "a model in memory".into())),
        set("Method", method(plan)),
        set("Target", target(plan)),
        set("Schedule", schedule(&request.allocation.schedule)),
        set("Rounded", request.allocation.rounding().about().into()),
        set("Selection", selection(request.options.selection)),
        set("What stays", reconstruction(request.options.reconstruction).into()),
        set("Channels go", steps(plan)),
        set("Heads go", units(&plan.layers)),
        set("Damping", format!("{} of the mean of the Hessian's diagonal", request.options.damping)),
        set("Windows that run together", plan.batch_windows.to_string()),
        set("Fitted to", fitted(request)),
        set("Losses measured on", format!("calibration tokens: {}", request.measure.about())),
        set("Activations kept in", request.activations.about().into()),
        set("Calibration", calibration(report)),
        set("Calibration tokens, SHA-256", report.calibration_sha256.clone()),
        set("Element type", report.dtype.to_string()),
        set("Device", report.device.clone()),
        set("Time", time(report)),
        set("Memory, planned peak", memory(plan)),
        set("Made by", format!("slimgpt {}", report.version)),
    ];
    // Said only where there is such a thing: most models have neither.
    let adapter = report.adapter.iter().map(|folder| set("With the low-rank factors in", folder.clone()));
    let quantised = report.quantisation.iter().map(|types| set("Quantised source, stored in", types.clone()));
    let run = report.run_id.iter().map(|run| set("Run", run.clone()));
    let typed = report.timing.typed.iter().map(|typed| set("Typed", command_line(&typed.command)));
    all.into_iter().chain(adapter).chain(quantised).chain(run).chain(typed).collect()
}

/// Every setting as it was typed, or as it is when it is not typed.
pub fn typed(report: &Report) -> Vec<Setting> {
    let settings = report.timing.typed.iter().flat_map(|typed| &typed.settings);
    let value = |values: &[String]| if values.is_empty() { "not given".into() } else { values.join(", ") };
    settings.map(|(name, values)| Setting { name: name.clone(), value: value(values) }).collect()
}

/// The words so that a shell takes them apart again.
fn command_line(words: &[String]) -> String {
    // What no shell gives a meaning to; whatever else is quoted.
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = |word: &String| match !word.is_empty() && word.chars().all(is_plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The name of what was done.
pub fn method(plan: &Plan) -> String {
    Method::of_plan(plan).map_or_else(|| "settings of its own".into(), |m| format!("{m}: {}", m.about()))
}

fn fitted(request: &Request) -> String {
    let inputs = request.propagate.about();
    match request.options.residual {
        0.0 => inputs.into(),
        share => format!("{inputs}; outputs drawn by {share} to the dense model's residual stream"),
    }
}

fn target(plan: &Plan) -> String {
    match plan.request.allocation.target {
        Some(Target::Ratio(share)) => format!("{} of the decoder layers' parameters", format::percent(share)),
        Some(Target::Parameters(wanted)) => format!("{} parameters", format::count(wanted)),
        Some(Target::Bytes { bytes, parameters }) => {
            format!("files of at most {}: {} parameters", format::bytes(bytes), format::count(parameters))
        }
        Some(Target::Time(time)) => format!("{time} for a token"),
        None => "said by the schedule".into(),
    }
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Curve(curve) => format!("{}: {}", curve.name(), curve.about()),
        Schedule::Ratios(list) => format!("a list of {} ratios", list.len()),
        Schedule::Shapes(list) => format!("the sizes of {} layers, said outright", list.len()),
        Schedule::Shape(_) => "the same sizes for every layer, said outright".into(),
        Schedule::Scores => "one threshold for the scores of all layers' heads and channels".into(),
    }
}

fn selection(selection: Selection) -> String {
    match selection {
        Selection::Elimination(score) => format!("{}: {}, one after the other", score.name(), score.about()),
        Selection::Ranking(Ranking::Random { seed }) => format!("at random, seed {seed}"),
        Selection::Ranking(Ranking::Magnitude) => "lowest ‖W_g‖²".into(),
        Selection::Ranking(Ranking::WandaSp) => "lowest Σ mean|W|·‖X‖".into(),
        Selection::Ranking(Ranking::Brought(brought)) => of_model(brought).into(),
        Selection::Ranking(Ranking::Fluctuation) => "lowest Σ (variance of X · ‖W‖²)²".into(),
    }
}

fn of_model(brought: Brought) -> &'static str {
    match brought {
        Brought::Taylor => "lowest Σ |W ⊙ ∂W| of all its weights",
        Brought::TaylorVector => "lowest Σ |Σ_row W ⊙ ∂W| of all its weights",
        Brought::LoraGradients => "lowest Σ |W ⊙ ∂W|, ∂W from low-rank factors that are trained meanwhile",
        Brought::Gates => "gates that are learnt beside low-rank factors",
        Brought::Fluctuation => "lowest variance of the dense model's X · ‖W‖², standardised (of heads its square)",
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
    match plan.request.options.swaps {
        0 => removals(plan),
        swaps => format!("{}; then up to {swaps} swaps at each site", removals(plan)),
    }
}

fn removals(plan: &Plan) -> String {
    match plan.request.channel_steps {
        // A ranking scores the columns once, so nothing depends on an order of removals.
        _ if matches!(plan.request.options.selection, Selection::Ranking(_)) => "all at once".into(),
        ChannelSteps::OneByOne => "one by one".into(),
        ChannelSteps::Dynamic { floor } => format!("in dynamic groups, {floor} at least"),
        ChannelSteps::Fixed(size) => format!("{size} at a time"),
    }
}

/// The units that go from attention; sizes that are said outright may mix them.
fn units(layers: &[LayerPlan]) -> String {
    let mut names: Vec<&str> = layers.iter().map(|l| l.unit.about()).collect();
    names.sort_unstable();
    names.dedup();
    names.join("; ")
}

fn calibration(report: &Report) -> String {
    let request = &report.plan.request;
    let tokens = format::count(report.calibration_tokens);
    format!("{} windows of {} tokens: {tokens} tokens, seed {}", request.windows, request.window_tokens, request.seed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let words = ["slimgpt", "prune", "my model", "--out=./slim", "it's", ""].map(str::to_owned);
        assert_eq!(command_line(&words), r"slimgpt prune 'my model' --out=./slim 'it'\''s' ''");
    }
}
