//! Waiting that can be ended: for an answer, for the next bytes, for another process, for a pause to be over. Requests
//! run on threads of their own, because a read takes a minute to see that nothing comes.

use std::io::{self, ErrorKind, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::error::HubError;

/// Between two looks whether it is to end: what takes a tenth of a second happens at once, as people see it.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;
/// Pieces that are read ahead of who takes them: a disk that is slow holds the network up and fills no memory.
const AHEAD: usize = 4;

/// Waits until something is there, or all is to end.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    /// Whether all is to end; asked again and again.
    pub is_stopped: &'a dyn Fn() -> bool,
}

impl Waiting<'_> {
    /// Refuses to go on where all is to end.
    pub fn go_on(self) -> Result<(), HubError> {
        if (self.is_stopped)() { Err(HubError::Stopped) } else { Ok(()) }
    }

    /// What comes of work that may take long. Where all is to end it is left alone, and what comes of it is dropped.
    pub fn answer<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HubError> {
        // Nothing is sent: it closes when the work is over, be it by a panic.
        let (is_going_on, is_over) = sync_channel::<()>(0);
        let worker = thread::spawn(move || {
            let _is_going_on = is_going_on;
            work()
        });
        self.next(&is_over)?;
        worker.join().or_else(|panic| resume_unwind(panic))
    }

    /// The next that comes; `None` where nothing more does.
    pub fn next<T>(self, from: &Receiver<T>) -> Result<Option<T>, HubError> {
        loop {
            self.go_on()?;
            match from.recv_timeout(LOOK) {
                Ok(found) => return Ok(Some(found)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Lets so much time pass.
    pub fn pause(self, length: Duration) -> Result<(), HubError> {
        let began = Instant::now();
        loop {
            self.go_on()?;
            match length.saturating_sub(began.elapsed()) {
                Duration::ZERO => return Ok(()),
                left => thread::sleep(left.min(LOOK)),
            }
        }
    }
}

/// What a body brings, piece by piece; an error is the last of them.
pub(super) fn pieces(mut body: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(AHEAD);
    thread::spawn(move || {
        let mut buffer = vec![0; BUFFER];
        loop {
            let piece = match body.read(&mut buffer) {
                Ok(0) => return,
                Ok(bytes) => Ok(buffer[..bytes].to_vec()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let is_last = piece.is_err();
            // Nobody takes any more where all was to end, or has arrived.
            if sender.send(piece).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Longer than any test waits.
    const LONG: Duration = Duration::from_secs(600);

    /// Whether `wait` ends early, where all is to end at the third look.
    fn ends<T>(wait: impl FnOnce(Waiting<'_>) -> Result<T, HubError>) -> bool {
        let looks = AtomicUsize::new(0);
        let is_stopped = || looks.fetch_add(1, Ordering::SeqCst) >= 2;
        let began = Instant::now();
        let is_stopped = matches!(wait(Waiting { is_stopped: &is_stopped }), Err(HubError::Stopped));
        is_stopped && began.elapsed() < LONG / 10
    }

    #[test]
    fn every_wait_can_be_ended() {
        assert!(ends(|waiting| waiting.pause(LONG)));
        assert!(ends(|waiting| waiting.answer(|| thread::sleep(LONG))));
        let (_sender, receiver) = sync_channel::<u8>(1);
        assert!(ends(|waiting| waiting.next(&receiver)));
    }

    #[test]
    fn what_comes_is_what_was_waited_for() {
        let waiting = Waiting { is_stopped: &|| false };
        assert_eq!(waiting.answer(|| 7).unwrap(), 7);
        let began = Instant::now();
        waiting.pause(LOOK + LOOK / 2).unwrap();
        assert!(began.elapsed() >= LOOK + LOOK / 2);
        let text: Vec<u8> = (0..3 * BUFFER + 1).map(|i| i as u8).collect();
        let receiver = pieces(io::Cursor::new(text.clone()));
        let mut all = Vec::new();
        while let Some(piece) = waiting.next(&receiver).unwrap() {
            all.extend(piece.unwrap());
        }
        assert_eq!(all, text);
    }

    #[test]
    #[should_panic(expected = "worn out")]
    fn a_panic_reaches_who_waits() {
        let _ = Waiting { is_stopped: &|| false }.answer::<u8>(|| panic!("worn out"));
    }
}
