//! Two models on one prompt and one text.
//!
//! While both write, they take turns, token by token: each is timed only while it has the turn,
//! so that neither pays for the other.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::device::DeviceChoice;
use slimgpt::eval::perplexity;
use slimgpt::model::{Decoder, Sampler, fits, generate};
use slimgpt::shipped;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, windows};
use web_time::Instant;

use super::control::{Control, Wish};
use super::open::device;
use super::turns::Turns;
use crate::findings::Heard;
use crate::mail::{Mail, Message};
use crate::model::{Model, Origin};
use crate::platform;
use crate::remedy::told;

/// Most windows that a text is judged on.
const WINDOWS: usize = 64;

/// Opens the second model.
pub fn open(mail: &Mail, folder: PathBuf) {
    let back = mail.clone();
    platform::spawn(mail, move || async move {
        let model = super::open::read(&Origin::Folder(folder), None).map(Arc::new);
        back.send(Message::Compared(1, Heard::Opened(model)));
    });
}

/// What both are to write.
#[derive(Clone)]
pub struct Writing {
    /// The beginning that both go on with.
    pub prompt: String,
    /// New tokens at most.
    pub tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// What both look at to stop.
    pub control: Control,
}

/// Lets both models go on with the prompt.
pub fn write(mail: &Mail, models: [Arc<Model>; 2], writing: &Writing) {
    let turns = Turns::default();
    for (side, model) in models.into_iter().enumerate() {
        let (back, writing, turns) = (mail.clone(), writing.clone(), turns.clone());
        platform::spawn(mail, move || async move {
            let said = continued(&back, side, &model, &writing, &turns).await;
            // Also after an error, or the other would wait for its turn for ever.
            turns.leave(side);
            back.send(Message::Compared(side, Heard::Silent(said)));
        });
    }
}

async fn continued(mail: &Mail, side: usize, model: &Model, writing: &Writing, turns: &Turns) -> Result<(), String> {
    let tokenizer = model.tokenizer()?;
    let own = tokenizer.encode(&writing.prompt).map_err(told)?;
    let prompt: Vec<u32> = model.begin.into_iter().chain(own.iter().copied()).collect();
    let room = model.checkpoint.config().max_positions;
    if prompt.is_empty() || prompt.len() >= room {
        return Err(format!("the prompt has {} tokens; it needs at least one and fewer than {room}", prompt.len()));
    }
    let device = device(&writing.device).await?;
    fits(model.checkpoint.config(), &device).map_err(told)?;
    let decoder = Decoder::load(&model.checkpoint, device.tensor_device()).map_err(told)?;
    // The same seed for both, so that they draw with the same luck.
    let mut sampler = Sampler::new(writing.temperature, 0);
    let mut heard = Said { all: own, tokens: 0, seconds: 0.0, broken: None };
    // Loading is over. From here on only the own turns are counted.
    turns.take(side);
    let mut since = Instant::now();
    let config = model.checkpoint.config();
    let mut on_token = |token| {
        heard.seconds += since.elapsed().as_secs_f64();
        let goes_on = heard.token(token, tokenizer, mail, side) && writing.control.wish() != Wish::Stop;
        // While the other has the turn no time is counted.
        turns.pass(side);
        turns.take(side);
        since = Instant::now();
        goes_on
    };
    let done = generate(&decoder, config, &prompt, writing.tokens, &mut sampler, &mut on_token).await;
    done.map_err(told)?;
    heard.broken.map_or(Ok(()), Err)
}

/// The text so far.
struct Said {
    all: Vec<u32>,
    tokens: usize,
    seconds: f64,
    broken: Option<String>,
}

impl Said {
    /// Shows the whole text again: the decoder may change what half a character becomes.
    fn token(&mut self, token: u32, tokenizer: &Tokenizer, mail: &Mail, side: usize) -> bool {
        self.all.push(token);
        self.tokens += 1;
        match tokenizer.decode(&self.all) {
            Ok(text) => {
                // Half a character waits for its other half.
                let whole = text.trim_end_matches('\u{fffd}').to_owned();
                mail.send(Message::Compared(side, Heard::Text(whole, self.tokens, self.seconds)));
                true
            }
            Err(error) => {
                self.broken = Some(error.to_string());
                false
            }
        }
    }
}

/// Measures both, the first one first.
pub fn measure(mail: &Mail, models: [Arc<Model>; 2], file: Option<PathBuf>, choice: DeviceChoice) {
    let back = mail.clone();
    platform::spawn(mail, move || async move {
        for (side, model) in models.into_iter().enumerate() {
            let found = measured(&back, side, &model, file.as_ref(), &choice).await;
            back.send(Message::Compared(side, Heard::Perplexity(found)));
        }
    });
}

async fn measured(
    mail: &Mail,
    side: usize,
    model: &Model,
    file: Option<&PathBuf>,
    choice: &DeviceChoice,
) -> Result<(f64, usize), String> {
    let config = model.checkpoint.config();
    let which = Windows {
        // No count here, because a shorter text would be refused; what is too much is cut off below.
        count: None,
        length: config.max_positions.min(256),
        sampling: Sampling::Sequential,
        // As the model reads a prompt here.
        bos: if model.begin.is_some() { Bos::Each } else { Bos::None },
        seed: 0,
    };
    let mut cut = windows(model.tokenizer()?, &text(file)?, model.begin, &which).map_err(told)?;
    cut.truncate(WINDOWS);
    let device = device(choice).await?;
    let mut on_step = |done, total| mail.send(Message::Compared(side, Heard::Measuring(done, total)));
    let found = perplexity(&model.checkpoint, &cut, &device, &mut on_step).await.map_err(told)?;
    Ok((found.perplexity, found.tokens))
}

#[cfg(not(target_arch = "wasm32"))]
fn text(file: Option<&PathBuf>) -> Result<Vec<String>, String> {
    match file {
        Some(file) => slimgpt::text::read_documents(file, "text").map_err(told),
        None => Ok(vec![shipped::EVALUATION.to_owned()]),
    }
}

#[cfg(target_arch = "wasm32")]
fn text(_: Option<&PathBuf>) -> Result<Vec<String>, String> {
    Ok(vec![shipped::EVALUATION.to_owned()])
}
