//! What is read as it is stored; and a layer of which those matrices stay so that have two bytes an element.

use super::names;
use super::{Checkpoint, Element, Halves, LayerWeights, ReadError, Types};
use crate::shape::{Layer, Part};

impl Checkpoint {
    /// Whether every tensor is read as it is stored, in these types: to round it to them would change nothing.
    pub fn holds_exactly(&self, types: &Types) -> bool {
        let is_exact = |tensor| matches!(self.element(&tensor), Some(Element::Plain(_)));
        !self.is_added_to() && self.types(None) == *types && names::all(self.config()).all(is_exact)
    }

    /// The matrices of layer `i` that are stored in two bytes an element, and are read as they are stored; nobody has
    /// looked whether they are finite.
    pub fn halves(&self, i: usize) -> Layer<Halves<'_>> {
        let parts = self.config().parts_of(self.config().layers[i]);
        parts.filter_map(|part| Some((part, self.half(i, part)?))).collect()
    }

    /// Layer `i` in two parts: what [`Self::halves`] has of it, and all else in singles.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn layer_in_halves(&self, i: usize) -> Result<(Layer<Halves<'_>>, LayerWeights), ReadError> {
        if self.is_added_to() {
            return Ok((Layer::default(), self.layer(i)?));
        }
        let (mut halves, mut singles) = (Vec::new(), Vec::new());
        for part in self.config().parts_of(self.config().layers[i]) {
            match self.half(i, part).filter(|matrix| matrix.half.are_finite(matrix.bytes)) {
                Some(matrix) => halves.push((part, matrix)),
                // Of what is not finite, reading says which element it is.
                None => singles.push((part, self.read(names::stored(self.config(), i, part))?)),
            }
        }
        Ok((halves.into_iter().collect(), singles.into_iter().collect()))
    }

    fn half(&self, i: usize, part: Part) -> Option<Halves<'_>> {
        let stored = names::stored(self.config(), i, part);
        let is_matrix = matches!(part, Part::Weight(_)) && !self.is_added_to();
        if is_matrix { self.shard(&stored.tensor).ok()?.halves(&stored) } else { None }
    }
}
