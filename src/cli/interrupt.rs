//! Ctrl-C: the first stops at the next event or token, with what is finished kept; the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slimgpt::pipeline::Flow;

use super::exit::INTERRUPTED;
use super::out;

/// Whether Ctrl-C was pressed.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Once in a program.
    pub fn listen() -> Self {
        Self::listen_saying("stopping; finished layers are kept")
    }

    /// Listens from now on, and says this when the first Ctrl-C comes.
    pub fn listen_saying(kept: &'static str) -> Self {
        let pressed = Self::default();
        let flag = pressed.0.clone();
        let listening = ctrlc::set_handler(move || {
            // The second Ctrl-C finds what the first left. Whatever has its name on the disk is whole.
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
            out::note(format_args!("\n{kept} (press Ctrl-C again to stop at once)"));
        });
        // No reason not to begin: the work can be gone on with all the same.
        if let Err(error) = listening {
            out::note(format_args!("note: Ctrl-C will stop at once ({error})"));
        }
        pressed
    }

    /// Whether it was pressed.
    pub fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What to answer to an event.
    pub fn flow(&self) -> Flow {
        if self.is_pressed() { Flow::Stop } else { Flow::Continue }
    }
}
