//! A layer of a small model, pruned step by step: its real weights, and the inputs that a text
//! makes of them.

use std::sync::Arc;

use slimgpt::device::Device;
use slimgpt::model::{Block, Outer, Positions, token_tensor};
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace};
use slimgpt::obs::{ChannelSteps, HeadLayout, HeadUnit, Options, Score};
use slimgpt::shape::Site;
use slimgpt::shipped;

use crate::findings::Wanted;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;
use crate::remedy::told;

/// Widest layer whose cells can still be told apart.
pub const WIDEST: usize = 512;
/// Tokens that the layer sees.
const TOKENS: usize = 128;

/// Traces the layer; the trace arrives as a message.
pub fn start(mail: &Mail, model: Arc<Model>, wanted: Wanted) {
    let of = model.clone();
    let ended = move |trace| Message::Traced(of, wanted, trace);
    platform::spawn(mail, ended, move || async move { traced(&model, wanted).await.map(Box::new) });
}

async fn traced(model: &Model, wanted: Wanted) -> Result<Trace, String> {
    let (x, weight) = inputs(model, wanted).await?;
    let shape = model.checkpoint.config().layers[wanted.layer];
    let head_dim = model.checkpoint.config().head_dim;
    let layout = HeadLayout { heads: shape.heads, kv_heads: shape.kv_heads, head_dim };
    let what = match wanted.site {
        Site::Heads => TraceTarget::Heads { layout, unit: HeadUnit::KeyValue, remove: wanted.remove },
        Site::Channels => TraceTarget::Channels { remove: wanted.remove, steps: ChannelSteps::OneByOne },
    };
    let options = Options { damping: wanted.damping, ..Options::scored(Score::Exact) };
    trace(&x, &weight, what, &options).await.map_err(told)
}

/// X `(tokens, in)` and W `(out, in)` of a site.
async fn inputs(model: &Model, wanted: Wanted) -> Result<(Matrix, Matrix), String> {
    let (checkpoint, config) = (&model.checkpoint, model.checkpoint.config());
    // So narrow a layer and so few tokens are no work for a GPU.
    let device = Device::cpu();
    let on = device.tensor_device();
    let tokens = tokens(model)?;
    let outer = Outer::load(&checkpoint.outer().map_err(told)?, config, on);
    let positions = Positions::new(config, 0, tokens.len(), on);
    let mut hidden = outer.embed(token_tensor(&[tokens], on));
    // The weights of one layer at a time are in memory.
    for layer in 0..=wanted.layer {
        let weights = checkpoint.layer(layer).map_err(told)?;
        let block = Block::load(layer, &weights, config.layers[layer], config, on);
        if layer < wanted.layer {
            hidden = block.forward(hidden, &positions);
            continue;
        }
        let context = block.context(hidden.clone(), &positions);
        let input = match wanted.site {
            Site::Heads => context,
            Site::Channels => block.inner(block.add_attention(hidden, context)),
        };
        let input = input.ok_or_else(|| format!("layer {} has no {}", wanted.layer, wanted.site.half()))?;
        let [_, rows, columns] = input.dims();
        let data = input.into_data_async().await.map_err(|e| format!("{e:?}"))?;
        let values = data.try_to_vec::<f32>().map_err(|e| format!("{e:?}"))?;
        let weight = weights.weight(wanted.site.projection());
        let weight = matrix(weight.shape[0], weight.shape[1], &weight.values);
        return Ok((matrix(rows, columns, &values), weight));
    }
    Err(format!("the model has no layer {}", wanted.layer))
}

fn tokens(model: &Model) -> Result<Vec<u32>, String> {
    let own = model.tokenizer()?.encode(shipped::EVALUATION).map_err(told)?;
    let most = TOKENS.min(model.checkpoint.config().max_positions);
    Ok(model.begin.into_iter().chain(own).take(most).collect())
}

fn matrix(rows: usize, columns: usize, values: &[f32]) -> Matrix {
    Matrix { rows, columns, values: values.iter().map(|&v| v.into()).collect() }
}
