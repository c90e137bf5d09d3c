//! How much the weights of a pruned layer differ from those it was pruned from.

use std::sync::Arc;

use slimgpt::checkpoint::HostTensor;
use slimgpt::pipeline::{LayerRecord, Report};
use slimgpt::shape::{Part, Projection};

use crate::findings::Change;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;

/// Compares a layer of a pruned model with what it was made from; whether both are known.
pub fn start(mail: &Mail, pruned: Arc<Model>, layer: usize) -> bool {
    let report = pruned.report.as_ref().filter(|report| report.source.is_some());
    let record = report.and_then(|report| report.layers.iter().find(|record| record.layer == layer).cloned());
    let Some(record) = record else { return false };
    let of = pruned.clone();
    let ended = move |change| Message::Changed(of, layer, change);
    platform::spawn(mail, ended, move || async move { compare(&pruned, &record) });
    true
}

fn compare(pruned: &Model, record: &LayerRecord) -> Result<Change, String> {
    let words = |e: slimgpt::checkpoint::ReadError| e.to_string();
    let dense = super::open::source(pruned.report.as_ref().ok_or("it has no report")?)?;
    // The folder may have been replaced since.
    if dense.config().layers.get(record.layer) != Some(&record.before) {
        return Err("the folder it was pruned from holds another model now".into());
    }
    let places = pruned.report.as_ref().map(Report::places).unwrap_or_default();
    // A layer that has left the model has nothing that could have changed.
    let Some(place) = places.get(record.layer).copied().flatten() else { return Ok(Change::default()) };
    let old = dense.layer(record.layer).map_err(words)?;
    let new = pruned.checkpoint.layer(place).map_err(words)?;
    let width = pruned.checkpoint.config().head_dim;
    let of = |projection: Projection, kept: &[usize], width: usize| {
        let part = Part::Weight(projection);
        old.get(part).zip(new.get(part)).map_or_else(Vec::new, |(old, new)| changes(old, new, kept, width))
    };
    Ok(Change {
        heads: of(Projection::O, &record.kept_heads, width),
        channels: of(Projection::Down, &record.kept_channels, 1),
    })
}

/// `old` `(out, units · width)` and `new` `(out, kept · width)`.
fn changes(old: &HostTensor, new: &HostTensor, kept: &[usize], width: usize) -> Vec<(usize, f64)> {
    let change = |(place, &unit): (usize, &usize)| {
        // In f64, for many thousand squares are added.
        let (mut moved, mut size) = (0.0, 0.0);
        // Row by row: the columns of a unit are a few neighbours in each.
        for (old, new) in old.values.chunks(old.shape[1]).zip(new.values.chunks(new.shape[1])) {
            for k in 0..width {
                let (w, fitted) = (f64::from(old[unit * width + k]), f64::from(new[place * width + k]));
                moved += (fitted - w).powi(2);
                size += w * w;
            }
        }
        (unit, if size > 0.0 { (moved / size).sqrt() } else { 0.0 })
    };
    kept.iter().enumerate().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_by_the_unit_it_belongs_to() {
        let old = HostTensor { shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 0.0, 2.0, 4.0] };
        let new = HostTensor { shape: vec![2, 2], values: vec![1.0, 3.0, 1.0, 4.0] };
        assert_eq!(changes(&old, &new, &[0, 2], 1), [(0, 1.0), (2, 0.0)]);
    }
}
