//! A real layer, looked at by each score: its weights, and the inputs that text makes of it. On the
//! CPU in f64, as the toys of the page are: so narrow a layer is no work for a GPU.

use slimgpt::device::Device;
use slimgpt::device::readback::doubles;
use slimgpt::model::{Block, Outer, Positions, token_tensor};
use slimgpt::names::Named;
use slimgpt::obs::trace::{Matrix, Trace, TraceTarget, trace};
use slimgpt::obs::{ChannelSteps, HeadLayout, HeadUnit, Options, Score};
use slimgpt::shape::Site;

use super::{Failure, Model};
use crate::protocol::{Layer, Scored};

/// Most channels that go: every removal is kept with its whole inverse.
const MOST_CHANNELS: usize = 32;

/// What goes from a layer by each score that ranks its units differently.
pub(super) async fn scored(model: &Model, asked: &Layer) -> Result<Vec<Scored>, Failure> {
    let (x, weight) = site(model, asked).await?;
    let mut all = Vec::new();
    for &score in scores(asked.site) {
        let options = Options { damping: asked.damping, ..Options::scored(score) };
        let trace = trace(&x, &weight, target(model, asked)?, &options).await?;
        all.push(summary(score, &trace)?);
    }
    Ok(all)
}

/// Of single columns all scores are one.
fn scores(site: Site) -> &'static [Score] {
    match site {
        Site::Heads => Score::all(),
        Site::Channels => &[Score::Exact],
    }
}

fn target(model: &Model, asked: &Layer) -> Result<TraceTarget, Failure> {
    let Layer { layer, site, remove, .. } = *asked;
    let config = model.checkpoint.config();
    match (site, config.layers.get(layer)) {
        (_, None) => Err(Failure::refused(format!("the model has no layer {layer}"))),
        (_, _) if remove == 0 => Err(Failure::refused("nothing is to go")),
        (Site::Channels, _) if remove > MOST_CHANNELS => {
            Err(Failure::refused(format!("at most {MOST_CHANNELS} channels go one by one here")))
        }
        (Site::Channels, _) => Ok(TraceTarget::Channels { remove, steps: ChannelSteps::OneByOne }),
        (Site::Heads, Some(shape)) => {
            let layout = HeadLayout { heads: shape.heads, kv_heads: shape.kv_heads, head_dim: config.head_dim };
            Ok(TraceTarget::Heads { layout, unit: HeadUnit::KeyValue, remove })
        }
    }
}

fn summary(score: Score, trace: &Trace) -> Result<Scored, Failure> {
    let first = trace.steps.first().ok_or_else(|| Failure::refused("nothing went"))?;
    // The first removal looks at all units, in order.
    let unit = |columns: &Vec<usize>| first.candidates.iter().position(|candidate| candidate == columns);
    Ok(Scored {
        score,
        scores: first.scores.clone(),
        removed: trace.steps.iter().filter_map(|step| unit(&step.columns)).collect(),
        error: trace.predicted_loss / trace.signal,
    })
}

/// X `(tokens, in)` and W `(out, in)` of a site, for tokens from the beginning of the calibration text.
async fn site(model: &Model, asked: &Layer) -> Result<(Matrix, Matrix), Failure> {
    let (checkpoint, config) = (&model.checkpoint, model.checkpoint.config());
    let device = Device::cpu();
    let on = device.tensor_device();
    let tokens: Vec<u32> = model.tokenizer.encode(&model.calibration)?.into_iter().take(config.max_positions).collect();
    let positions = Positions::new(config, 0, tokens.len(), on);
    let mut hidden = Outer::load(&checkpoint.outer()?, config, on).embed(token_tensor(&[tokens], on));
    for (layer, &shape) in config.layers.iter().enumerate() {
        let weights = checkpoint.layer(layer)?;
        let block = Block::load(layer, &weights, shape, config, on);
        if layer < asked.layer {
            hidden = block.forward(hidden, &positions);
            continue;
        }
        let context = block.context(hidden.clone(), &positions);
        let input = match asked.site {
            Site::Heads => context,
            Site::Channels => block.inner(block.add_attention(hidden, context)),
        };
        let lacks = || Failure::refused(format!("layer {layer} has no {}", asked.site.half()));
        let input = input.ok_or_else(lacks)?;
        let [_, rows, columns] = input.dims();
        let x = Matrix { rows, columns, values: doubles(input).await? };
        let weight = weights.weight(asked.site.projection());
        let values = weight.values.iter().map(|&v| v.into()).collect();
        return Ok((x, Matrix { rows: weight.shape[0], columns: weight.shape[1], values }));
    }
    Err(Failure::refused(format!("the model has no layer {}", asked.layer)))
}
