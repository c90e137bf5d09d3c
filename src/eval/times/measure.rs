//! Taking the times: whole models whose layers all have one shape, with random weights, because time depends on sizes
//! alone.
//!
//! A layer by itself would be timed with its weights in the caches, and with a wait of its own at the end. What a layer
//! takes inside of a model is the difference of two models over their layers.

use super::{MeasuredTimes, TimePoint, machine, sizes_digest};
use crate::allocate::channel_step;
use crate::device::Device;
use crate::device::readback::ReadbackError;
use crate::eval::latency::next_token;
use crate::model::{Decoder, KvCache};
use crate::shape::{LayerShape, ModelConfig};

/// Tokens that are written before the clock starts: a GPU chooses and compiles its kernels meanwhile.
const WARM_UP: usize = 4;
/// Times that all shapes are measured, the second time backwards, so that a machine that warms up or is used by others
/// disturbs all of them alike.
const ROUNDS: usize = 2;
/// Channels are measured in so many parts of all.
const PARTS: usize = 8;

/// How the time of a token is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTimed {
    /// Tokens that stand before.
    pub context: usize,
    /// Tokens that are timed, each for itself.
    pub tokens: usize,
}

impl TokenTimed {
    /// The same within a context of `positions`.
    pub fn within(self, positions: usize) -> Self {
        let tokens = self.tokens.min(positions.saturating_sub(WARM_UP + 1)).max(1);
        Self { tokens, context: self.context.min(positions.saturating_sub(WARM_UP + tokens)).max(1) }
    }

    /// Steps that are told: the context, and each token.
    fn steps(self) -> usize {
        1 + WARM_UP + self.tokens
    }
}

/// Seconds that a token takes: the median of some that are written one after the other; `None` when `on_step` says false.
///
/// # Errors
/// When the device fails.
pub async fn token_seconds(
    decoder: &Decoder,
    config: &ModelConfig,
    timed: TokenTimed,
    clock: &dyn Fn() -> f64,
    on_step: &mut dyn FnMut() -> bool,
) -> Result<Option<f64>, ReadbackError> {
    let seconds = each_token(decoder, config, timed, clock, on_step).await?;
    Ok(seconds.map(median))
}

/// The times of a model's shapes, for a table; `None` when `on_step`, which is told how many of how many steps are done,
/// says false.
///
/// # Errors
/// When the device fails.
pub async fn layer_times(
    config: &ModelConfig,
    timed: TokenTimed,
    device: &Device,
    clock: &dyn Fn() -> f64,
    on_step: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Option<MeasuredTimes>, ReadbackError> {
    let shapes = shapes(config);
    let steps = ROUNDS * shapes.len() * timed.steps();
    let mut done = 0;
    let mut step = || {
        done += 1;
        on_step(done, steps)
    };
    let mut seconds = vec![Vec::new(); shapes.len()];
    for round in 0..ROUNDS {
        let forwards: Vec<usize> = (0..shapes.len()).collect();
        let order = if round.is_multiple_of(2) { forwards } else { forwards.into_iter().rev().collect() };
        for i in order {
            let alike = ModelConfig { layers: vec![shapes[i]; config.layers.len()], ..config.clone() };
            // One model at a time: each goes before the next is made.
            let decoder = Decoder::init(&alike, device.tensor_device());
            let Some(each) = each_token(&decoder, &alike, timed, clock, &mut step).await? else { return Ok(None) };
            seconds[i].extend(each);
        }
    }
    let point = |(&layer, each): (&LayerShape, Vec<f64>)| TimePoint { layer, seconds: median(each) };
    Ok(Some(MeasuredTimes {
        version: env!("CARGO_PKG_VERSION").into(),
        device: machine(device),
        model: sizes_digest(config),
        layers: config.layers.len(),
        context_tokens: timed.context,
        points: shapes.iter().zip(seconds).map(point).collect(),
    }))
}

async fn each_token(
    decoder: &Decoder,
    config: &ModelConfig,
    timed: TokenTimed,
    clock: &dyn Fn() -> f64,
    on_step: &mut dyn FnMut() -> bool,
) -> Result<Option<Vec<f64>>, ReadbackError> {
    let mut cache = KvCache::default();
    // Any tokens do: the work is the same for all.
    let prompt = (0..timed.context).map(|i| (i % config.vocab_size) as u32).collect();
    let mut token = next_token(decoder, config, prompt, &mut cache).await?;
    let mut seconds = Vec::with_capacity(timed.tokens);
    for i in 0..WARM_UP + timed.tokens {
        if !on_step() {
            return Ok(None);
        }
        let started = clock();
        token = next_token(decoder, config, vec![token], &mut cache).await?;
        if i >= WARM_UP {
            seconds.push(clock() - started);
        }
    }
    Ok(on_step().then_some(seconds))
}

/// The middle one, or between the two in the middle. One token that waits for something else moves no median.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let last = seconds.len().saturating_sub(1);
    let at = |i: usize| seconds.get(i).copied().unwrap_or(0.0);
    0.5 * (at(last / 2) + at(last.div_ceil(2)))
}

/// The shapes that are measured, the largest first: attention with some numbers of heads, and some numbers of channels.
fn shapes(config: &ModelConfig) -> Vec<LayerShape> {
    // One at least, where no layer has the half any more: a table is of models that have both.
    let most = |of: fn(&LayerShape) -> usize| config.layers.iter().map(of).max().unwrap_or(1).max(1);
    let (kv_heads, group) = (most(|layer| layer.kv_heads), most(LayerShape::heads_per_group));
    let channels = most(|layer| layer.channels);
    let largest = LayerShape { heads: kv_heads * group, kv_heads, channels };
    let of_heads = |kv_heads: usize, group: usize| LayerShape { heads: kv_heads * group, kv_heads, ..largest };
    let groups = quarters(group);
    let attention = quarters(kv_heads).into_iter().flat_map(|kv| groups.iter().map(move |&group| (kv, group)));
    let attention = attention.map(|(kv, group)| of_heads(kv, group));
    let step = channel_step(channels, None);
    // In steps, because kernels like what sizes have.
    let part = |i: usize| ((i * channels).div_ceil(PARTS * step) * step).min(channels);
    let feed_forward = (1..PARTS).map(|i| LayerShape { channels: part(i), ..largest });
    let mut all = vec![largest];
    for shape in attention.chain(feed_forward) {
        if !all.contains(&shape) {
            all.push(shape);
        }
    }
    all
}

/// One, and all quarters of a count.
fn quarters(count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = std::iter::once(1).chain((1..=4).map(|i| (i * count).div_ceil(4))).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::times::{LayerTimes, TimesError};
    use crate::shape::Site;

    fn config(heads: usize, kv_heads: usize, channels: usize) -> ModelConfig {
        let toy = ModelConfig::toy(4 * heads, LayerShape { heads, kv_heads, channels }, 2);
        ModelConfig { vocab_size: 11, max_positions: 32, ..toy }
    }

    /// The table of these shapes, each with a time.
    fn table(shapes: &[LayerShape]) -> Result<LayerTimes, TimesError> {
        let points = shapes.iter().map(|&layer| TimePoint { layer, seconds: layer.channels as f64 }).collect();
        let [version, device, model] = [const { String::new() }; 3];
        LayerTimes::new(MeasuredTimes { version, device, model, layers: 2, context_tokens: 1, points })
    }

    #[test]
    fn shapes_make_a_table_whatever_the_model() {
        for (heads, kv_heads, channels) in [(1, 1, 1), (9, 3, 1536), (32, 8, 77), (6, 6, 8), (4, 1, 96)] {
            let config = config(heads, kv_heads, channels);
            let shapes = shapes(&config);
            assert_eq!(shapes[0], config.layers[0]);
            assert!(shapes.len() <= 5 * 5 + PARTS, "{shapes:?}");
            table(&shapes).unwrap_or_else(|error| panic!("{heads} {kv_heads} {channels}: {error}"));
        }
    }

    #[test]
    fn a_model_without_any_attention_has_a_table_too() {
        let mut config = config(4, 2, 96);
        config.layers.iter_mut().for_each(|layer| *layer = layer.without(Site::Heads));
        let shapes = shapes(&config);
        assert_eq!(shapes[0], LayerShape { heads: 1, kv_heads: 1, channels: 96 });
        table(&shapes).unwrap();
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!((median(vec![3.0, 9.0, 1.0]), median(vec![4.0, 1.0, 2.0, 100.0])), (3.0, 3.0));
        assert_eq!((median(vec![5.0]), median(vec![])), (5.0, 0.0));
    }

    #[test]
    fn times_are_those_of_the_clock() {
        // A clock that only goes on when it is looked at: every token takes one second.
        let ticks = std::cell::Cell::new(0.0);
        let clock = || {
            ticks.set(ticks.get() + 1.0);
            ticks.get()
        };
        let (config, device) = (config(2, 1, 8), Device::cpu());
        let timed = TokenTimed { context: 100, tokens: 3 }.within(config.max_positions);
        assert_eq!(timed, TokenTimed { context: 32 - 3 - WARM_UP, tokens: 3 });
        let mut told = Vec::new();
        let mut on_step = |done, all| {
            told.push((done, all));
            true
        };
        let found = pollster::block_on(layer_times(&config, timed, &device, &clock, &mut on_step)).unwrap().unwrap();
        assert!(found.points.iter().all(|point| point.seconds == 1.0), "{found:?}");
        let steps = ROUNDS * found.points.len() * timed.steps();
        assert_eq!((told.len(), told.last()), (steps, Some(&(steps, steps))));
        LayerTimes::new(found).unwrap().check(&config, &device).unwrap();
        let stopped = pollster::block_on(layer_times(&config, timed, &device, &clock, &mut |done, _| done < 7));
        assert!(stopped.unwrap().is_none());
    }

    #[test]
    fn a_context_holds_a_token_at_least() {
        for positions in 0..40 {
            let timed = TokenTimed { context: 512, tokens: 32 }.within(positions);
            assert!(timed.context > 0 && timed.tokens > 0);
            assert!(positions < WARM_UP + 2 || timed.context + timed.tokens + WARM_UP <= positions, "{positions}");
        }
    }
}
