//! Being asked to end (Ctrl-C, SIGTERM, SIGHUP; on Windows also a closed console): the first time
//! stops at the next event or token, with what is finished kept; the second at once. Several parts of a command may
//! listen one after the other, as a download before the work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use slimgpt::pipeline::Flow;

use super::exit::INTERRUPTED;
use super::out;

/// Whether the end was asked for.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

/// Who is told that the end is asked for, and what is said of it then.
type Listener = (Interrupt, &'static str);

static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

/// Puts a listener in the place of the one before, which is returned.
fn set_listener(listener: Option<Listener>) -> Option<Listener> {
    // A handler can be set once in a program.
    static HANDLER: Once = Once::new();
    let before = std::mem::replace(&mut *LISTENER.lock().unwrap_or_else(PoisonError::into_inner), listener);
    HANDLER.call_once(|| {
        // No reason not to begin: the work can be gone on with all the same.
        if let Err(error) = set_handler(on_signal) {
            out::note(format_args!("note: Ctrl-C and signals will stop at once ({error})"));
        }
    });
    before
}

/// What a signal does. It runs on a thread of its own, where everything may be called.
fn on_signal() {
    let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match listener {
        // The second finds what the first left.
        Some((pressed, kept)) if !pressed.0.swap(true, Ordering::SeqCst) => {
            out::note(format_args!("\n{kept} (once more, with Ctrl-C or a signal, stops at once)"));
        }
        // Whatever has its name on the disk is whole.
        _ => std::process::exit(INTERRUPTED.into()),
    }
}

/// A part of a command that is told; once it is dropped, whoever was told before is told again.
pub struct Listening(Option<Listener>);

impl Drop for Listening {
    fn drop(&mut self) {
        set_listener(self.0.take());
    }
}

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Self {
        Self::listen_saying("stopping; finished layers are kept")
    }

    /// Listens from now on, and says this when the end is asked for.
    pub fn listen_saying(kept: &'static str) -> Self {
        let pressed = Self::default();
        set_listener(Some((pressed.clone(), kept)));
        pressed
    }

    /// Listens as long as the answer lives, and says this when the end is asked for.
    pub fn listening(&self, kept: &'static str) -> Listening {
        Listening(set_listener(Some((self.clone(), kept))))
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
fn set_handler(on_signal: fn()) -> Result<(), ctrlc::Error> {
    let ignored = hangups_are_ignored();
    ctrlc::set_handler(on_signal)?;
    if ignored {
        handle_hangups(nix::sys::signal::SigHandler::SigIgn);
    }
    Ok(())
}

/// Begins to listen.
#[cfg(not(unix))]
fn set_handler(on_signal: fn()) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(on_signal)
}
