//! The training loop: AdamW, a warm-up and a cosine, clipped gradients, state every hundred steps.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bytes, Tensor};
use pollster::block_on;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use slimgpt::checkpoint::parse_config;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Sampler, generate, token_tensor};
use slimgpt::shape::ModelConfig;
use slimgpt::text::Tokenizer;

use crate::{Arguments, folder, stories, tokenizer};

/// Steps between two saved states.
const SAVE_EVERY: usize = 100;
/// Steps in which the learning rate rises.
const WARM_UP: usize = 100;
const TRAINING_SEED: u64 = 1;
const TRAINING_BYTES: usize = 12_000_000;

/// Trains, or goes on training.
pub fn run(arguments: &Arguments) -> Result<()> {
    std::fs::create_dir_all(&arguments.state)?;
    let text = stories::corpus(TRAINING_SEED, TRAINING_BYTES);
    // A sixth of the stories has all of the grammar's words. Trained once, because a run that goes on
    // needs the tokens that its state was trained with.
    let json = cached(&arguments.state.join("tokenizer.json"), || tokenizer::train(&text[..2_000_000]))?;
    folder::write_texts(&arguments.out, &json)?;
    let config = parse_config(&folder::config())?;
    let tokenizer = Tokenizer::from_bytes(json.as_bytes(), config.vocab_size)?;
    let lessons = Lessons::read(&text, &tokenizer)?;
    println!("{} bytes, {} tokens, {} parameters", text.len(), lessons.tokens.len(), config.parameters());
    let device = block_on(Device::open(&arguments.device))?;
    let on = device.tensor_device().clone().autodiff();
    // Every run begins with the same weights.
    on.seed(0);
    let mut state = State::open(&arguments.state, &config, &on)?;
    let started = Instant::now();
    let first = state.step;
    let mut recent = 0.0;
    while state.step < arguments.steps {
        let windows = lessons.batch(arguments, state.step);
        let loss = state.learn(&windows, &config, rate(arguments, state.step))?;
        // A mean over about the last 20 steps: 1 / (1 − 0.95).
        recent = if recent == 0.0 { loss } else { 0.95 * recent + 0.05 * loss };
        state.step += 1;
        if state.step % 20 == 0 {
            let each = started.elapsed().as_secs_f64() / (state.step - first) as f64;
            let left = each * (arguments.steps - state.step) as f64;
            let speed = (arguments.batch * arguments.length) as f64 / each;
            println!("step {:5}  loss {recent:.4}  {speed:.0} tokens/s  {:.0} min left", state.step, left / 60.0);
        }
        if state.step % SAVE_EVERY == 0 || state.step == arguments.steps {
            state.save(&arguments.state)?;
            folder::write_weights(&arguments.out, &state.model)?;
            println!("  {}", sample(&state.model, &config, &tokenizer)?);
        }
    }
    Ok(())
}

fn cached(path: &Path, make: impl FnOnce() -> Result<String>) -> Result<String> {
    if let Ok(text) = std::fs::read_to_string(path) {
        return Ok(text);
    }
    let text = make()?;
    std::fs::write(path, &text)?;
    Ok(text)
}

/// The stories as one row of tokens.
struct Lessons {
    tokens: Vec<u32>,
    /// Where each story begins.
    starts: Vec<usize>,
}

impl Lessons {
    fn read(text: &str, tokenizer: &Tokenizer) -> Result<Self> {
        let mut lessons = Self { tokens: Vec::new(), starts: Vec::new() };
        // With the empty line, by which the model learns how a story ends.
        for story in text.split_inclusive("\n\n") {
            lessons.starts.push(lessons.tokens.len());
            lessons.tokens.extend(tokenizer.encode(story)?);
        }
        Ok(lessons)
    }

    /// Windows of a begin-of-sequence token and what follows the start of a random story: a window
    /// that began inside one would ask for names it never told. The step is the seed, so a resumed
    /// run sees what an uninterrupted one would have seen.
    fn batch(&self, arguments: &Arguments, step: usize) -> Vec<Vec<u32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(step as u64);
        // Starts ascend, so those with a whole window behind them come first.
        let whole = self.starts.partition_point(|start| start + arguments.length <= self.tokens.len());
        // 1 is <s>, by its place in SPECIAL. The window is one token longer than what is read:
        // its last one is only predicted.
        let window = |start: usize| {
            std::iter::once(1).chain(self.tokens[start..start + arguments.length].iter().copied()).collect()
        };
        (0..arguments.batch).map(|_| window(self.starts[rng.random_range(0..whole)])).collect()
    }
}

fn rate(arguments: &Arguments, step: usize) -> f64 {
    let warm = ((step + 1) as f64 / WARM_UP as f64).min(1.0);
    let done = step as f64 / arguments.steps as f64;
    // A linear warm-up times a cosine that ends at a twentieth of the highest rate.
    arguments.rate * warm * (0.05 + 0.95 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
}

struct State {
    model: Decoder,
    optimizer: ModuleOptimizer,
    step: usize,
}

impl State {
    fn open(folder: &Path, config: &ModelConfig, device: &burn::tensor::Device) -> Result<Self> {
        let clip = GradientClippingConfig::Norm(1.0);
        let optimizer =
            AdamWConfig::new().with_beta_2(0.98).with_weight_decay(0.05).with_grad_clipping(Some(clip)).init();
        let model = Decoder::init(config, device);
        // Without a step there is no state, and a run begins.
        let Ok(step) = std::fs::read_to_string(folder.join("step")) else {
            return Ok(Self { model, optimizer, step: 0 });
        };
        let bytes = |name: &str| std::fs::read(folder.join(name)).map(Bytes::from_bytes_vec).context("the saved state");
        let record = ModuleRecord::from_bytes(bytes("model")?).map_err(|e| anyhow!("{e:?}"))?;
        let optimizer = optimizer.from_bytes(bytes("optimizer")?).map_err(|e| anyhow!("{e:?}"))?;
        Ok(Self { model: model.load_record(record), optimizer, step: step.trim().parse()? })
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let model = self.model.clone().into_record().into_bytes().map_err(|e| anyhow!("{e:?}"))?;
        let optimizer = self.optimizer.into_bytes().map_err(|e| anyhow!("{e:?}"))?;
        std::fs::write(folder.join("model"), &model[..])?;
        std::fs::write(folder.join("optimizer"), &optimizer[..])?;
        // Last, because without it `open` begins anew.
        Ok(std::fs::write(folder.join("step"), self.step.to_string())?)
    }

    /// One step; returns the mean −log p.
    fn learn(&mut self, windows: &[Vec<u32>], config: &ModelConfig, rate: f64) -> Result<f64> {
        let device = self.model.outer.embedding.val().device();
        let inputs: Vec<Vec<u32>> = windows.iter().map(|w| w[..w.len() - 1].to_vec()).collect();
        let targets: Vec<u32> = windows.iter().flat_map(|w| w[1..].iter().copied()).collect();
        let count = targets.len();
        let next = token_tensor(&[targets], &device).reshape([count, 1]);
        let logits = self.model.forward(token_tensor(&inputs, &device), config);
        let loss: Tensor<1> = log_softmax(logits, 1).gather(1, next).neg().mean();
        let value = loss.clone().into_data().try_to_vec::<f32>().map_err(|e| anyhow!("{e:?}"))?[0];
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.optimizer.step(rate, self.model.clone(), gradients);
        Ok(value.into())
    }
}

fn sample(model: &Decoder, config: &ModelConfig, tokenizer: &Tokenizer) -> Result<String> {
    let mut tokens = vec![1];
    tokens.extend(tokenizer.encode("One day Mia and Tom went to the park.")?);
    let mut text = tokens[1..].to_vec();
    let mut push = |token: u32| {
        text.push(token);
        true
    };
    block_on(generate(model, config, &tokens, 60, &mut Sampler::new(0.0, 0), &mut push))?;
    Ok(tokenizer.decode(&text)?.replace('\n', " / "))
}
