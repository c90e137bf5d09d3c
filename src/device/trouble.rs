//! What a driver says of its own accord, kept until results are read.
//!
//! A driver that has no room says so on a thread of burn's, while this one goes on handing it work. What
//! that work would have written cannot be read, and the error of the reading does not know why; where
//! only a part of the work was lost, a reading may even succeed. So whoever reads asks here first.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use super::lost::ReadbackError;

/// What the drivers said.
static SAID: Said = Said(Mutex::new(None));

/// What was said first and nobody has heard yet.
struct Said(Mutex<Option<ReadbackError>>);

impl Said {
    /// Keeps what a driver said, unless something is kept already: what follows is a consequence. Whether
    /// it is the first.
    #[cfg_attr(
        not(all(feature = "gpu", not(target_arch = "wasm32"))),
        allow(dead_code, reason = "nobody says anything")
    )]
    fn keep(&self, said: ReadbackError) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = kept.is_none();
        kept.get_or_insert(said);
        is_first
    }

    fn take(&self) -> Option<ReadbackError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What a panic is about; a fault of our own goes on as one.
    fn told(&self, panic: Box<dyn Any + Send>) -> ReadbackError {
        self.take().unwrap_or_else(|| resume_unwind(panic))
    }
}

/// What was said since somebody asked last.
pub(super) fn take() -> Option<ReadbackError> {
    SAID.take()
}

/// Listens to a device.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(super) fn listen(device: &wgpu::Device) {
    device.on_uncaptured_error(std::sync::Arc::new(|error: wgpu::Error| {
        let is_out_of_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
        let is_first = SAID.keep(match is_out_of_memory {
            true => ReadbackError::OutOfMemory,
            false => ReadbackError::lost(&error.to_string()),
        });
        // burn's thread has to leave the work undone, as it does by itself. What is no want of memory is a
        // fault of ours, which is shown; whatever else is told by whoever reads the results.
        if is_first && !is_out_of_memory {
            panic!("wgpu error: {error}");
        }
        resume_unwind(Box::new("the driver refused"));
    }));
}

/// What `work` returns, or the trouble that a driver had meanwhile and that ended it. A fault of our
/// own ends the program as ever.
///
/// # Errors
/// With what the driver said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ReadbackError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| SAID.told(panic))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_kept_until_it_is_heard() {
        // Not the one of all: other tests read results meanwhile.
        let said = Said(Mutex::new(None));
        assert!(said.keep(ReadbackError::OutOfMemory));
        assert!(!said.keep(ReadbackError::lost("a buffer is invalid")));
        assert_eq!(said.told(Box::new("the driver refused")), ReadbackError::OutOfMemory);
        assert_eq!(said.take(), None);
        // A fault of our own is not the driver's.
        assert!(catch_unwind(AssertUnwindSafe(|| said.told(Box::new("ours")))).is_err());
        assert_eq!(caught(|| 3), Ok(3));
    }
}
