//! LongBench: a long prompt, a greedy answer, and how near it comes to the references.
//!
//! As in the original: a prompt that is too long loses its middle, no chat template is used, of the
//! few-shot answers only the first line counts, and a row's score is that of the best reference.

mod dataset;
mod run;

pub use dataset::{DATASETS, Dataset, Example, Measure};
pub use run::{Reply, reply, without_middle};
