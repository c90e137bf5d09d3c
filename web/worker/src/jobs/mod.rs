//! What the worker computes: every library call as the command line makes it.

mod depth;
mod failure;
mod generate;
mod layer;
mod measure;
mod model;
mod prune;
mod texts;

use std::collections::VecDeque;

use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::eval::Perplexity;

pub use failure::Failure;
pub use model::{FILES, Model, Named};

use crate::protocol::{Answer, Eval, Job, On, Progress, Request, Which};

/// Pruned models that are kept; of more, the oldest goes.
const KEPT: usize = 4;

/// Who hears how far a job is.
pub type Tell<'a> = &'a mut dyn FnMut(Progress);

/// What a job came to.
#[derive(Debug)]
pub enum Done {
    /// Words and numbers.
    Answer(Answer),
    /// Files, which no message holds.
    Files(Vec<Named>),
}

/// The shipped model on a device, and what was made of it.
pub struct Worker {
    model: Model,
    device: Device,
    /// What the dense model was measured to have, by how it was measured.
    dense: Vec<(Eval, Perplexity)>,
    kept: VecDeque<Kept>,
}

/// A pruned model that later jobs may ask for.
struct Kept {
    number: u32,
    checkpoint: Checkpoint,
    files: Vec<Named>,
}

impl Worker {
    /// On a GPU if there is one that works and it is not to be left alone, else on the CPU.
    ///
    /// # Errors
    /// When neither can be opened.
    pub async fn open(model: Model, cpu: bool) -> Result<Self, Failure> {
        let choice = if cpu { DeviceChoice::Cpu } else { DeviceChoice::Auto };
        let device = Device::open(&choice).await.map_err(Failure::refused)?;
        Ok(Self::on(model, device))
    }

    /// On this device.
    pub fn on(model: Model, device: Device) -> Self {
        Self { model, device, dense: Vec::new(), kept: VecDeque::new() }
    }

    /// Where it computes.
    pub fn device(&self) -> On {
        On { gpu: self.device.is_gpu(), name: self.device.name().to_owned() }
    }

    /// Does a job.
    ///
    /// # Errors
    /// When it is refused, or the device fails.
    pub async fn answer(&mut self, request: &Request, tell: Tell<'_>) -> Result<Done, Failure> {
        let answer = match &request.job {
            Job::Prune(asked) => Answer::Pruned(Box::new(self.prune(request.id, asked, tell).await?)),
            Job::Generate(asked) => Answer::Text(self.generate(asked, tell).await?),
            Job::Depth { runs } => Answer::Depth(self.depth(runs, tell).await?),
            Job::Layer(asked) => Answer::Layer(layer::scored(&self.model, asked).await?),
            Job::Download { number } => return Ok(Done::Files(self.files(*number)?)),
        };
        Ok(Done::Answer(answer))
    }

    fn keep(&mut self, kept: Kept) {
        self.kept.push_back(kept);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    fn pruned(&self, number: u32) -> Result<&Kept, Failure> {
        let gone = || Failure::refused("this pruned model is not kept any more; prune it again");
        self.kept.iter().find(|kept| kept.number == number).ok_or_else(gone)
    }

    fn checkpoint(&self, which: Which) -> Result<&Checkpoint, Failure> {
        match which {
            Which::Dense => Ok(&self.model.checkpoint),
            Which::Pruned(number) => Ok(&self.pruned(number)?.checkpoint),
        }
    }

    fn files(&self, number: u32) -> Result<Vec<Named>, Failure> {
        Ok(self.pruned(number)?.files.iter().chain(self.model.belongings()).cloned().collect())
    }
}
