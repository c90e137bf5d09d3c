//! Two workers that take turns. On a page there is one thread, and nobody waits.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The place of one of two workers. Dropped, it is left for good, and the other has every turn: also where a worker
/// ends in an error or a panic, or the other would wait for ever.
pub struct Place {
    shared: Arc<(Mutex<State>, Condvar)>,
    // 0 or 1, as the sides of the Compare screen.
    side: usize,
}

/// Whose turn it is, and who is still there.
struct State {
    turn: usize,
    there: [bool; 2],
}

/// The places of both, of which the first begins.
pub fn places() -> [Place; 2] {
    let shared = Arc::new((Mutex::new(State { turn: 0, there: [true; 2] }), Condvar::new()));
    [0, 1].map(|side| Place { shared: shared.clone(), side })
}

impl Place {
    /// Waits for the turn; who is alone has it always.
    pub fn take(&self) {
        let mut state = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A loop, because a condition variable may wake without a reason.
        while state.turn != self.side && state.there[1 - self.side] && cfg!(not(target_arch = "wasm32")) {
            state = self.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hands the turn to the other.
    pub fn pass(&self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).turn = 1 - self.side;
        self.shared.1.notify_all();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).there[self.side] = false;
        // The other may be waiting for this very turn.
        self.pass();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both write, of whom the second has more words; the first ends with `end`.
    fn written(end: fn()) -> String {
        let written = Arc::new(Mutex::new(String::new()));
        let [first, second] = places();
        let worker = |place: Place, letter: char, words: usize, end: fn()| {
            let written = written.clone();
            std::thread::spawn(move || {
                for _ in 0..words {
                    place.take();
                    written.lock().unwrap().push(letter);
                    place.pass();
                }
                end();
            })
        };
        let (second, first) = (worker(second, 'b', 5, || {}), worker(first, 'a', 3, end));
        // It may have ended in a panic.
        drop(first.join());
        second.join().unwrap();
        written.lock().unwrap().clone()
    }

    #[test]
    fn two_alternate_until_one_leaves() {
        assert_eq!(written(|| {}), "abababbb");
    }

    #[test]
    fn a_panic_leaves_too() {
        assert_eq!(written(|| panic!("worn out")), "abababbb");
    }
}
