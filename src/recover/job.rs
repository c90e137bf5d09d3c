//! What a recovery works with, and what follows from it alone.

use serde_json::{Map, Value, json};

use super::{Data, RecoverError, RecoveryPlan, Settings};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Peak};
use crate::pipeline::{Fingerprint, Typed};

/// What a recovery works with.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The model that learns.
    pub checkpoint: &'a Checkpoint,
    /// The dense model that teaches, if one does.
    pub teacher: Option<&'a Checkpoint>,
    /// What it learns from.
    pub data: &'a Data,
    /// What the data is called.
    pub sources: &'a [String],
    /// What was asked for.
    pub settings: &'a Settings,
    /// Where everything lies.
    pub plan: &'a RecoveryPlan,
    /// Where it is computed.
    pub device: &'a Device,
    /// Seconds since any fixed moment; the library has no clock of its own.
    pub clock: &'a dyn Fn() -> f64,
    /// The most memory seen in use so far.
    pub memory: &'a dyn Fn() -> Peak,
    /// What was typed to start it.
    pub typed: Option<&'a Typed>,
}

impl Job<'_> {
    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.settings.length.steps(self.data.learnt.len(), self.settings.batch)
    }

    /// What decides the bytes of the result. Where things lie decides nothing, but batches of other sizes add in
    /// another order.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, RecoverError> {
        let mut entries = Map::new();
        let mut put = |name: &str, value: Value| entries.insert(name.into(), value);
        put("command", json!("recover"));
        put("version", json!(env!("CARGO_PKG_VERSION")));
        put("source", Fingerprint::files_of(self.checkpoint)?);
        put("teacher", self.teacher.map(Fingerprint::files_of).transpose()?.unwrap_or(Value::Null));
        // Beside the weights' files: the base of the angles, for one, stands only there.
        put("config", self.checkpoint.raw_config().clone());
        put("data", json!(self.data.sha256()));
        put("settings", json!(self.settings));
        put("micro_batch", json!(self.plan.micro_batch));
        // Other devices have other last bits.
        put("device", json!(self.device.name()));
        Ok(Fingerprint::new(entries))
    }
}
