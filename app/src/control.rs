//! Pause, go on, stop: what the window tells the worker, looked at between two events.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use slimgpt::pipeline::Flow;

/// What the worker is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Work, or go on working.
    #[default]
    Run,
    /// Wait at the next event.
    Pause,
    /// End at the next event; finished layers stay.
    Stop,
}

/// Shared by the window and the worker. Every work has one of its own, by which its messages are told from those of
/// the work before.
#[derive(Clone, Default)]
pub struct Control(Arc<(Mutex<Wish>, Condvar)>);

impl PartialEq for Control {
    /// Whether both are of one work.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Control {
    /// Says what to do from now on. A stop is for good.
    pub fn set(&self, wish: Wish) {
        let mut now = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The worker may not have seen the stop yet, and must not miss it.
        if *now != Wish::Stop {
            *now = wish;
        }
        // A worker that is paused is woken to see it.
        self.0.1.notify_all();
    }

    /// What is wished at the moment.
    pub fn wish(&self) -> Wish {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to an event; waits while the wish is to pause. A page has one thread and cannot
    /// wait, so there a pause has no effect.
    pub fn flow(&self) -> Flow {
        let mut now = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A loop, because a condition variable may wake without a reason.
        while *now == Wish::Pause && cfg!(not(target_arch = "wasm32")) {
            now = self.0.1.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        if *now == Wish::Stop { Flow::Stop } else { Flow::Continue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_worker_waits_until_it_is_told_to_go_on_or_to_stop() {
        for (wish, flow) in [(Wish::Run, Flow::Continue), (Wish::Stop, Flow::Stop)] {
            let control = Control::default();
            control.set(Wish::Pause);
            let worker = control.clone();
            let answer = std::thread::spawn(move || worker.flow());
            assert!(!answer.is_finished());
            control.set(wish);
            assert_eq!(answer.join().unwrap(), flow);
        }
    }

    #[test]
    fn a_stop_is_for_good() {
        let control = Control::default();
        control.set(Wish::Stop);
        control.set(Wish::Run);
        assert_eq!(control.flow(), Flow::Stop);
    }
}
