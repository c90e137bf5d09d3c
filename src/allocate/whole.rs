//! Halves of layers that can go as a whole.

use super::AllocateError;
use crate::checkpoint::Classes;
use crate::shape::{ModelConfig, Site};

/// Whether a layer of what is written may lose a half of it.
///
/// # Errors
/// With what keeps it.
pub fn may_lose(layer: usize, site: Site, written: &ModelConfig) -> Result<(), AllocateError> {
    let has_bias = match site {
        Site::Heads => written.o_bias,
        Site::Channels => written.mlp_bias,
    };
    match (has_bias, Classes::of(written.family)) {
        // The bias is added whatever goes in, so there would be something left of the half.
        (true, _) => Err(AllocateError::WholeWithBias { layer, site }),
        // Where layers are of two kinds, these also tell which is which by a layer's number, which would change.
        (false, Some(_)) => Err(AllocateError::WholeOfFamily { layer, site, family: written.family }),
        (false, None) => Ok(()),
    }
}
