//! A finished run as a table: what went from each layer and what it cost.

use slimgpt::format;
use slimgpt::pipeline::{LayerRecord, Report};

use super::show;

/// One line for each layer, counted from 0 as in the names of its tensors, with the number it has now where that is another.
pub fn layers(report: &Report) -> comfy_table::Table {
    let rows: Vec<Vec<String>> = report.layers.iter().zip(report.places()).map(layer).collect();
    let header =
        ["layer", "K/V heads", "query heads", "query heads gone", "channels", "predicted error", "measured error"];
    show::table(&header, &rows)
}

fn layer((record, place): (&LayerRecord, Option<usize>)) -> Vec<String> {
    let LayerRecord { before, after, kept_heads, heads, channels, .. } = record;
    // Reports say what stays, in ascending order.
    let gone: Vec<usize> = (0..before.heads).filter(|h| kept_heads.binary_search(h).is_err()).collect();
    vec![
        format::moved(record.layer, place),
        format::arrow(before.kv_heads, after.kv_heads),
        format::arrow(before.heads, after.heads),
        show::ranges(&gone),
        format::arrow(before.channels, after.channels),
        format!("{:.4e}", heads.predicted_loss + channels.predicted_loss),
        format!("{:.4e}", heads.measured_loss + channels.measured_loss),
    ]
}

/// The whole model, in two lines, and the memory it took, where it was measured.
pub fn totals(report: &Report) -> String {
    let gone = 1.0 - report.parameters_after as f64 / report.parameters_before as f64;
    let seconds = format::seconds(report.timing.layer_seconds.iter().sum());
    format!(
        "{} → {} parameters: {} less, {} of the decoder layers; {} → {} of weights in {}\n\
         {} calibration tokens, {seconds} on {}{}",
        format::count(report.parameters_before),
        format::count(report.parameters_after),
        format::percent(gone),
        format::percent(report.plan.decoder_ratio()),
        format::bytes(report.bytes_before),
        format::bytes(report.bytes_after),
        report.dtype,
        format::count(report.calibration_tokens),
        report.device,
        memory(report),
    )
}

/// A line with the most memory that was seen in use, beside what was planned; empty where a report
/// has none.
fn memory(report: &Report) -> String {
    let (timing, plan) = (&report.timing, &report.plan.memory);
    let part = |name: &str, peak: Option<u64>, planned: u64| {
        peak.map(|peak| format!("{} of {} planned on the {name}", format::bytes(peak), format::bytes(planned)))
    };
    let device = part("device", timing.peak_device_bytes, plan.device_bytes);
    let parts: Vec<String> = device.into_iter().chain(part("host", timing.peak_host_bytes, plan.host_bytes)).collect();
    if parts.is_empty() { String::new() } else { format!("\nmost memory in use: {}", parts.join(", ")) }
}
