//! The training that chooses, step by step: whoever drives it keeps its state where it outlives the process.

use serde::{Deserialize, Serialize};

use super::compresso::Compresso;
use super::loraprune::LoraPrune;
use super::{Choice, Chooser, STEPS, settings};
use crate::activations::Placement;
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::pipeline::{self, Limits};
use crate::recover::step::Trainer;
use crate::recover::{Data, Event, Flow, RecoverError, RecoveryPlan, Settings, adapter, plan, state};

/// How training chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choosing {
    /// By gradients of the factors (LoRAPrune).
    LoraGradients,
    /// By gates that are learnt with them (Compresso).
    Gates,
}

/// What a state of a training begins with. No file of tensors does: theirs begin with a length, which would be absurd.
const MARK: &[u8] = b"training\n";
/// Steps whose work may be lost when the process dies.
const KEPT_EVERY: usize = 10;

/// What is trained on, and how.
pub struct Lesson {
    settings: Settings,
    plan: RecoveryPlan,
    data: Data,
}

impl Lesson {
    /// Of the calibration windows, within `allowed` bytes of memory where so many are given.
    ///
    /// # Errors
    /// When the windows are too short to learn from, or nothing fits the device.
    pub fn new(
        checkpoint: &Checkpoint,
        windows: &[Vec<u32>],
        device: &Device,
        allowed: Option<u64>,
    ) -> Result<Self, RecoverError> {
        let settings = settings(checkpoint.config().max_positions);
        let data = Data::of_windows(windows, settings.window);
        if data.learnt.is_empty() {
            return Err(RecoverError::TooFew { examples: 0, held_out: 0 });
        }
        let limits = Limits::of(device, None).within(allowed);
        let plan = plan(&settings, checkpoint.config(), None, &limits)?;
        Ok(Self { settings, plan, data })
    }

    /// The same with less on the device, for one that had no room for it; `None` where there is no less.
    pub fn with_less_on_device(self) -> Option<Self> {
        let plan = self.plan.with_less_on_device()?;
        Some(Self { plan, ..self })
    }

    /// Sequences that go through a layer together, and where the inputs of all layers wait meanwhile.
    pub fn placed(&self) -> (usize, Placement) {
        (self.plan.micro_batch, self.plan.inputs.unwrap_or(Placement::Device))
    }
}

/// A training between two steps.
pub struct Training<'a> {
    lesson: &'a Lesson,
    trainer: Trainer<'a>,
    chooser: Box<dyn Chooser>,
    done: usize,
}

#[derive(Serialize, Deserialize)]
struct Progress {
    done: usize,
    chooser: serde_json::Value,
}

impl<'a> Training<'a> {
    /// Before the first step, of what `plan` says is to go; or where `kept` was, if that is a training's state.
    ///
    /// # Errors
    /// When the model cannot be read.
    pub fn new(
        checkpoint: &'a Checkpoint,
        lesson: &'a Lesson,
        plan: &pipeline::Plan,
        how: Choosing,
        device: &'a Device,
        kept: Option<&[u8]>,
    ) -> Result<Self, RecoverError> {
        let trainer = Trainer::new(checkpoint, None, &lesson.settings, &lesson.plan, device.tensor_device(), None)?;
        let chooser: Box<dyn Chooser> = match how {
            Choosing::LoraGradients => Box::new(LoraPrune::new(&plan.layers, checkpoint.config().head_dim)),
            Choosing::Gates => Box::new(Compresso::new(&plan.layers)),
        };
        let mut training = Self { lesson, trainer, chooser, done: 0 };
        if let Some(state) = kept.and_then(|kept| kept.strip_prefix(MARK)) {
            training.take_up(state).ok_or_else(|| {
                RecoverError::State("the state of the training, in the folder that ends in .partial,".into())
            })?;
        }
        Ok(training)
    }

    fn take_up(&mut self, state: &[u8]) -> Option<()> {
        let (progress, _) = state::decode::<Progress>(state, &mut self.trainer.learnt)?;
        self.done = progress.done;
        self.chooser.restore(progress.chooser).then_some(())
    }

    /// Whether these bytes are a state of a training, and not what one chose.
    pub fn is_state(bytes: &[u8]) -> bool {
        bytes.starts_with(MARK)
    }

    /// The state after the last step that was done.
    pub fn state(&self) -> Vec<u8> {
        let progress = Progress { done: self.done, chooser: self.chooser.state() };
        [MARK, &state::encode(&progress, &self.trainer.learnt, None)].concat()
    }

    /// Whether the state is to be kept now.
    pub fn is_keeping_due(&self) -> bool {
        self.done.is_multiple_of(KEPT_EVERY)
    }

    /// Whether no step is left.
    pub fn is_done(&self) -> bool {
        self.done >= STEPS
    }

    /// One step more; `watch` is told how many layers of how many were gone through. Stopped within, nothing is changed.
    ///
    /// # Errors
    /// When a loss is no number, or the device fails.
    pub async fn step(&mut self, watch: &mut dyn FnMut(usize, usize) -> Flow) -> Result<Flow, RecoverError> {
        let step = self.done + 1;
        self.trainer.gates = self.chooser.gates(step);
        let mut within = |event: Event| match event {
            Event::Layer { done, total } => watch((step - 1) * total + done, STEPS * total),
            _ => Flow::Continue,
        };
        let Lesson { data, settings, .. } = self.lesson;
        let examples = data.of_step(step - 1, settings);
        let Some(loss) = self.trainer.pull(&examples, step, &mut within).await? else { return Ok(Flow::Stop) };
        // Before anything is learnt of them: a mean that was no number once stays none.
        if !(loss.is_finite() && self.trainer.learnt.gradient_norm().is_finite()) {
            return Err(RecoverError::NotFinite {
                step,
                loss,
                sequences: "of the calibration".into(),
                kept: self.done,
            });
        }
        self.chooser.look(step, &self.trainer)?;
        self.trainer.update(loss, step, STEPS);
        self.done = step;
        Ok(Flow::Continue)
    }

    /// What was chosen, after the last step.
    pub fn choice(&self) -> Choice {
        Choice { scores: self.chooser.scores(), factors: adapter::named(&self.trainer.learnt) }
    }
}
