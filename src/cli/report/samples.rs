//! What has to be computed for a page: perplexities, and continuations of prompts.

use std::path::Path;

use anyhow::Result;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::{EvalEntry, perplexity};
use slimgpt::model::{Decoder, Sampler, fits, generate};
use slimgpt::report::{Continuation, Folder, Sample};
use slimgpt::shape::ModelConfig;
use slimgpt::text::{Bos, Files, Sampling, Tokenizer, TokenizerSettings, Windows};

use super::ReportCommand;
use crate::cli::arguments;
use crate::cli::exit::Usage;
use crate::cli::progress::counting;

/// Tokens of a prompt that is taken from a text.
const PROMPT_TOKENS: usize = 24;

impl ReportCommand {
    /// Adds perplexities to the folders, and returns the continuations.
    pub fn measured(&self, folders: &mut [Folder]) -> Result<Vec<Sample>> {
        let prompts = self.prompts()?;
        if prompts.is_empty() && self.text.is_none() {
            return Ok(Vec::new());
        }
        let device = self.device.open()?;
        let mut samples: Vec<Sample> =
            prompts.into_iter().map(|prompt| Sample { prompt, continuations: Vec::new() }).collect();
        if let Some(dense) = &self.dense {
            let entry = self.work("dense", dense, &device, &mut samples)?;
            // The dense figure stands beside each pruned one, under its own name.
            let entries = entry.map(|e| EvalEntry { metric: EvalEntry::DENSE_PPL.into(), ..e });
            folders.iter_mut().for_each(|f| f.evaluation.extend(entries.clone()));
        }
        for (folder, path) in folders.iter_mut().zip(&self.folders) {
            let entry = self.work(&folder.name, path, &device, &mut samples)?;
            folder.evaluation.extend(entry);
        }
        Ok(samples)
    }

    /// Measures one model and lets it continue every prompt.
    fn work(&self, name: &str, path: &Path, device: &Device, samples: &mut [Sample]) -> Result<Option<EvalEntry>> {
        let (checkpoint, tokenizer) = arguments::open(path)?;
        if !samples.is_empty() {
            // Gone again before perplexity is measured, which holds one layer at a time.
            fits(checkpoint.config(), device)?;
            let decoder = Decoder::load(&checkpoint, device.tensor_device())?;
            let begin = tokenizer.begin(&TokenizerSettings::open(path)?)?;
            let (mut progress, all) = (counting("continuing prompts", self.json), samples.len());
            for (done, sample) in samples.iter_mut().enumerate() {
                let text = self.continuation(&decoder, checkpoint.config(), &tokenizer, begin, &sample.prompt)?;
                sample.continuations.push(Continuation { name: name.into(), text });
                progress(done + 1, all);
            }
        }
        self.text.as_deref().map(|text| self.perplexity(text, &checkpoint, &tokenizer, device)).transpose()
    }

    /// What the likeliest tokens add to a prompt.
    fn continuation(
        &self,
        decoder: &Decoder,
        config: &ModelConfig,
        tokenizer: &Tokenizer,
        begin: Option<u32>,
        prompt: &str,
    ) -> Result<String> {
        let own = tokenizer.encode(prompt)?;
        let given: Vec<u32> = begin.into_iter().chain(own.iter().copied()).collect();
        if given.is_empty() || given.len() >= config.max_positions {
            let (tokens, room) = (given.len(), config.max_positions);
            return Err(
                Usage(format!("--prompt \"{prompt}\" has {tokens} tokens; 1 to {} are possible", room - 1)).into()
            );
        }
        // The likeliest tokens, so that the texts differ by the weights alone.
        let (mut all, mut sampler) = (own.clone(), Sampler::new(0.0, 0));
        block_on(generate(decoder, config, &given, self.max_tokens, &mut sampler, &mut |token| {
            all.push(token);
            true
        }))?;
        // Decoders look at neighbours, so the new text is what the whole has more than the prompt.
        let (before, whole) = (tokenizer.decode(&own)?, tokenizer.decode(&all)?);
        // `get`, because the prompt's last character may decode to other bytes once it has neighbours.
        Ok(whole.get(before.len()..).unwrap_or_default().trim().to_owned())
    }

    fn perplexity(
        &self,
        text: &Path,
        checkpoint: &Checkpoint,
        tokenizer: &Tokenizer,
        device: &Device,
    ) -> Result<EvalEntry> {
        let config = checkpoint.config();
        let which = self.which(arguments::window_length(Some(self.seq_len), config)?);
        let cut = self.windows(text, tokenizer, config, &which)?;
        let found = block_on(perplexity(checkpoint, &cut, device, &mut counting("perplexity", self.json)))?;
        let what = format!(
            "{}, {} windows of {} tokens that do not overlap, begin-of-sequence token in none",
            text.file_name().unwrap_or(text.as_os_str()).display(),
            found.windows,
            which.length
        );
        Ok(EvalEntry { what, metric: EvalEntry::PPL.into(), value: found.perplexity, stderr: None, n: found.tokens })
    }

    fn windows(
        &self,
        text: &Path,
        tokenizer: &Tokenizer,
        config: &ModelConfig,
        which: &Windows,
    ) -> Result<Vec<Vec<u32>>> {
        let files = Files { paths: &[text.to_owned()], key: &self.text_key, documents: None };
        Ok(files.windows(None, tokenizer, config.bos_token, which, &mut |_, _| {})?.windows)
    }

    fn which(&self, length: usize) -> Windows {
        // As SlimGPT and LLM-Pruner measure: no overlap and no begin-of-sequence token.
        Windows { count: self.windows, length, sampling: Sampling::Sequential, bos: Bos::None, seed: 0 }
    }

    /// Those that were typed, and beginnings taken from the text at even distances.
    fn prompts(&self) -> Result<Vec<String>> {
        let mut prompts = self.prompt.clone();
        let (Some(text), Some(first)) = (&self.text, self.folders.first()) else { return Ok(prompts) };
        if self.samples_of == 0 {
            return Ok(prompts);
        }
        // The first folder's tokenizer cuts; every model gets the prompts as text.
        let (checkpoint, tokenizer) = arguments::open(first)?;
        let which = Windows { count: None, ..self.which(PROMPT_TOKENS) };
        let all = self.windows(text, &tokenizer, checkpoint.config(), &which)?;
        // A text with fewer windows than prompts gives what it has.
        let step = (all.len() / self.samples_of).max(1);
        for window in all.iter().step_by(step).take(self.samples_of) {
            prompts.push(tokenizer.decode(window)?.trim().to_owned());
        }
        Ok(prompts)
    }
}
