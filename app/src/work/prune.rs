//! Carrying out a plan.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::device::{DeviceChoice, Peak};
use slimgpt::obs::{CpuExecutor, WgpuExecutor};
use slimgpt::pipeline::{Event, Flow, Job, LayerSink, Limits, PipelineError, Report, Request, plan, prune};
use web_time::Instant;

use super::control::Control;
use super::open::device;
use crate::findings::Outcome;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;

/// Everything a run needs.
pub struct Order {
    /// The model.
    pub model: Arc<Model>,
    /// Calibration.
    pub windows: Arc<Vec<Vec<u32>>>,
    /// What is asked for; planned again on the device that is opened.
    pub request: Request,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// The folder that appears in the end.
    pub out: PathBuf,
    /// Whether a finished result at this place may be replaced.
    pub overwrite: bool,
    /// Pause and stop.
    pub control: Control,
}

/// Runs it.
pub fn start(mail: &Mail, order: Order) {
    let back = mail.clone();
    platform::spawn(mail, move || async move {
        let outcome = run(&back, &order).await;
        back.send(Message::Pruned(outcome));
    });
}

async fn run(mail: &Mail, order: &Order) -> Result<Outcome, String> {
    let device = device(&order.device).await?;
    let checkpoint = &order.model.checkpoint;
    let plan =
        plan(&order.request, checkpoint.config(), &Limits::of(&device, Some(&order.out))).map_err(|e| e.to_string())?;
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let job = Job {
        checkpoint,
        windows: &order.windows,
        plan: &plan,
        device: &device,
        clock: &clock,
        memory: &Peak::unknown,
    };
    let mut observe = |event: Event| {
        mail.send(Message::Pruning(Box::new(event), clock()));
        order.control.flow()
    };
    match into(&job, order, &mut observe).await {
        Ok(report) => Ok(Outcome::Finished(Box::new(report))),
        Err(Failure::Run(PipelineError::Stopped { finished, layers })) => Ok(Outcome::Stopped(finished, layers)),
        Err(Failure::Run(error)) => Err(error.to_string()),
        Err(Failure::Folder(words)) => Err(words),
    }
}

enum Failure {
    Run(PipelineError),
    #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "a page makes no folders"))]
    Folder(String),
}

#[cfg(not(target_arch = "wasm32"))]
async fn into(job: &Job<'_>, order: &Order, observe: &mut dyn FnMut(Event) -> Flow) -> Result<Report, Failure> {
    use slimgpt::pipeline::{Opened, OutputFolder};
    if let Some(parent) = order.out.parent().filter(|p| !p.as_os_str().is_empty()) {
        slimgpt::disk::make_folder(parent).map_err(|e| Failure::Folder(e.to_string()))?;
    }
    let opened = OutputFolder::open(&order.out, job, order.overwrite);
    match opened.map_err(|e| Failure::Folder(e.to_string()))? {
        Opened::Work(mut folder) => execute(job, &mut folder, observe).await.map_err(Failure::Run),
        Opened::Finished(report) => Ok(*report),
    }
}

#[cfg(target_arch = "wasm32")]
async fn into(job: &Job<'_>, _: &Order, observe: &mut dyn FnMut(Event) -> Flow) -> Result<Report, Failure> {
    let mut sink = slimgpt::pipeline::MemorySink::default();
    execute(job, &mut sink, observe).await.map_err(Failure::Run)
}

async fn execute(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    observe: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    match job.device.is_gpu() {
        true => prune(job, &WgpuExecutor::new(job.device.tensor_device()), sink, observe).await,
        false => prune(job, &CpuExecutor::<f32>::new(), sink, observe).await,
    }
}
