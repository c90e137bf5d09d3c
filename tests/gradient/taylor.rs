//! LLM-Pruner's importance: held to its definition, with the gradients of the whole model.

use slimgpt::gradient::{Taylor, importance};

use super::*;

/// W ⊙ ∂W of a projection of a layer, row by row.
fn products(checkpoint: &Checkpoint, gradients: &All, layer: usize, projection: Projection) -> (Vec<f64>, usize) {
    let weights = checkpoint.layer(layer).unwrap();
    let weight = weights.weight(projection);
    let gradient = &gradients[&format!("{layer} {}", Part::Weight(projection))];
    let products = weight.values.iter().zip(gradient).map(|(w, g)| f64::from(*w) * g).collect();
    (products, weight.shape[1])
}

#[test]
fn it_is_what_the_loss_changes_to_first_order() {
    // Four query heads on two key/value heads, four wide.
    let checkpoint = Model::llama(json!({})).open();
    let device = Device::cpu();
    let windows: Vec<Vec<u32>> = (0..3).map(|seed| tokens(9, 32, seed)).collect();
    let batches: Vec<Batch> = windows.iter().map(|window| Batch::whole(vec![window.clone()])).collect();
    let blocks = layers(&checkpoint, &device, |_, block| block);
    let (_, gradients) = at_once(&checkpoint, &blocks, &batches, &device);
    let config = checkpoint.config();
    let (width, shape) = (config.head_dim, config.layers[1]);
    let of = |taylor| block_on(importance(&checkpoint, &windows, taylor, &device, &mut |_, _| true)).unwrap().remove(1);
    let (element, vector) = (of(Taylor::Element), of(Taylor::Vector));
    let by = |projection| products(&checkpoint, &gradients, 1, projection);
    let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-4, "{got} {want}");
    // A channel: its rows of gate and up, its column of down.
    let ((gate, d), (up, _), (down, channels)) = (by(Projection::Gate), by(Projection::Up), by(Projection::Down));
    let channel = 3;
    let lines = [
        gate[channel * d..(channel + 1) * d].to_vec(),
        up[channel * d..(channel + 1) * d].to_vec(),
        down.iter().skip(channel).step_by(channels).copied().collect(),
    ];
    near(element.channels[channel], lines.iter().flatten().map(|p: &f64| p.abs()).sum());
    near(vector.channels[channel], lines.iter().map(|line| line.iter().sum::<f64>().abs()).sum());
    // A query head: its rows of q, its columns of o.
    let ((q, d), (o, columns)) = (by(Projection::Q), by(Projection::O));
    let head = 2;
    let rows = head * width..(head + 1) * width;
    let of_q: Vec<Vec<f64>> = rows.clone().map(|row| q[row * d..(row + 1) * d].to_vec()).collect();
    let of_o = rows.map(|column| o.iter().skip(column).step_by(columns).copied().collect());
    let lines: Vec<Vec<f64>> = of_q.into_iter().chain(of_o).collect();
    near(element.heads[head], lines.iter().flatten().map(|p| p.abs()).sum());
    near(vector.heads[head], lines.iter().map(|line| line.iter().sum::<f64>().abs()).sum());
    // A group has its key/value head and all query heads that read it.
    let per_group = shape.heads_per_group();
    for (group, sum) in element.of_groups().into_iter().enumerate() {
        let queries: f64 = element.heads[group * per_group..(group + 1) * per_group].iter().sum();
        near(sum, element.kv_heads[group] + queries);
    }
}
