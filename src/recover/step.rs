//! One step: forward and back through the layers, one update.

use burn::tensor::{Device as TensorDevice, Tensor};

use super::batches::batches;
use super::learnt::Learnt;
use super::teacher::Teacher;
use super::{Event, Example, Flow, RecoverError, RecoveryPlan, Settings, StepRecord, rate};
use crate::activations::{Placement, SharedSpill};
use crate::checkpoint::{Checkpoint, OuterWeights};
use crate::device::readback::floats;
use crate::gradient::{Batch, HeadWanted, Keep, Loss, Outcome, Pass};
use crate::model::{Block, Dropout, Gates, Head};

/// The model that learns, where it is computed.
pub(super) struct Trainer<'a> {
    pub checkpoint: &'a Checkpoint,
    pub settings: &'a Settings,
    pub plan: &'a RecoveryPlan,
    pub device: &'a TensorDevice,
    pub spill: SharedSpill,
    pub learnt: Learnt,
    outer: OuterWeights,
    /// As it was read.
    head: Head,
    teacher: Option<Teacher<'a>>,
    resident: Vec<Option<Block>>,
    /// By layer, factors at heads and channels; none where all stand open.
    pub gates: Vec<[Vec<f32>; 2]>,
    /// The gradients at them, of the step that is going on.
    pub at_gates: Vec<[Vec<f32>; 2]>,
}

/// Tells how many of how many layers were gone through, and asks whether to go on.
type Watch<'w> = &'w mut dyn FnMut(Event) -> Flow;

impl<'a> Trainer<'a> {
    pub fn new(
        checkpoint: &'a Checkpoint,
        teacher: Option<&'a Checkpoint>,
        settings: &'a Settings,
        plan: &'a RecoveryPlan,
        device: &'a TensorDevice,
        spill: SharedSpill,
    ) -> Result<Self, RecoverError> {
        let teacher = teacher.map(|teacher| Teacher::new(teacher, device)).transpose()?;
        let resident = vec![None; checkpoint.config().layers.len()];
        let learnt = Learnt::new(checkpoint, settings)?;
        let outer = checkpoint.outer()?;
        let head = Head::load(&outer, checkpoint.config(), device);
        let (gates, at_gates) = (Vec::new(), vec![Default::default(); resident.len()]);
        Ok(Self { learnt, outer, head, checkpoint, settings, plan, device, spill, teacher, resident, gates, at_gates })
    }

    /// Learns from the examples; `step` counts from 1. `None` if it was stopped within, and nothing was changed.
    pub async fn step(
        &mut self,
        examples: &[&Example],
        step: usize,
        steps: usize,
        watch: Watch<'_>,
    ) -> Result<Option<StepRecord>, RecoverError> {
        let loss = self.pull(examples, step, watch).await?;
        Ok(loss.map(|loss| self.update(loss, step, steps)))
    }

    /// The loss of the examples and its gradients, which wait for the update; `None` if it was stopped within.
    pub async fn pull(
        &mut self,
        examples: &[&Example],
        step: usize,
        watch: Watch<'_>,
    ) -> Result<Option<f64>, RecoverError> {
        let dropout = Dropout { share: self.settings.dropout, seed: self.settings.seed as u32 };
        // Every step drops others, and a step that is done again the same.
        let dropout = (self.settings.dropout > 0.0).then_some(dropout.at(step as u32));
        let batches = batches(examples, self.plan.micro_batch, dropout);
        let layers = self.resident.len();
        let mut told = Told { done: 0, total: 2 * layers, watch };
        let Some((mut pass, outcome)) = self.forward(&batches, self.plan.keep(), &mut told).await? else {
            return Ok(None);
        };
        for layer in (0..layers).rev() {
            let block = self.block(layer)?;
            let mut back = pass.backward(layer, &block).await?;
            for (found, gate) in self.at_gates[layer].iter_mut().zip(&mut back.gradients.gates) {
                if let Some(gate) = gate.take() {
                    *found = floats(gate).await?;
                }
            }
            // To the host at once: on the device there are never the gradients of more than one layer.
            self.learnt.take_layer(layer, back.gradients).await?;
            if told.stops() {
                return Ok(None);
            }
        }
        let embedding = if self.learnt.has_embedding() { Some(pass.at_embedding().await?) } else { None };
        self.learnt.take_outer(outcome.head, embedding).await?;
        Ok(Some(outcome.loss))
    }

    /// The step against the gradients that were pulled back, if they and the loss are numbers.
    pub fn update(&mut self, loss: f64, step: usize, steps: usize) -> StepRecord {
        let gradient_norm = self.learnt.gradient_norm();
        let rate = self.settings.rate * rate(step - 1, steps, self.settings.warm_up);
        if loss.is_finite() && gradient_norm.is_finite() {
            // As torch clips: the small addend keeps a gradient of zero.
            let shortened = (self.settings.clip / (gradient_norm + 1e-6)).min(1.0);
            self.learnt.step(step, rate, shortened);
        }
        StepRecord { step, loss, gradient_norm, rate }
    }

    /// The mean loss of examples that are only looked at; `None` if it was stopped within.
    pub async fn look(&mut self, examples: &[&Example], watch: Watch<'_>) -> Result<Option<f64>, RecoverError> {
        // As large as a step, for which the memory was planned.
        let groups: Vec<&[&Example]> = examples.chunks(self.settings.batch).collect();
        let total = groups.len() * self.resident.len();
        let (mut told, mut sum, mut tokens) = (Told { done: 0, total, watch }, 0.0, 0);
        for group in groups {
            let counted = group.iter().map(|example| example.counted()).sum::<usize>();
            // Nothing is dropped, so equal numbers have equal losses.
            let batches = batches(group, self.plan.micro_batch, None);
            let Some((_, outcome)) = self.forward(&batches, Keep::Nothing, &mut told).await? else { return Ok(None) };
            // The tokens of a group weigh one together.
            sum += outcome.loss * counted as f64;
            tokens += counted;
        }
        Ok(Some(sum / tokens.max(1) as f64))
    }

    async fn forward<'b>(
        &mut self,
        batches: &'b [Batch],
        keep: Keep,
        told: &mut Told<'_>,
    ) -> Result<Option<(Pass<'b>, Outcome)>, RecoverError>
    where
        'a: 'b,
    {
        let place = self.hidden_place();
        // The teacher first and as a whole: of it only the hidden states behind its last layer stay on the device.
        let mut taught = match &self.teacher {
            Some(teacher) => Some(teacher.expect(batches, place, &self.spill).await?),
            None => None,
        };
        let mut pass = Pass::new(self.checkpoint.config(), batches, self.device, keep, place, &self.spill)?;
        // With factors only, what stands outside the layers stays as it is: it is neither copied nor uploaded again.
        let learnt = self.learnt.has_outer().then(|| self.learnt.merged_outer(self.outer.clone()));
        pass.embed(&learnt.as_ref().unwrap_or(&self.outer).embedding).await?;
        for layer in 0..self.resident.len() {
            let block = self.block(layer)?;
            pass.forward(layer, &block).await?;
            if told.stops() {
                return Ok(None);
            }
        }
        let head = match &learnt {
            Some(outer) => Head::load(outer, self.checkpoint.config(), self.device),
            None => self.head.clone(),
        };
        let wanted = if keep == Keep::Nothing { HeadWanted::default() } else { self.learnt.head_wanted() };
        let teacher = taught.as_mut().zip(self.teacher.as_ref()).map(|(pass, teacher)| (pass, &teacher.head));
        let outcome = pass.score(&head, self.loss(), teacher, wanted).await?;
        Ok(Some((pass, outcome)))
    }

    /// Hidden states lie where every layer's inputs do.
    fn hidden_place(&self) -> Placement {
        self.plan.inputs.unwrap_or(Placement::Device)
    }

    fn loss(&self) -> Loss {
        let Settings { teacher, temperature, .. } = *self.settings;
        Loss { labels: 1.0 - teacher, teacher, temperature }
    }

    /// A layer with what is learnt in it.
    fn block(&mut self, layer: usize) -> Result<Block, RecoverError> {
        let base = match &self.resident[layer] {
            Some(block) => block.clone(),
            None => {
                let block = Block::read(layer, self.checkpoint, self.device)?;
                // The layer as it was read; what is learnt is put into it anew, since it changes with every step.
                if self.plan.is_resident {
                    self.resident[layer] = Some(block.clone());
                }
                block
            }
        };
        let mut block = self.learnt.block(layer, base, self.device);
        block.gates = self.gates.get(layer).map(|[heads, channels]| {
            let factors = |values: &Vec<f32>| Tensor::from_floats(values.as_slice(), self.device);
            Gates::new(factors(heads), factors(channels))
        });
        Ok(block)
    }
}

/// Counts the layers of a pass for whoever watches.
struct Told<'w> {
    done: usize,
    total: usize,
    watch: Watch<'w>,
}

impl Told<'_> {
    /// One layer more; whether to stop here.
    fn stops(&mut self) -> bool {
        self.done += 1;
        (self.watch)(Event::Layer { done: self.done, total: self.total }) == Flow::Stop
    }
}
