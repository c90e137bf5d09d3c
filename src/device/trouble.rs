//! What a driver says of its own accord, kept until results are read.
//!
//! A driver that has no room says so on a thread of burn's, while this one goes on handing it work. What
//! that work would have written cannot be read, and the error of the reading does not know why; where
//! only a part of the work was lost, a reading may even succeed. So whoever reads asks here first.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use super::readback::ReadbackError;

/// What the driver said first and nobody has heard yet.
static SAID: Mutex<Option<ReadbackError>> = Mutex::new(None);

/// Keeps what a driver said, unless something is kept already: what follows is a consequence.
#[cfg_attr(not(all(feature = "gpu", not(target_arch = "wasm32"))), allow(dead_code, reason = "nobody says anything"))]
fn keep(said: ReadbackError) {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
}

/// What was said since somebody asked last.
pub(super) fn take() -> Option<ReadbackError> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Listens to a device.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(super) fn listen(device: &wgpu::Device) {
    device.on_uncaptured_error(std::sync::Arc::new(|error: wgpu::Error| {
        keep(match error {
            wgpu::Error::OutOfMemory { .. } => ReadbackError::OutOfMemory,
            other => ReadbackError::lost(&other.to_string()),
        });
        // burn's thread has to leave the work undone, as it does by itself; but this way nothing prints.
        resume_unwind(Box::new("the driver refused"));
    }));
}

/// What `work` returns, or the trouble that a driver had meanwhile and that ended it. A fault of our
/// own ends the program as ever.
///
/// # Errors
/// With what the driver said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ReadbackError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(told)
}

/// As [`caught`], for work that waits.
///
/// # Errors
/// With what the driver said.
pub async fn caught_async<T>(work: impl Future<Output = T>) -> Result<T, ReadbackError> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| match caught(|| work.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(trouble) => std::task::Poll::Ready(Err(trouble)),
    })
    .await
}

fn told(panic: Box<dyn Any + Send>) -> ReadbackError {
    take().unwrap_or_else(|| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_kept_until_it_is_heard() {
        keep(ReadbackError::OutOfMemory);
        keep(ReadbackError::lost("a buffer is invalid"));
        let ended = caught(|| -> u8 { resume_unwind(Box::new("the driver refused")) });
        assert_eq!(ended, Err(ReadbackError::OutOfMemory));
        assert_eq!(take(), None);
        assert_eq!(caught(|| 3), Ok(3));
        // A fault of our own is not the driver's.
        assert!(catch_unwind(|| caught(|| -> u8 { resume_unwind(Box::new("ours")) })).is_err());
    }
}
