//! What can go wrong in a recovery.

use crate::activations::CacheError;
use crate::checkpoint::{ReadError, WriteError};
use crate::device::readback::ReadbackError;
use crate::disk::DiskError;
use crate::format::bytes;
use crate::gradient::GradientError;
use crate::pipeline::{FolderError, MemoryError};
use crate::remedy::{Remedied, Remedy};
use crate::text::TextError;

/// Why a recovery ended early, or did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The observer said stop. Not a fault: the same run goes on from its state.
    #[error("stopped after {done} of {steps} steps; the same command goes on from there")]
    Stopped {
        /// Steps whose state is kept.
        done: usize,
        /// Steps in all.
        steps: usize,
    },
    /// Nothing is left to learn from, or to look at.
    #[error(
        "the data has {examples} usable rows or windows, of which {held_out} would be held out: nothing is left to learn from"
    )]
    TooFew {
        /// Sequences that there are.
        examples: usize,
        /// Of them held out.
        held_out: usize,
    },
    /// The tokenizer does not say what ends a text.
    #[error(
        "the model has no end token: neither eos_token in tokenizer_config.json nor eos_token_id in config.json; without \
         one it cannot learn where a response ends"
    )]
    NoEnd,
    /// A setting cannot be.
    #[error("{what} is {value}; {wanted}")]
    Setting {
        /// Which.
        what: &'static str,
        /// As it is.
        value: String,
        /// What it could be.
        wanted: String,
    },
    /// The teacher reads other tokens.
    #[error(
        "the teacher has {teacher} embeddings and the model {student}: the teacher must be of the same family and tokenizer, as the \
         dense model that was pruned"
    )]
    OtherTeacher {
        /// Rows of the teacher's embedding.
        teacher: usize,
        /// Rows of the model's.
        student: usize,
    },
    /// A loss is not a number.
    #[error(
        "step {step}: the loss is {loss} (sequences {sequences}); the state after step {kept} stays: the same command \
         with a lower learning rate begins anew"
    )]
    NotFinite {
        /// The step, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// Which of the sequences were learnt in it.
        sequences: String,
        /// The last step whose state is kept.
        kept: usize,
    },
    /// A matrix is larger than the device binds.
    #[error(transparent)]
    Binding(#[from] MemoryError),
    /// It does not fit the memory.
    #[error("a step needs {} {place}, and {} may be used: {parts}", bytes(*.needed), bytes(*.budget))]
    Memory {
        /// On the device, or in the host's memory.
        place: &'static str,
        /// Bytes at the worst moment.
        needed: u64,
        /// Bytes that may be used.
        budget: u64,
        /// What they are for.
        parts: String,
    },
    /// The state that was kept is damaged.
    #[error("{0} is damaged; delete its folder and run the same command again")]
    State(String),
    /// An adapter was asked for that peft would not open.
    #[error(
        "a {0:?} keeps several projections in one matrix, and an adapter has factors for each by itself, which peft does \
         not find there: the recovered folder has them merged, and there is no adapter beside it"
    )]
    Fused(crate::shape::Family),
    /// The gradients could not be computed.
    #[error(transparent)]
    Gradient(#[from] GradientError),
    /// The device lost its work.
    #[error(transparent)]
    Device(#[from] ReadbackError),
    /// A text or the tokenizer cannot be used.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be encoded or written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The disk refused something.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The output folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl RecoverError {
    /// Whether the device had no room for what was to be computed.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(
            self,
            Self::Device(ReadbackError::OutOfMemory)
                | Self::Gradient(
                    GradientError::Readback(ReadbackError::OutOfMemory)
                        | GradientError::Cache(CacheError::Readback(ReadbackError::OutOfMemory))
                )
        )
    }
}

impl Remedied for RecoverError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Device(error) | Self::Gradient(GradientError::Readback(error)) => error.remedy(),
            Self::Binding(error) => error.remedy(),
            Self::Text(error) => error.remedy(),
            Self::Write(error) => error.remedy(),
            Self::Folder(error) => error.remedy(),
            // One layer forward and back is what is left on a device when all else is elsewhere.
            Self::Memory { .. } => Some(Remedy::LearnLess),
            _ => None,
        }
    }
}
