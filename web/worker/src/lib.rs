//! What the lessons on a model compute, for the page's worker.

pub mod protocol;
