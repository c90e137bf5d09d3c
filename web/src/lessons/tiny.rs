//! The shipped model as lessons know it before it is loaded: its sizes, and how it is pruned here.

use slimgpt::allocate::Allocation;
use slimgpt::pipeline::Request;
use slimgpt::text::Bos;
use slimgpt_worker::protocol::{Eval, Prune, Text};

/// Layers of the model.
pub const LAYERS: usize = 6;
/// Tokens of a calibration window: a few windows are seconds of work on a CPU.
pub const WINDOW_TOKENS: usize = 128;
/// Calibration windows, where nothing else is said.
pub const WINDOWS: usize = 32;
/// How perplexity is measured: in windows as the model was trained on, of which it knows no longer ones.
pub const EVAL: Eval = Eval { windows: Some(32), tokens: Some(256), bos: Bos::Each };

/// A pruning with the page's usual text.
pub fn prune(allocation: Allocation) -> Prune {
    let request = Request { allocation, windows: WINDOWS, window_tokens: WINDOW_TOKENS, ..Request::default() };
    Prune { request, text: Text::Shipped, eval: EVAL }
}
