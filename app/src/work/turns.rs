//! Two workers that take turns. On a page there is one thread, and nobody waits.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Whose turn it is, and who is still there.
#[derive(Clone)]
pub struct Turns(Arc<(Mutex<State>, Condvar)>);

struct State {
    // 0 or 1, as the sides of the Compare screen.
    turn: usize,
    there: [bool; 2],
}

impl Default for Turns {
    /// Both are there, and the first begins.
    fn default() -> Self {
        Self(Arc::new((Mutex::new(State { turn: 0, there: [true; 2] }), Condvar::new())))
    }
}

impl Turns {
    /// Waits for the turn; who is alone has it always.
    pub fn take(&self, side: usize) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A loop, because a condition variable may wake without a reason.
        while state.turn != side && state.there[1 - side] && cfg!(not(target_arch = "wasm32")) {
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hands the turn to the other.
    pub fn pass(&self, side: usize) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).turn = 1 - side;
        self.0.1.notify_all();
    }

    /// Goes for good; from now on the other has every turn.
    pub fn leave(&self, side: usize) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).there[side] = false;
        // The other may be waiting for this very turn.
        self.pass(side);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_alternate_until_one_leaves() {
        let (turns, written) = (Turns::default(), Arc::new(Mutex::new(String::new())));
        let worker = |side: usize, words: usize| {
            let (turns, written) = (turns.clone(), written.clone());
            std::thread::spawn(move || {
                for _ in 0..words {
                    turns.take(side);
                    written.lock().unwrap().push(if side == 0 { 'a' } else { 'b' });
                    turns.pass(side);
                }
                turns.leave(side);
            })
        };
        let (second, first) = (worker(1, 5), worker(0, 3));
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(*written.lock().unwrap(), "abababbb");
    }
}
