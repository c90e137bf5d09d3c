//! Being asked to end (Ctrl-C, SIGTERM, SIGHUP; on Windows also a closed console): the first time
//! stops at the next event or token, with what is finished kept; the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use slimgpt::pipeline::Flow;

use super::exit::INTERRUPTED;
use super::out;

/// Whether the end was asked for.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Once in a program.
    pub fn listen() -> Self {
        Self::listen_saying("stopping; finished layers are kept")
    }

    /// Listens from now on, and says this when the end is asked for.
    pub fn listen_saying(kept: &'static str) -> Self {
        let pressed = Self::default();
        let flag = pressed.0.clone();
        let listening = set_handler(move || {
            // The second finds what the first left. Whatever has its name on the disk is whole.
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
            out::note(format_args!("\n{kept} (once more, with Ctrl-C or a signal, stops at once)"));
        });
        // No reason not to begin: the work can be gone on with all the same.
        if let Err(error) = listening {
            out::note(format_args!("note: Ctrl-C and signals will stop at once ({error})"));
        }
        pressed
    }

    /// Listens, and does nothing about it: somebody else ends the program.
    #[cfg(all(feature = "mpi", unix))]
    pub fn ignore() {
        // Where nobody can listen, a signal ends it at once.
        let _ = set_handler(|| {});
    }

    /// Whether it was asked for.
    pub fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What to answer to an event.
    pub fn flow(&self) -> Flow {
        if self.is_pressed() { Flow::Stop } else { Flow::Continue }
    }
}

/// Whether whoever started the program had it ignore that the terminal closes, as `nohup` does.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    use nix::sys::signal::SigHandler;
    // How a signal is handled can only be asked for by setting another way.
    let was = handle_hangups(SigHandler::SigIgn);
    was.map(handle_hangups);
    matches!(was, Some(SigHandler::SigIgn))
}

/// Has SIGHUP handled in another way, and says how it was until now.
#[cfg(unix)]
fn handle_hangups(by: nix::sys::signal::SigHandler) -> Option<nix::sys::signal::SigHandler> {
    // SAFETY: only "ignore" and what was there before are set, neither of which is code of ours.
    #[allow(unsafe_code, reason = "std cannot ask whether a signal is ignored")]
    unsafe {
        nix::sys::signal::signal(nix::sys::signal::Signal::SIGHUP, by).ok()
    }
}

/// Begins to listen. A hangup that was to be ignored is ignored further.
#[cfg(unix)]
fn set_handler(on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    let ignored = hangups_are_ignored();
    ctrlc::set_handler(on_signal)?;
    if ignored {
        handle_hangups(nix::sys::signal::SigHandler::SigIgn);
    }
    Ok(())
}

/// Begins to listen.
#[cfg(not(unix))]
fn set_handler(on_signal: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(on_signal)
}
