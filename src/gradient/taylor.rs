//! LLM-Pruner's importance of heads and channels (arXiv 2305.11627): what the loss would change, to first order,
//! if the weights that belong to one were zero.
//!
//! A group is coupled: a query head has its rows of q and its columns of o, a key/value head its rows of k and v, a
//! channel its rows of gate and up and its column of down. With ∂ the gradient of the loss:
//!
//! ```text
//! element   Σ |W ⊙ ∂W|           over every weight of the group
//! vector    Σ |Σ_row (W ⊙ ∂W)|   row by row (column by column of o and down)
//! ```

use serde::{Deserialize, Serialize};

use super::{Batch, GradientError, HeadWanted, Keep, Loss, Pass};
use crate::activations::Placement;
use crate::checkpoint::{Checkpoint, HostTensor};
use crate::device::Device;
use crate::device::readback::floats;
use crate::model::{Block, Head};
use crate::shape::{LayerShape, Part, Projection};

/// What is summed by its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taylor {
    /// Every weight.
    Element,
    /// Every row or column of a group.
    Vector,
}

/// The importance of the parts of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Importance {
    /// Of every query head.
    pub heads: Vec<f64>,
    /// Of every key/value head, its query heads not counted.
    pub kv_heads: Vec<f64>,
    /// Of every channel.
    pub channels: Vec<f64>,
}

/// The importance of everything in every layer, by the gradient of the loss summed over the windows (a mean would only
/// scale all of it). `progress` is told
/// how many of how many layers were gone through, and says whether to go on.
///
/// # Errors
/// [`GradientError::Stopped`], or when a window has nothing to predict, a weight is not finite, or the device fails.
pub async fn importance(
    checkpoint: &Checkpoint,
    windows: &[Vec<u32>],
    taylor: Taylor,
    device: &Device,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<Importance>, GradientError> {
    let (config, on) = (checkpoint.config(), device.tensor_device());
    // A window a batch, because they may differ in length.
    let batches: Vec<Batch> = windows.iter().map(|window| Batch::whole(vec![window.clone()])).collect();
    // All on the device: LLM-Pruner takes ten windows of 64 tokens.
    let mut pass = Pass::new(config, &batches, on, Keep::Inputs(Placement::Device), Placement::Device, &None)?;
    let outer = checkpoint.outer()?;
    pass.embed(&outer.embedding).await?;
    let layers = config.layers.len();
    let block = |layer: usize| -> Result<(_, Block), GradientError> {
        let weights = checkpoint.layer(layer)?;
        let block = Block::load(layer, &weights, config.layers[layer], config, on);
        Ok((weights, block))
    };
    let mut told = |done: usize| if progress(done, 2 * layers) { Ok(()) } else { Err(GradientError::Stopped) };
    for layer in 0..layers {
        pass.forward(layer, &block(layer)?.1).await?;
        told(layer + 1)?;
    }
    pass.score(&Head::load(&outer, config, on), Loss::LABELS, None, HeadWanted::default()).await?;
    let mut found = Vec::new();
    for layer in (0..layers).rev() {
        let (weights, block) = block(layer)?;
        let back = pass.backward(layer, &block).await?;
        let mut sums = Sums { taylor, head_dim: config.head_dim, found: Importance::zero(config.layers[layer]) };
        for projection in Projection::ALL {
            let part = Part::Weight(projection);
            // None of a half that the layer lacks.
            let Some((weight, gradient)) = weights.get(part).zip(back.gradients.parts.get(part)) else { continue };
            sums.add(projection, weight, &floats(gradient.clone()).await?);
        }
        found.push(sums.found);
        told(2 * layers - layer)?;
    }
    found.reverse();
    Ok(found)
}

impl Importance {
    fn zero(shape: LayerShape) -> Self {
        let zeros = |n| vec![0.0; n];
        Self { heads: zeros(shape.heads), kv_heads: zeros(shape.kv_heads), channels: zeros(shape.channels) }
    }

    /// Of every key/value head with the query heads that read it.
    pub fn of_groups(&self) -> Vec<f64> {
        let group = self.heads.len() / self.kv_heads.len().max(1);
        let queries = self.heads.chunks(group.max(1)).map(|heads| heads.iter().sum::<f64>());
        self.kv_heads.iter().zip(queries).map(|(own, queries)| own + queries).collect()
    }
}

/// Adds the projections of a layer up.
struct Sums {
    taylor: Taylor,
    head_dim: usize,
    found: Importance,
}

impl Sums {
    fn add(&mut self, projection: Projection, weight: &HostTensor, gradient: &[f32]) {
        let (rows, columns) = (weight.shape[0], weight.shape[1]);
        // Along the inputs of o and down, along the outputs of all others.
        let by_column = matches!(projection, Projection::O | Projection::Down);
        let mut lines = vec![0.0; if by_column { columns } else { rows }];
        for (i, (w, g)) in weight.values.iter().zip(gradient).enumerate() {
            let line = if by_column { i % columns } else { i / columns };
            // In f64: by `vector` the products of a line may nearly cancel before their size is taken.
            let product = f64::from(*w) * f64::from(*g);
            lines[line] += if self.taylor == Taylor::Element { product.abs() } else { product };
        }
        let width = self.head_dim;
        let into: &mut [f64] = match projection {
            Projection::Q | Projection::O => &mut self.found.heads,
            Projection::K | Projection::V => &mut self.found.kv_heads,
            Projection::Gate | Projection::Up | Projection::Down => {
                self.found.channels.iter_mut().zip(lines).for_each(|(sum, line)| *sum += line.abs());
                return;
            }
        };
        // The lines of a head are neighbours.
        for (sum, lines) in into.iter_mut().zip(lines.chunks(width)) {
            *sum += lines.iter().map(|line| line.abs()).sum::<f64>();
        }
    }
}
