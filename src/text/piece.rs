//! Documents that pass by one after the other, a long one in pieces, so that none need be held.

use std::ops::ControlFlow;

use super::TextError;

/// The next part of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    /// Whether a document begins here.
    pub begins: bool,
}

/// Documents that can be seen several times, always the same.
pub(super) trait Passing {
    /// Shows the documents to `each`, until it has seen enough.
    fn pass(&self, each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> Result<(), TextError>;
}

impl Passing for &[String] {
    fn pass(&self, each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> Result<(), TextError> {
        // Whoever has seen enough ends it, which is no error.
        let _ = self.iter().try_for_each(|text| each(Piece { text, begins: true }));
        Ok(())
    }
}
