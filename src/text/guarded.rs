//! Code of others that panics over some files: caught, quiet, and an error like any other.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught and told by its error.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static QUIET: Once = Once::new();

/// What `work` returns, or what it panicked with. Where panics end the program at once (a page),
/// this one does too.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // "thread main panicked at …" is for faults of our own; this one is told in words.
            if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    let before = GUARDED.replace(true);
    // What is broken inside is not used again by whoever gets the error, or is only read.
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.map_err(|panic| words(panic.as_ref()))
}

/// The message of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it failed without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(
            guarded(|| [0; 2][std::hint::black_box(2)]).unwrap_err(),
            "index out of bounds: the len is 2 but the index is 2"
        );
        assert_eq!(guarded(|| -> u8 { panic!("{}", 1) }), Err("1".into()));
        // Also where one stands in another, the outer stays guarded.
        assert!(guarded(|| guarded(|| -> u8 { panic!("inner") }).unwrap_err()).is_ok_and(|e| e == "inner"));
        assert!(!GUARDED.get());
    }
}
