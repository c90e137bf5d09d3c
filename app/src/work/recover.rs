//! Recovery: what would be learnt, shown; and the learning itself.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{DeviceChoice, Peak};
use slimgpt::pipeline::{FolderError, Limits};
use slimgpt::place::{Kind, Place};
use slimgpt::recover::{Data, Event, Example, Job, RecoverError, Settings, plan};
use slimgpt::session::{RecoverySessionError, examples, recover_to_folder};
use slimgpt::text::{Files, Tokenizer};
use web_time::Instant;

use super::open::{device, found};
use crate::control::Control;
use crate::findings::{Asked, Ended, Lessons};
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::places::Places;
use crate::platform;
use crate::remedy::told;

/// Examples that are shown.
const SHOWN: usize = 3;

/// Everything a recovery needs.
pub struct Order {
    /// The model that learns.
    pub model: Arc<Model>,
    /// What it learns from.
    pub data: Arc<Data>,
    /// The files of it.
    pub files: Vec<PathBuf>,
    /// The folder of the dense model that teaches, if one does.
    pub teacher: Option<PathBuf>,
    /// Where its model may lie.
    pub places: Places,
    /// What is asked for.
    pub settings: Settings,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// The folder that appears in the end.
    pub out: PathBuf,
    /// Whether a finished result at this place may be replaced.
    pub overwrite: bool,
    /// What it looks at to pause or to stop.
    pub control: Control,
}

/// Reads the files as they would be learnt from.
pub fn read(mail: &Mail, model: Arc<Model>, asked: Asked) {
    let of = asked.clone();
    let ended = move |lessons| Message::Lessons(of, lessons);
    platform::spawn(mail, ended, move || async move { lessons(&model, &asked.files, &asked.settings) });
}

fn lessons(model: &Model, files: &[PathBuf], settings: &Settings) -> Result<Lessons, String> {
    let tokenizer = model.tokenizer()?;
    let folder = model.folder().ok_or("a model in memory has no files that say what ends a text")?;
    let files = Files { paths: files, key: "text", documents: None };
    let source = examples(files, None, folder, &model.checkpoint, tokenizer).map_err(told)?;
    let data = Data::read(&source, settings).map_err(told)?;
    let shown = data.learnt.iter().take(SHOWN).map(|example| stretches(tokenizer, example)).collect();
    Ok(Lessons { data: Arc::new(data), shown })
}

/// The text of an example, cut where learning begins or ends.
fn stretches(tokenizer: &Tokenizer, example: &Example) -> Vec<(String, bool)> {
    let mut found: Vec<(Vec<u32>, bool)> = Vec::new();
    // Nothing predicts the first token.
    let counts = std::iter::once(false).chain(example.counts.iter().copied());
    for (&token, counts) in example.tokens.iter().zip(counts) {
        match found.last_mut().filter(|last| last.1 == counts) {
            Some(last) => last.0.push(token),
            None => found.push((vec![token], counts)),
        }
    }
    let text = |tokens: &[u32]| tokenizer.decode(tokens).unwrap_or_else(|error| error.to_string());
    found.into_iter().map(|(tokens, counts)| (text(&tokens), counts)).collect()
}

/// Begins; its events and its end arrive as messages.
pub fn start(mail: &Mail, order: Order) {
    let back = mail.clone();
    platform::spawn(mail, Message::Recovered, move || async move { run(&back, &order).await });
}

async fn run(mail: &Mail, order: &Order) -> Result<Ended, String> {
    let device = device(&order.device).await?;
    let checkpoint = &order.model.checkpoint;
    let reads: Vec<PathBuf> = order.model.reads().chain(order.files.clone()).chain(order.teacher.clone()).collect();
    // Whether it may be replaced only the run itself knows: what stands there may be its own.
    let asked = Place::new(&order.out, Kind::Recovered, true).ask(&reads);
    asked.map_err(|refused| told(FolderError::from(refused)))?;
    let teacher = order.teacher.as_deref().map(|path| found(path, &order.places)?.open().map_err(told)).transpose()?;
    let taught_by = teacher.as_ref().map(Checkpoint::config);
    let limits = Limits::of(&device, Some(&order.out));
    let plan = plan(&order.settings, checkpoint.config(), taught_by, &limits).map_err(told)?;
    let sources: Vec<String> = order.files.iter().map(|file| file.display().to_string()).collect();
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let job = Job {
        checkpoint,
        teacher: teacher.as_ref(),
        data: &order.data,
        sources: &sources,
        settings: &order.settings,
        plan: &plan,
        device: &device,
        clock: &clock,
        memory: &Peak::unknown,
        typed: None,
    };
    let mut observe = |event: Event| {
        // Told before a pause, so that the screen shows where it waits.
        mail.send(Message::Recovering(Box::new(event), clock()));
        order.control.flow()
    };
    match recover_to_folder(&job, &order.out, None, order.overwrite, &mut observe).await {
        Ok(record) => Ok(Ended::Finished(Box::new(record))),
        Err(RecoverySessionError::Recovery(RecoverError::Stopped { done, steps })) => Ok(Ended::Stopped(done, steps)),
        Err(error) => Err(told(error)),
    }
}
