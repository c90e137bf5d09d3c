//! Carrying out a plan.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::device::{DeviceChoice, Peak};
use slimgpt::pipeline::{Event, Flow, Job, Limits, PipelineError, Report, Request, plan};
use web_time::Instant;

use super::open::device;
use crate::control::Control;
use crate::findings::Outcome;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;
use crate::remedy::told;

/// Everything a run needs.
pub struct Order {
    /// The model that is pruned.
    pub model: Arc<Model>,
    /// Calibration windows, as token ids.
    pub windows: Arc<Vec<Vec<u32>>>,
    /// The files that the windows come from, which are not to be written over either.
    pub files: Vec<PathBuf>,
    /// What is asked for; planned again on the device that is opened.
    pub request: Request,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// The folder that appears in the end.
    pub out: PathBuf,
    /// Whether a finished result at this place may be replaced.
    pub overwrite: bool,
    /// What the run looks at to pause or to stop.
    pub control: Control,
}

/// Begins the run; its events and its end arrive as messages.
pub fn start(mail: &Mail, order: Order) {
    let (of, back) = (order.model.clone(), mail.clone());
    let ended = move |outcome| Message::Pruned(of, outcome);
    platform::spawn(mail, ended, move || async move { run(&back, &order).await });
}

async fn run(mail: &Mail, order: &Order) -> Result<Outcome, String> {
    let device = device(&order.device).await?;
    let checkpoint = &order.model.checkpoint;
    // The Plan screen planned without opening the device; what it can hold is known only now.
    let plan = plan(&order.request, checkpoint.config(), &Limits::of(&device, Some(&order.out))).map_err(told)?;
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let job = Job {
        checkpoint,
        windows: &order.windows,
        plan: &plan,
        scores: None,
        device: &device,
        clock: &clock,
        memory: &Peak::unknown,
        typed: None,
    };
    let mut observe = |event: Event| {
        // Told before a pause, so that the screen shows where the run waits.
        mail.send(Message::Pruning(Box::new(event), clock()));
        order.control.flow()
    };
    match into(&job, order, &mut observe).await {
        Ok(report) => Ok(Outcome::Finished(Box::new(report))),
        Err(Failure::Stopped(finished, layers)) => Ok(Outcome::Stopped(finished, layers)),
        Err(Failure::Told(words)) => Err(words),
    }
}

enum Failure {
    Stopped(usize, usize),
    Told(String),
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Stopped { finished, layers } => Self::Stopped(finished, layers),
            other => Self::Told(told(other)),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn into(job: &Job<'_>, order: &Order, observe: &mut dyn FnMut(Event) -> Flow) -> Result<Report, Failure> {
    use slimgpt::pipeline::FolderError;
    use slimgpt::place::{Kind, Place};
    use slimgpt::session::{SessionError, prune_to_folder};
    let reads: Vec<PathBuf> = order.model.reads().chain(order.files.clone()).collect();
    // An earlier result may be this very run's, which only the run itself knows.
    let asked = Place::new(&order.out, Kind::Pruned, true).ask(&reads);
    asked.map_err(|refused| Failure::Told(told(FolderError::from(refused))))?;
    match prune_to_folder(job, &order.out, order.overwrite, observe).await {
        Ok(pruned) => Ok(pruned.report),
        Err(SessionError::Pruning(error)) => Err(error.into()),
        Err(error) => Err(Failure::Told(told(error))),
    }
}

#[cfg(target_arch = "wasm32")]
async fn into(job: &Job<'_>, _: &Order, observe: &mut dyn FnMut(Event) -> Flow) -> Result<Report, Failure> {
    // A page has no disk: what was pruned stays in memory.
    let mut sink = slimgpt::pipeline::MemorySink::default();
    Ok(slimgpt::session::execute(job, &mut sink, observe).await?)
}
