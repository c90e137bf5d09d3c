//! What is learnt from: rows with a prompt and a response, conversations, or plain text, as tokens of which
//! each says whether it counts.

mod alpaca;
mod chat;
mod encode;
mod packed;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{RecoverError, Settings};
use crate::format::hex;
use crate::text::{ChatTemplate, Files, Tokenizer};
use encode::Encoder;

/// What the rows of a file are.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// Instruction, input and output, in Alpaca's prompt.
    #[strum(message = "rows of instruction, input and output, in Alpaca's prompt")]
    Alpaca,
    /// Messages, in the model's own chat template.
    #[strum(message = "rows of messages (role, content), in the model's own chat template")]
    Chat,
    /// Documents, one after the other in windows; no token sees another document.
    #[strum(message = "documents, packed into windows; no token sees another document")]
    Text,
}

/// A sequence that is learnt from.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Whether each token but the first counts.
    pub counts: Vec<bool>,
    /// Of which document each token is; empty where it is one.
    pub documents: Vec<u32>,
}

impl Example {
    /// Tokens that count.
    pub fn counted(&self) -> usize {
        self.counts.iter().filter(|&&counts| counts).count()
    }
}

/// Where examples come from.
pub struct Source<'a> {
    /// The files.
    pub files: Files<'a>,
    /// What their rows are; `None` as the first row looks, and plain text for files of text.
    pub format: Option<Format>,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The token that a text begins with, if any.
    pub begin: Option<u32>,
    /// The token that ends a response or a document.
    pub end: Option<u32>,
    /// The model's chat template, if it has one.
    pub template: Option<ChatTemplate>,
}

/// Examples, and what is to be said of them.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// What is learnt from.
    pub learnt: Vec<Example>,
    /// What is only looked at.
    pub held_out: Vec<Example>,
    /// What was not taken as it stands, in sentences.
    pub notes: Vec<String>,
}

impl Data {
    /// Reads the files, cuts them into tokens and holds some examples out.
    ///
    /// # Errors
    /// When a file or a row cannot be used, or nothing is left to learn from or to hold out.
    pub fn read(source: &Source<'_>, settings: &Settings) -> Result<Self, RecoverError> {
        let mut encoder = Encoder::new(source, settings);
        let notes = match source.format {
            Some(Format::Text) => packed::read(source, &mut encoder)?,
            None if source.files.have_texts() => packed::read(source, &mut encoder)?,
            format => rows(source, format, &mut encoder)?,
        };
        let notes = notes.into_iter().chain(encoder.notes()).collect();
        split(encoder.examples, notes, settings)
    }

    /// Windows of tokens as plain text, each in pieces of at most `most` tokens; nothing is held out.
    pub(super) fn of_windows(windows: &[Vec<u32>], most: usize) -> Self {
        let piece = |tokens: &[u32]| Example {
            tokens: tokens.to_vec(),
            counts: vec![true; tokens.len() - 1],
            documents: Vec::new(),
        };
        // One token is nothing to predict from.
        let pieces = windows.iter().flat_map(|window| window.chunks(most)).filter(|tokens| tokens.len() > 1);
        Self { learnt: pieces.map(piece).collect(), ..Self::default() }
    }

    /// The examples of a step, counted from 0: every epoch has an order of its own, which the seed decides.
    pub(super) fn of_step(&self, step: usize, settings: &Settings) -> Vec<&Example> {
        let (all, batch) = (&self.learnt, settings.batch);
        let in_epoch = all.len().div_ceil(batch);
        // Ordered anew for every step: so its number alone says which examples it has, and a state need not keep them.
        let mut order: Vec<&Example> = all.iter().collect();
        let epoch = (step / in_epoch) as u64;
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.seed.wrapping_add(epoch)));
        let from = step % in_epoch * batch;
        order[from..all.len().min(from + batch)].to_vec()
    }

    /// Tokens that count, of what is learnt from.
    pub fn counted(&self) -> usize {
        self.learnt.iter().map(Example::counted).sum()
    }

    /// SHA-256 of all of it.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (kind, examples) in [&self.learnt, &self.held_out].into_iter().enumerate() {
            for example in examples {
                hash.update([kind as u8]);
                // The length first, so that one sequence cannot end where another goes on.
                hash.update((example.tokens.len() as u64).to_le_bytes());
                hash.update(bytemuck::cast_slice::<u32, u8>(&example.tokens));
                hash.update(example.counts.iter().map(|&c| u8::from(c)).collect::<Vec<_>>());
                hash.update(bytemuck::cast_slice::<u32, u8>(&example.documents));
            }
        }
        hex(&hash.finalize())
    }
}

/// Rows of one format, which the first row tells if nobody has.
fn rows(source: &Source<'_>, format: Option<Format>, encoder: &mut Encoder<'_>) -> Result<Vec<String>, RecoverError> {
    let mut format = format;
    let (mut texts, mut nulls) = (Vec::new(), 0_usize);
    let columns: Vec<&str> = alpaca::KEYS.into_iter().chain(chat::KEYS).chain([source.files.key]).collect();
    let mut notes = source.files.rows(Some(&columns), &mut |row, _| {
        let format = *format.get_or_insert_with(|| looks_like(row, &source.files));
        match format {
            Format::Alpaca => encoder.add(&alpaca::read(row)?),
            Format::Chat => {
                let template = source.template.as_ref();
                let template = template
                    .ok_or("the model has no chat template to put messages into; give rows of another format")?;
                encoder.add(&chat::read(row, &source.files, template)?)
            }
            Format::Text => {
                match source.files.part(row) {
                    Some(Value::String(text)) => texts.push(text.clone()),
                    // Left out as where the format is named.
                    Some(Value::Null) => nulls += 1,
                    _ => return Err(format!("no text under \"{}\"", source.files.key)),
                }
                Ok(())
            }
        }
    })?;
    // When all rows are there: a window goes on from one to the next.
    packed::pack(&texts, encoder)?;
    notes.extend((nulls > 0).then(|| format!("{nulls} rows with null under \"{}\", left out", source.files.key)));
    Ok(notes)
}

/// What a row is, by its keys.
fn looks_like(row: &Value, files: &Files<'_>) -> Format {
    match () {
        () if row.get(alpaca::KEYS[0]).is_some() => Format::Alpaca,
        () if chat::list(row, files).is_some() || chat::KEYS.iter().any(|key| row.get(key).is_some()) => Format::Chat,
        () => Format::Text,
    }
}

/// Shuffles by the seed and holds out the last.
fn split(mut examples: Vec<Example>, notes: Vec<String>, settings: &Settings) -> Result<Data, RecoverError> {
    let held_out = settings.held_out(examples.len());
    if examples.len() <= held_out {
        return Err(RecoverError::TooFew { examples: examples.len(), held_out });
    }
    // Before it is cut, so that what is held out is of the same kind as what is learnt.
    examples.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.seed));
    let held_out = examples.split_off(examples.len() - held_out);
    Ok(Data { learnt: examples, held_out, notes })
}
