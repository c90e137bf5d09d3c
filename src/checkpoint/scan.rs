//! All weights looked through before any work: one that is no number, or that the wanted type
//! cannot hold, stands in the file from the beginning and need not wait for its layer's turn.

use super::names::{self, HEAD};
use super::{Checkpoint, Dtype, Element, ReadError, WriteError};

impl Checkpoint {
    /// Looks for weights that are not finite and for those that do not fit the type in which they are
    /// written, `asked` for all. Reads every file once and keeps nothing.
    ///
    /// # Errors
    /// With the first weight that cannot be used.
    pub fn scan<E: From<ReadError> + From<WriteError>>(&self, asked: Option<Dtype>) -> Result<(), E> {
        for tensor in names::all(self.config()) {
            // The rows of a normed head are written at length one, whatever they are now.
            let is_kept = tensor.name != HEAD || !names::has_normed_head(self.config());
            // What is written as it is stored fits; what is quantised is written in half precision.
            let own = self.element(&tensor).map_or(Dtype::F32, Element::written_as);
            let dtype = asked.filter(|_| is_kept).unwrap_or(own);
            let fits = |value: f32| dtype.holds(value);
            match self.shard(&tensor)?.first(&tensor.name, |value| !fits(value)) {
                None => {}
                Some((_, value)) if value.is_finite() => {
                    return Err(WriteError::Overflow { tensor: tensor.name, value, range: dtype.range() }.into());
                }
                Some((index, value)) => return Err(ReadError::NotFinite { tensor: tensor.name, index, value }.into()),
            }
        }
        Ok(())
    }
}
