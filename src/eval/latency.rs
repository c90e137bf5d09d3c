//! How fast a model reads and writes: prefill and decode rates, and the time for a number of new
//! tokens, with mean and deviation over repeats. The caller has the clock.

use serde::Serialize;

use crate::device::readback::{ReadbackError, floats};
use crate::model::{Decoder, KvCache, likeliest, token_tensor};
use crate::shape::ModelConfig;

/// How much is read and written, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timed {
    /// Tokens that are read at once, for the prefill rate.
    pub prompt_tokens: usize,
    /// Tokens that are written after a single one, for latency and decode rate.
    pub new_tokens: usize,
    /// Times that both are measured.
    pub repeats: usize,
}

impl Timed {
    /// The same within a context of `positions`: a run of one token and `n` new ones feeds n
    /// tokens, since the last is not fed.
    pub fn within(self, positions: usize) -> Self {
        Self { prompt_tokens: self.prompt_tokens.min(positions), new_tokens: self.new_tokens.min(positions), ..self }
    }

    /// Steps that are told: the prompt and each new token, of the warm-up and of every repeat.
    pub fn steps(&self) -> usize {
        (1 + self.repeats) * (1 + self.new_tokens)
    }
}

/// Several measurements of one thing, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Mean of all measurements.
    pub mean: f64,
    /// Sample standard deviation (n − 1); 0 of a single one.
    pub standard_deviation: f64,
    /// Every one, in order.
    pub each: Vec<f64>,
}

impl Seconds {
    /// The statistics of these.
    pub fn of(each: Vec<f64>) -> Self {
        let n = each.len().max(1) as f64;
        let mean = each.iter().sum::<f64>() / n;
        // About the mean, in a second pass: Σs² − n·mean² would cancel for times that hardly differ.
        let squares: f64 = each.iter().map(|s| (s - mean).powi(2)).sum();
        let standard_deviation = (squares / (n - 1.0).max(1.0)).sqrt();
        Self { mean, standard_deviation, each }
    }
}

/// How fast a model is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// The tokens and repeats it was timed with.
    pub timed: Timed,
    /// Reading the prompt, up to the logits after it.
    pub prefill: Seconds,
    /// Writing the new tokens, the reading of the single one before them included: the latency.
    pub latency: Seconds,
}

impl Speed {
    /// Prompt tokens per second.
    pub fn prefill_rate(&self) -> f64 {
        self.timed.prompt_tokens as f64 / self.prefill.mean
    }

    /// New tokens per second.
    pub fn decode_rate(&self) -> f64 {
        self.timed.new_tokens as f64 / self.latency.mean
    }
}

/// Measures after a whole repeat as warm-up, in which a GPU chooses and compiles its kernels; `None` when `on_step`,
/// which is told how many of how many steps are done, says false. Tokens are the likeliest; an end-of-sequence token
/// does not end a run.
///
/// # Errors
/// When the device fails.
pub async fn speed(
    decoder: &Decoder,
    config: &ModelConfig,
    timed: Timed,
    clock: &dyn Fn() -> f64,
    on_step: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Option<Speed>, ReadbackError> {
    let mut done = 0;
    let mut step = || {
        done += 1;
        on_step(done, timed.steps())
    };
    // A begin token beyond the vocabulary has no embedding; the work is the same for any token.
    let first = config.bos_token.filter(|&t| (t as usize) < config.vocab_size).unwrap_or(0);
    let mut run = Run { decoder, config, clock, step: &mut step, first };
    // Not counted: the first time kernels are compiled and memory is claimed.
    if run.repeat(&timed).await?.is_none() {
        return Ok(None);
    }
    let (mut prefill, mut latency) = (vec![], vec![]);
    for _ in 0..timed.repeats {
        let Some([read, written]) = run.repeat(&timed).await? else { return Ok(None) };
        prefill.push(read);
        latency.push(written);
    }
    Ok(Some(Speed { timed, prefill: Seconds::of(prefill), latency: Seconds::of(latency) }))
}

/// What all repeats have in common.
struct Run<'a> {
    decoder: &'a Decoder,
    config: &'a ModelConfig,
    clock: &'a dyn Fn() -> f64,
    step: &'a mut dyn FnMut() -> bool,
    first: u32,
}

impl Run<'_> {
    /// Seconds of prefill and latency; `None` when it is to stop.
    async fn repeat(&mut self, timed: &Timed) -> Result<Option<[f64; 2]>, ReadbackError> {
        // Any tokens do: the work is the same for all.
        let prompt = (0..timed.prompt_tokens).map(|i| (i % self.config.vocab_size) as u32).collect();
        let started = (self.clock)();
        self.next(prompt, &mut KvCache::default()).await?;
        // `next` has the logits on the host by now, so the time is that of work done, not queued.
        let prefill = (self.clock)() - started;
        // Told when the time is taken: the observer's work is not the model's.
        if !(self.step)() {
            return Ok(None);
        }
        Ok(self.write(timed.new_tokens).await?.map(|latency| [prefill, latency]))
    }

    async fn write(&mut self, tokens: usize) -> Result<Option<f64>, ReadbackError> {
        let started = (self.clock)();
        // A cache of its own: what the prefill left there would make every token attend to more.
        let (mut cache, mut token) = (KvCache::default(), self.first);
        for _ in 0..tokens {
            // Each token waits for the one before, as in a program that writes text.
            token = self.next(vec![token], &mut cache).await?;
            if !(self.step)() {
                return Ok(None);
            }
        }
        Ok(Some((self.clock)() - started))
    }

    async fn next(&self, tokens: Vec<u32>, cache: &mut KvCache) -> Result<u32, ReadbackError> {
        next_token(self.decoder, self.config, tokens, cache).await
    }
}

/// The likeliest token after those in `cache` and `tokens`, which it has afterwards. It is on the host, so whatever it
/// follows from is done.
pub(super) async fn next_token(
    decoder: &Decoder,
    config: &ModelConfig,
    tokens: Vec<u32>,
    cache: &mut KvCache,
) -> Result<u32, ReadbackError> {
    let device = decoder.outer.embedding.val().device();
    let logits = decoder.forward_cached(token_tensor(&[tokens], &device), config, cache);
    Ok(likeliest(&floats(logits).await?) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let seconds = Seconds::of(vec![1.0, 2.0, 3.0, 6.0]);
        assert_eq!(seconds.mean, 3.0);
        // Squares 4 + 1 + 0 + 9 over 3.
        assert!((seconds.standard_deviation - (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(Seconds::of(vec![5.0]).standard_deviation, 0.0);
    }

    #[test]
    fn what_does_not_fit_the_context_is_shortened() {
        let timed = Timed { prompt_tokens: 512, new_tokens: 512, repeats: 3 };
        assert_eq!(timed.within(512), timed);
        assert_eq!(timed.within(64), Timed { prompt_tokens: 64, new_tokens: 64, repeats: 3 });
        assert_eq!(timed.steps(), 4 * 513);
    }
}
