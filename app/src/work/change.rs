//! How much the weights of a pruned layer differ from those it was pruned from.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::checkpoint::HostTensor;
use slimgpt::pipeline::LayerRecord;
use slimgpt::shape::Projection;

use crate::findings::Change;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;

/// Compares a layer of a pruned model with the folder it was made from.
pub fn start(mail: &Mail, pruned: Arc<Model>, record: LayerRecord, source: PathBuf) {
    let (of, layer) = (pruned.clone(), record.layer);
    let ended = move |change| Message::Changed(of, layer, change);
    platform::spawn(mail, ended, move || async move { compare(&pruned, &record, source) });
}

fn compare(pruned: &Model, record: &LayerRecord, source: PathBuf) -> Result<Change, String> {
    let words = |e: slimgpt::checkpoint::ReadError| e.to_string();
    let dense = super::open::read(&crate::model::Origin::Folder(source), None)?;
    // The folder may have been replaced since.
    if dense.checkpoint.config().layers.get(record.layer) != Some(&record.before) {
        return Err("the folder it was pruned from holds another model now".into());
    }
    let old = dense.checkpoint.layer(record.layer).map_err(words)?;
    let new = pruned.checkpoint.layer(record.layer).map_err(words)?;
    let width = pruned.checkpoint.config().head_dim;
    Ok(Change {
        heads: changes(old.weight(Projection::O), new.weight(Projection::O), &record.kept_heads, width),
        channels: changes(old.weight(Projection::Down), new.weight(Projection::Down), &record.kept_channels, 1),
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
