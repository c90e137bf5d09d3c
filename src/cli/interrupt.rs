//! Ctrl-C: the first stops at the next event, with everything finished kept; the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slimgpt::pipeline::Flow;

/// Whether Ctrl-C was pressed.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Self {
        let pressed = Self::default();
        let flag = pressed.0.clone();
        let listening = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            eprintln!("\nstopping; finished layers are kept (press Ctrl-C again to stop at once)");
        });
        if let Err(error) = listening {
            eprintln!("Ctrl-C will stop at once ({error}); finished layers are kept all the same");
        }
        pressed
    }

    /// What to answer to an event.
    pub fn flow(&self) -> Flow {
        if self.0.load(Ordering::SeqCst) { Flow::Stop } else { Flow::Continue }
    }
}
