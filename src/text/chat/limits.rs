//! What a chat template may cost. It is a program of a stranger's: it may loop without end, fill the
//! memory, or nest deeper than a stack. Real templates use a small part of what is allowed here.

#[cfg(not(target_arch = "wasm32"))]
use std::sync::mpsc;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use super::ChatError;
#[cfg(not(target_arch = "wasm32"))]
use super::TOO_MUCH;
use crate::text::guarded::guarded;

/// Bytes of a template: several times the longest one in use.
const SOURCE_BYTES: usize = 128 << 10;
/// Steps of the engine, and 64 bytes of values for each: some 64 MB, and less than a second.
const STEPS: u64 = 1_000_000;
/// Bytes of the rendered text beside what was said.
const TEXT_BYTES: usize = 1 << 20;
/// How often a template may repeat what was said.
const REPEATED: usize = 16;
/// The engine nests once for each operator of a chain, of which [`SOURCE_BYTES`] hold as many as bytes,
/// and uses less than a kilobyte of stack for each.
#[cfg(not(target_arch = "wasm32"))]
const STACK_BYTES: usize = 256 << 20;
/// Longest time of one conversation, which takes microseconds to milliseconds. It ends what costs neither steps
/// nor memory: two constant lists, repeated a million times each, are compared while the template is compiled.
/// It is compiled before it is rendered, each within this time, and nobody is to wait for two seconds.
#[cfg(not(target_arch = "wasm32"))]
const TIME: Duration = Duration::from_millis(800);
/// Widest indent of `tojson`.
pub(super) const INDENT: usize = 64;

/// Renders within the limits: `render` is told how many steps it has for a conversation in which
/// so many bytes are said. It owns what it needs, because it may be left behind.
pub(super) fn bounded(
    source: &str,
    said: usize,
    render: impl FnOnce(u64) -> Result<String, ChatError> + Send + 'static,
) -> Result<String, ChatError> {
    if source.len() > SOURCE_BYTES {
        return Err(ChatError::TooLong { what: "is", bytes: source.len(), limit: SOURCE_BYTES });
    }
    let steps = STEPS + said as u64;
    let text = on_its_own_stack(move || render(steps))?;
    let limit = TEXT_BYTES + REPEATED * said;
    match text.len() > limit {
        true => Err(ChatError::TooLong { what: "writes a text that is", bytes: text.len(), limit }),
        false => Ok(text),
    }
}

/// A panic of the engine is a fault of the template.
fn caught(render: impl FnOnce() -> Result<String, ChatError>) -> Result<String, ChatError> {
    guarded(render).unwrap_or_else(|reason| Err(failed(reason)))
}

fn failed(reason: impl Into<String>) -> ChatError {
    ChatError::Template { line: 1, reason: reason.into() }
}

#[cfg(not(target_arch = "wasm32"))]
fn on_its_own_stack(render: impl FnOnce() -> Result<String, ChatError> + Send + 'static) -> Result<String, ChatError> {
    let (done, rendered) = mpsc::sync_channel(1);
    // Nobody listens any more where it took too long.
    let thread = move || drop(done.send(caught(render)));
    let started = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(thread);
    started.map_err(|error| failed(format!("no thread to render it on: {error}")))?;
    match rendered.recv_timeout(TIME) {
        Ok(rendered) => rendered,
        // A thread cannot be ended from outside: it goes on until the engine counts its next step, or the
        // program ends with the error.
        Err(mpsc::RecvTimeoutError::Timeout) => Err(failed(TOO_MUCH)),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed("the engine failed")),
    }
}

/// A page has one stack, and opens no files of strangers.
#[cfg(target_arch = "wasm32")]
fn on_its_own_stack(render: impl FnOnce() -> Result<String, ChatError>) -> Result<String, ChatError> {
    caught(render)
}
