//! A lesson's state while the page is open: a signal, and what it was before.

use leptos::prelude::*;

use super::Shared;

/// How many steps back there are.
const DEPTH: usize = 100;

/// A state that can be undone.
pub struct Kept<T: 'static> {
    now: RwSignal<T>,
    past: RwSignal<Vec<(&'static str, T)>>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kept<T> {}

impl<T: Shared> Kept<T> {
    /// A state as it is at the beginning.
    pub fn new(state: T) -> Self {
        Self { now: RwSignal::new(state), past: RwSignal::new(Vec::new()) }
    }

    /// The state.
    pub fn get(&self) -> T {
        self.now.get()
    }

    /// Looks at the state.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        self.now.with(look)
    }

    /// Looks at the state without following it.
    pub fn untracked(&self) -> T {
        self.now.get_untracked()
    }

    /// Changes it. What one control does in a row (`gesture`) is undone as one.
    pub fn change(&self, gesture: &'static str, change: impl FnOnce(&mut T)) {
        let before = self.now.get_untracked();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return;
        }
        self.past.update(|past| {
            // A slider that is dragged changes the state at every pixel.
            if gesture.is_empty() || past.last().is_none_or(|(last, _)| *last != gesture) {
                past.push((gesture, before));
            }
            if past.len() > DEPTH {
                past.remove(0);
            }
        });
        self.now.set(after);
    }

    /// Puts another state in its place: one that was shared.
    pub fn replace(&self, state: T) {
        // What was shared is a beginning: there is nothing of the reader's own to take back.
        self.past.set(Vec::new());
        self.now.set(state);
    }

    /// Takes back the last change.
    pub fn undo(&self) {
        let before = self.past.try_update(Vec::pop).flatten();
        if let Some((_, state)) = before {
            self.now.set(state);
        }
    }

    /// Whether there is something to take back.
    pub fn can_undo(&self) -> bool {
        self.past.with(|past| !past.is_empty())
    }

    /// Back to the beginning, which can be undone too.
    pub fn reset(&self) {
        self.change("reset", |state| *state = T::default());
    }
}
