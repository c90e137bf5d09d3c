//! Hidden states that the next candidates begin from: those between some layers of the sizes that a climb goes on from,
//! as many as there is room for.

use burn::tensor::Device;

use super::SearchError;
use super::probe::States;
use crate::activations::{Cache, CacheError, Placement};
use crate::pipeline::Between;

/// Room for states where nothing tells how much memory there is.
const CAUTIOUS_BYTES: u64 = 1 << 30;

/// The states before a layer: of the calibration, and of the windows that candidates are judged by.
pub(super) struct Before {
    pub calibration: Between,
    judged: Vec<Cache>,
}

impl Before {
    /// Keeps states in `place`.
    pub async fn new(
        calibration: Between,
        judged: &[States],
        place: Placement,
        device: &Device,
    ) -> Result<Self, SearchError> {
        let mut caches = Vec::with_capacity(judged.len());
        for states in judged {
            let mut cache = Cache::new("judged", states.len(), place, &None, device);
            for (slot, piece) in states.iter().enumerate() {
                cache.put(slot, piece.clone()).await?;
            }
            caches.push(cache);
        }
        Ok(Self { calibration, judged: caches })
    }

    /// Those of the windows that candidates are judged by, part by part.
    pub fn judged(&self) -> Result<Vec<States>, SearchError> {
        let part = |cache: &Cache| -> Result<States, CacheError> {
            (0..cache.slots()).map(|slot| cache.get(slot)?.ok_or(CacheError::Missing)).collect()
        };
        Ok(self.judged.iter().map(part).collect::<Result<_, _>>()?)
    }
}

/// The states that are kept, by the layer they stand before.
pub(super) struct Kept {
    before: Vec<Option<Before>>,
    /// Whether there is room for those before each layer.
    wanted: Vec<bool>,
}

impl Kept {
    /// Room for the states before some of so many layers, of `each` bytes, within `room` bytes if that is known. Those of a
    /// candidate are kept beside those that it may take the place of.
    pub fn new(layers: usize, each: u64, room: Option<u64>) -> Self {
        let room = room.unwrap_or(CAUTIOUS_BYTES) / 2;
        let count = usize::try_from(room / each.max(1)).unwrap_or(usize::MAX).min(layers.saturating_sub(1));
        let mut wanted = vec![false; layers];
        // Evenly, so that as few layers as can be are pruned once more than need be.
        (1..=count).for_each(|i| wanted[i * layers / (count + 1)] = true);
        Self { before: std::iter::repeat_with(|| None).take(layers).collect(), wanted }
    }

    /// The last states before `layer` or an earlier one, with the layer they stand before; none for the first layer.
    pub fn last(&self, layer: usize) -> (usize, Option<&Before>) {
        let last = (0..=layer).rev().find_map(|at| self.before.get(at)?.as_ref().map(|before| (at, Some(before))));
        last.unwrap_or((0, None))
    }

    /// Whether the states before a layer are to be kept.
    pub fn wants(&self, layer: usize) -> bool {
        self.wanted[layer]
    }

    /// Puts a candidate's states in the place of those that it began behind.
    pub fn take(&mut self, of_candidate: Vec<(usize, Before)>) {
        of_candidate.into_iter().for_each(|(layer, before)| self.before[layer] = Some(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_kept_as_far_as_there_is_room_and_evenly() {
        let wanted = |room| {
            let kept = Kept::new(12, 10, Some(room));
            (0..12).filter(|&layer| kept.wants(layer)).collect::<Vec<usize>>()
        };
        assert_eq!(wanted(19), [] as [usize; 0]);
        assert_eq!(wanted(20), [6]);
        assert_eq!(wanted(79), [3, 6, 9]);
        // Before the first layer there is nothing to keep.
        assert_eq!(wanted(100_000), (1..12).collect::<Vec<usize>>());
        assert_eq!(Kept::new(1, 10, None).last(0).0, 0);
    }
}
