//! Work on a thread of its own, beside what computes: there the next layer is read, and the finished one written. A page
//! has one thread, on which everything is done when it is begun.

#[cfg(not(target_arch = "wasm32"))]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
#[cfg(not(target_arch = "wasm32"))]
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// A thread that does one thing after the other.
pub(super) struct Aside {
    /// In a pool of its own: of the pool that widens blocks of numbers for all, every thread may be waiting for what is
    /// done here. `None` where there is no thread to have.
    #[cfg(not(target_arch = "wasm32"))]
    thread: Option<rayon::ThreadPool>,
}

impl Aside {
    /// A thread of this name.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn named(name: &'static str) -> Self {
        Self { thread: rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| name.into()).build().ok() }
    }

    /// A page has no other thread.
    #[cfg(target_arch = "wasm32")]
    pub fn named(_: &'static str) -> Self {
        Self {}
    }

    /// Whether there is such a thread.
    pub fn is_there(&self) -> bool {
        #[cfg(not(target_arch = "wasm32"))]
        {
            self.thread.is_some()
        }
        #[cfg(target_arch = "wasm32")]
        {
            false
        }
    }

    /// Begins a piece of work; where there is no thread it is done at once.
    pub fn begin<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(thread) = &self.thread {
            let (tell, hear) = channel();
            thread.spawn(move || {
                // What the work holds is let go before it is told: the end of a run leaves none of the model's files open.
                let done = catch_unwind(AssertUnwindSafe(work));
                let _ = tell.send(done);
            });
            return Pending(State::Going(Going(hear)));
        }
        Pending::done(work())
    }
}

/// What comes of a piece of work. Dropped, it waits: nobody reads or writes behind the end of a run.
pub struct Pending<T>(State<T>);

enum State<T> {
    Done(T),
    #[cfg(not(target_arch = "wasm32"))]
    Going(Going<T>),
}

impl<T> Pending<T> {
    /// Of work that is done already.
    pub fn done(value: T) -> Self {
        Self(State::Done(value))
    }

    /// Whether it is done. A panic there goes on here.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_done(&mut self) -> bool {
        let State::Going(going) = &self.0 else { return true };
        match going.0.try_recv() {
            Ok(told) => self.0 = State::Done(unwound(told)),
            Err(TryRecvError::Empty) => return false,
            // To be met where it is waited for.
            Err(TryRecvError::Disconnected) => {}
        }
        true
    }

    /// Whether it is done, as everything is on a page.
    #[cfg(target_arch = "wasm32")]
    pub fn is_done(&mut self) -> bool {
        true
    }

    /// What came of it, once it is done. A panic there goes on here.
    pub fn wait(self) -> T {
        match self.0 {
            State::Done(value) => value,
            #[cfg(not(target_arch = "wasm32"))]
            State::Going(going) => {
                unwound(going.0.recv().unwrap_or_else(|_| Err(Box::new("a thread ended in the middle of its work"))))
            }
        }
    }
}

/// Work that goes on.
#[cfg(not(target_arch = "wasm32"))]
struct Going<T>(Receiver<std::thread::Result<T>>);

#[cfg(not(target_arch = "wasm32"))]
impl<T> Drop for Going<T> {
    fn drop(&mut self) {
        // Of what was heard before, nothing more comes.
        let _ = self.0.recv();
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn unwound<T>(told: std::thread::Result<T>) -> T {
    told.unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn work_goes_on_beside_whoever_began_it_one_after_the_other() {
        let thread = Aside::named("test");
        let ((go, wait), order) = (channel::<()>(), Arc::new(AtomicUsize::new(0)));
        let next = || {
            let order = Arc::clone(&order);
            move || order.fetch_add(1, Ordering::SeqCst)
        };
        let (first, second) = (next(), next());
        let mut begun = thread.begin(move || {
            wait.recv().unwrap();
            first()
        });
        let mut later = thread.begin(second);
        assert!(!begun.is_done() && !later.is_done());
        go.send(()).unwrap();
        assert_eq!((later.wait(), begun.is_done(), begun.wait()), (1, true, 0));
    }

    #[test]
    fn without_a_thread_it_is_done_at_once() {
        let nowhere = Aside { thread: None };
        let mut begun = nowhere.begin(|| 7);
        assert!(!nowhere.is_there() && begun.is_done() && begun.wait() == 7);
    }

    #[test]
    fn what_nobody_waits_for_has_ended_all_the_same() {
        let thread = Aside::named("test");
        let ended = Arc::new(AtomicUsize::new(0));
        let inside = Arc::clone(&ended);
        drop(thread.begin(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            inside.store(1, Ordering::SeqCst);
        }));
        assert_eq!(ended.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_panic_goes_on_where_it_is_waited_for_and_the_thread_works_on() {
        let thread = Aside::named("test");
        let failed = || thread.begin(|| -> usize { resume_unwind(Box::new("in the middle")) });
        let waited = catch_unwind(AssertUnwindSafe(|| failed().wait())).unwrap_err();
        assert_eq!(waited.downcast_ref::<&str>(), Some(&"in the middle"));
        drop(failed());
        assert_eq!(thread.begin(|| 3).wait(), 3);
    }
}
