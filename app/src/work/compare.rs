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

use super::open::device;
use super::turns::{Place, places};
use crate::control::{Control, Wish};
use crate::findings::Heard;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;
use crate::remedy::told;

/// Most windows that a text is judged on.
const WINDOWS: usize = 64;

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

/// One of the two, on its way to the window.
#[derive(Clone)]
struct Voice {
    mail: Mail,
    of: Control,
    side: usize,
}

impl Voice {
    fn message(&self, heard: Heard) -> Message {
        Message::Compared(self.of.clone(), self.side, heard)
    }

    fn say(&self, heard: Heard) {
        self.mail.send(self.message(heard));
    }
}

/// The voices of both, each with its model and its place.
fn voices(mail: &Mail, of: &Control, models: [Arc<Model>; 2]) -> impl Iterator<Item = (Voice, Arc<Model>, Place)> {
    let (mail, of) = (mail.clone(), of.clone());
    let both = models.into_iter().zip(places()).enumerate();
    both.map(move |(side, (model, place))| (Voice { mail: mail.clone(), of: of.clone(), side }, model, place))
}

/// Lets both models go on with the prompt.
pub fn write(mail: &Mail, models: [Arc<Model>; 2], writing: &Writing) {
    for (voice, model, place) in voices(mail, &writing.control, models) {
        let (last, writing) = (voice.clone(), writing.clone());
        let ended = move |said| last.message(Heard::Silent(said));
        platform::spawn(mail, ended, move || async move { continued(&voice, &model, &writing, place).await });
    }
}

/// Keeps the place until there is nothing more to write.
async fn continued(voice: &Voice, model: &Model, writing: &Writing, place: Place) -> Result<(), String> {
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
    place.take();
    let mut since = Instant::now();
    let config = model.checkpoint.config();
    let mut on_token = |token| {
        heard.seconds += since.elapsed().as_secs_f64();
        let goes_on = heard.token(token, tokenizer, voice) && writing.control.wish() != Wish::Stop;
        // While the other has the turn no time is counted.
        place.pass();
        place.take();
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
    fn token(&mut self, token: u32, tokenizer: &Tokenizer, voice: &Voice) -> bool {
        self.all.push(token);
        self.tokens += 1;
        match tokenizer.decode(&self.all) {
            Ok(text) => {
                // Half a character waits for its other half.
                let whole = text.trim_end_matches('\u{fffd}').to_owned();
                voice.say(Heard::Text(whole, self.tokens, self.seconds));
                true
            }
            Err(error) => {
                self.broken = Some(error.to_string());
                false
            }
        }
    }
}

/// Measures both on a text, the first one first.
pub fn measure(mail: &Mail, of: &Control, models: [Arc<Model>; 2], file: Option<&PathBuf>, choice: &DeviceChoice) {
    for (voice, model, place) in voices(mail, of, models) {
        let (last, file, choice) = (voice.clone(), file.cloned(), choice.clone());
        let ended = move |found| last.message(Heard::Perplexity(found));
        platform::spawn(mail, ended, move || async move {
            // The second has its turn when the first has left its place.
            place.take();
            let found = measured(&voice, &model, file.as_ref(), &choice).await;
            drop(place);
            found
        });
    }
}

async fn measured(
    voice: &Voice,
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
    let mut on_step = |done, total| voice.say(Heard::Measuring(done, total));
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
