//! A process that works for the first of several: whatever that begins, until it lets this one go.

use super::processes::follow;
use crate::device::{Device, caught};
use crate::eval::{EvalError, log_likelihoods_following};
use crate::ranks::{Post, Ranks, RanksError, Task, serve};

/// Does this process's part of all work that the first of them begins, on a device that it opens for it.
///
/// # Errors
/// With what went wrong here, where the first does not hear of it in time.
pub fn work_for_first(post: &dyn Post) -> Result<(), RanksError> {
    let mut device = None;
    serve(post, |task, ranks| {
        // What a driver refuses may come as an unwinding, wherever its results were wanted.
        let work = || do_part(task, ranks, post, &mut device);
        caught(work).unwrap_or_else(|trouble| Err(RanksError::Failed(trouble.to_string())))
    })
}

fn do_part(task: Task, ranks: &dyn Ranks, post: &dyn Post, device: &mut Option<Device>) -> Result<(), RanksError> {
    let opened = || device.as_ref().ok_or(RanksError::OutOfStep("a device to open"));
    match task {
        Task::Open => {
            *device = Some(Device::open_following(ranks, post.machine())?);
            Ok(())
        }
        Task::Measure => pollster::block_on(log_likelihoods_following(ranks, opened()?)).map_err(told),
        Task::Prune => follow(ranks, opened()?),
    }
}

/// What went wrong at a measurement, as another process can be told.
fn told(error: EvalError) -> RanksError {
    match error {
        EvalError::Ranks(RanksError::Ended) => RanksError::Ended,
        other => RanksError::Failed(other.to_string()),
    }
}
