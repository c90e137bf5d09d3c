//! Gradients with one layer on the device at a time, so that a model is trained where only one of its
//! layers fits.
//!
//! *Forward*, every layer's input is kept. The *head* gives the loss and its gradient in pieces of the
//! logits. *Backward*, from the last layer to the first, a layer is brought again, computed again from its
//! kept input under autodiff, and hands its input's gradient down. Where everything fits, what autodiff
//! needs is kept instead and nothing is computed twice: the numbers are the same.
//!
//! Whoever learns drives the loop, because it has the layers and wants to be asked between them:
//!
//! ```text
//! pass.embed;  for layers up: pass.forward;  pass.score;  for layers down: pass.backward → gradients
//! ```

mod attention;
mod batch;
mod error;
mod head;
mod layer;
mod pass;
mod taylor;

pub use batch::Batch;
pub use error::GradientError;
pub use head::{HeadGradients, HeadWanted, Loss};
pub use layer::{LayerGradients, Taps};
pub use pass::{Back, Keep, Outcome, Pass, check};
pub use taylor::{Importance, Taylor, importance};
