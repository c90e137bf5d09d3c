//! The dense model that teaches: its hidden states behind the last layer, one layer on the device at a time.

use burn::tensor::Device;

use super::RecoverError;
use crate::activations::{Placement, SharedSpill};
use crate::checkpoint::{Checkpoint, HostTensor};
use crate::gradient::{Batch, Keep, Pass};
use crate::model::{Block, Head};

/// A model that is only asked.
pub(super) struct Teacher<'a> {
    checkpoint: &'a Checkpoint,
    device: &'a Device,
    embedding: HostTensor,
    pub head: Head,
}

impl<'a> Teacher<'a> {
    pub fn new(checkpoint: &'a Checkpoint, device: &'a Device) -> Result<Self, RecoverError> {
        let outer = checkpoint.outer()?;
        let head = Head::load(&outer, checkpoint.config(), device);
        Ok(Self { checkpoint, device, embedding: outer.embedding, head })
    }

    /// The batches behind its last layer.
    pub async fn expect<'b>(
        &self,
        batches: &'b [Batch],
        place: Placement,
        spill: &SharedSpill,
    ) -> Result<Pass<'b>, RecoverError>
    where
        'a: 'b,
    {
        let config = self.checkpoint.config();
        let mut pass = Pass::new(config, batches, self.device, Keep::Nothing, place, spill)?.named("taught");
        pass.embed(&self.embedding).await?;
        for layer in 0..config.layers.len() {
            // Brought for every step: what the plan lets stay on the device are the layers of the model that learns.
            let block = Block::read(layer, self.checkpoint, self.device)?;
            pass.forward(layer, &block).await?;
        }
        Ok(pass)
    }
}
