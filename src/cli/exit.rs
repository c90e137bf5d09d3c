//! Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted and resumable.

use std::process::ExitCode;

use slimgpt::pipeline::{PipelineError, PlanError};

/// A mistake in what was typed, as opposed to one met on the way.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The exit code of a command; an error is printed, once.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    if matches!(error.downcast_ref(), Some(PipelineError::Stopped { .. })) {
        return ExitCode::from(130);
    }
    let usage = error.is::<Usage>() || matches!(error.downcast_ref::<PlanError>(), Some(e) if !matches!(e, PlanError::Memory(_)));
    ExitCode::from(if usage { 2 } else { 1 })
}
