//! Something for every part of a decoder layer: host tensors, device tensors, names, shapes.

use std::ops::Index;

use super::{Part, Projection};

/// One `T` for each part that a layer has, in the order of [`Part::ALL`]; or for some of its parts,
/// which then replace those of a whole layer.
///
/// It is collected from pairs, so that a failing source needs no function of its own:
/// `config.parts().map(|part| Ok((part, read(part)?))).collect::<Result<Layer<_>, _>>()`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<T>(Vec<(Part, T)>);

impl<T> Layer<T> {
    /// What stands for a part; `None` in a model without it.
    pub fn get(&self, part: Part) -> Option<&T> {
        // Some twenty parts at most: looking through them is nothing beside the tensors that they stand for.
        self.iter().find_map(|(other, value)| (other == part).then_some(value))
    }

    /// What stands for W of a projection. A layer with both halves has all seven.
    pub fn weight(&self, projection: Projection) -> &T {
        &self[Part::Weight(projection)]
    }

    /// What stands for b of a projection, where it has one.
    pub fn bias(&self, projection: Projection) -> Option<&T> {
        self.get(Part::Bias(projection))
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts with what stands for each.
    pub fn iter(&self) -> impl Iterator<Item = (Part, &T)> {
        self.0.iter().map(|(part, value)| (*part, value))
    }

    /// The parts with what stands for each, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Part, &mut T)> {
        self.0.iter_mut().map(|(part, value)| (*part, value))
    }

    /// The same parts with something else for each.
    pub fn map<U>(&self, mut to: impl FnMut(Part, &T) -> U) -> Layer<U> {
        self.iter().map(|(part, value)| (part, to(part, value))).collect()
    }
}

impl<T> Default for Layer<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(Part, T)> for Layer<T> {
    fn from_iter<I: IntoIterator<Item = (Part, T)>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl<T> IntoIterator for Layer<T> {
    type Item = (Part, T);
    type IntoIter = std::vec::IntoIter<(Part, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A part that is known to be there. Others are asked for with [`Layer::get`].
impl<T> Index<Part> for Layer<T> {
    type Output = T;

    fn index(&self, part: Part) -> &T {
        self.get(part).unwrap_or_else(|| panic!("a layer without {part}"))
    }
}
