//! The shipped model as lessons know it before it is loaded: its sizes, and how it is pruned here.

use slimgpt::allocate::Allocation;
use slimgpt::pipeline::Request;
use slimgpt::shape::ModelConfig;
use slimgpt::shipped;
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

/// The sizes of the model.
///
/// # Errors
/// Never, for the model that was tested.
pub fn config() -> Result<ModelConfig, String> {
    // A sentence of its own: the library's would bring those of all that can be wrong with a checkpoint, kilobytes.
    shipped::config().map_err(|_| "the sizes of the model of the page are not understood".into())
}

/// A pruning with the page's usual text.
pub fn prune(allocation: Allocation) -> Prune {
    let request = Request { allocation, windows: WINDOWS, window_tokens: WINDOW_TOKENS, ..Request::default() };
    Prune { request, text: Text::Shipped, eval: EVAL }
}
