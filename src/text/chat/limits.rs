//! What a chat template may cost. It is a program of a stranger's: it may loop without end, fill the
//! memory, or nest deeper than a stack. Real templates use a small part of what is allowed here.

use super::ChatError;
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
/// Widest indent of `tojson`.
pub(super) const INDENT: usize = 64;

/// Renders within the limits: `render` is told how many steps it has for a conversation in which
/// so many bytes are said.
pub(super) fn bounded(
    source: &str,
    said: usize,
    render: impl FnOnce(u64) -> Result<String, ChatError> + Send,
) -> Result<String, ChatError> {
    if source.len() > SOURCE_BYTES {
        return Err(ChatError::TooLong { what: "is", bytes: source.len(), limit: SOURCE_BYTES });
    }
    let text = on_its_own_stack(|| render(STEPS + said as u64))?;
    let limit = TEXT_BYTES + REPEATED * said;
    match text.len() > limit {
        true => Err(ChatError::TooLong { what: "writes a text that is", bytes: text.len(), limit }),
        false => Ok(text),
    }
}

/// A panic of the engine is a fault of the template.
fn caught(render: impl FnOnce() -> Result<String, ChatError>) -> Result<String, ChatError> {
    guarded(render).unwrap_or_else(|reason| Err(ChatError::Template { line: 1, reason }))
}

#[cfg(not(target_arch = "wasm32"))]
fn on_its_own_stack(render: impl FnOnce() -> Result<String, ChatError> + Send) -> Result<String, ChatError> {
    let refused = |reason: String| Err(ChatError::Template { line: 1, reason });
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || caught(render));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(rendered)) => rendered,
            Ok(Err(_)) => refused("the engine failed".into()),
            Err(error) => refused(format!("no thread to render it on: {error}")),
        }
    })
}

/// A page has one stack, and opens no files of strangers.
#[cfg(target_arch = "wasm32")]
fn on_its_own_stack(render: impl FnOnce() -> Result<String, ChatError> + Send) -> Result<String, ChatError> {
    caught(render)
}
