//! What the ranks of a run tell each other: the finished layers and choices that only the first one's sink has, and what
//! the first has found out of a site.
//!
//! [`Leading`] and [`Following`] stand in the place of the sink, so that every rank takes the same steps and only one
//! reads and writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FinishedLayer, LayerRecord, LayerSink, PipelineError, Report, Storing};
use crate::activations::Spill;
use crate::allocate::LayerPlan;
use crate::checkpoint::{Checkpoint, Dtype, HostTensor, LayerWeights, decode_tensors, encode_tensors};
use crate::ranks::{Ranks, RanksError};
use crate::shape::{Part, Projection};

/// The sink of the first rank, which tells the others what it reads.
pub(super) struct Leading<'a, S> {
    ranks: &'a dyn Ranks,
    sink: &'a mut S,
}

impl<'a, S: LayerSink> Leading<'a, S> {
    /// Tells how many layers are finished.
    pub fn new(ranks: &'a dyn Ranks, sink: &'a mut S) -> Result<Self, PipelineError> {
        ranks.broadcast((sink.finished() as u64).to_le_bytes().to_vec())?;
        Ok(Self { ranks, sink })
    }

    /// Tells the others, if there are any, what `message` makes.
    fn tell(&self, message: impl FnOnce() -> Result<Vec<u8>, PipelineError>) -> Result<(), PipelineError> {
        if self.ranks.count() > 1 {
            self.ranks.broadcast(message()?)?;
        }
        Ok(())
    }
}

impl<S: LayerSink> LayerSink for Leading<'_, S> {
    fn finished(&self) -> usize {
        self.sink.finished()
    }

    fn record(&self, layer: usize) -> Result<(LayerRecord, f64), PipelineError> {
        let record = self.sink.record(layer)?;
        // Numbers, strings and lists of them always have a JSON form.
        self.tell(|| Ok(serde_json::to_vec(&record).unwrap_or_default()))?;
        Ok(record)
    }

    fn weights(&self, layer: usize) -> Result<LayerWeights, PipelineError> {
        let weights = self.sink.weights(layer)?;
        // The others need only what is not in the checkpoint as it was.
        self.tell(|| encoded(&weights, Vec::new()))?;
        Ok(weights)
    }

    fn store(&mut self, finished: FinishedLayer) -> Storing {
        self.sink.store(finished)
    }

    fn finish(&mut self, checkpoint: &Checkpoint, report: &Report) -> Result<(), PipelineError> {
        self.sink.finish(checkpoint, report)
    }

    fn settle(&mut self, layers: &[LayerPlan]) {
        self.sink.settle(layers);
    }

    fn choice(&self) -> Result<Option<Vec<u8>>, PipelineError> {
        let choice = self.sink.choice()?;
        // No choice is an empty one: a file of tensors has a header at least.
        self.tell(|| Ok(choice.clone().unwrap_or_default()))?;
        Ok(choice)
    }

    fn keep_choice(&mut self, choice: &[u8]) -> Result<(), PipelineError> {
        self.sink.keep_choice(choice)
    }

    fn run_id(&self) -> Option<String> {
        self.sink.run_id()
    }

    fn spill(&self) -> Option<Arc<dyn Spill>> {
        self.sink.spill()
    }
}

/// In the place of a sink at every other rank: hears what the first reads, and keeps nothing.
pub(super) struct Following<'a> {
    ranks: &'a dyn Ranks,
    finished: usize,
    spill: Option<Arc<dyn Spill>>,
}

impl<'a> Following<'a> {
    /// Hears how many layers are finished. Activations that fit no memory go to `spill`.
    pub fn new(ranks: &'a dyn Ranks, spill: Option<Arc<dyn Spill>>) -> Result<Self, PipelineError> {
        let message = ranks.broadcast(Vec::new())?;
        let finished = <[u8; 8]>::try_from(message).map_err(|_| RanksError::OutOfStep("a count of layers"))?;
        Ok(Self { ranks, finished: u64::from_le_bytes(finished) as usize, spill })
    }

    fn hear(&self) -> Result<Vec<u8>, PipelineError> {
        Ok(self.ranks.broadcast(Vec::new())?)
    }
}

impl LayerSink for Following<'_> {
    fn finished(&self) -> usize {
        self.finished
    }

    fn record(&self, _: usize) -> Result<(LayerRecord, f64), PipelineError> {
        Ok(serde_json::from_slice(&self.hear()?).map_err(|_| RanksError::OutOfStep("the record of a layer"))?)
    }

    fn weights(&self, _: usize) -> Result<LayerWeights, PipelineError> {
        Ok(decoded(self.hear()?)?.0)
    }

    fn store(&mut self, finished: FinishedLayer) -> Storing {
        self.finished = finished.record.layer + 1;
        Storing::done(Ok(()))
    }

    fn finish(&mut self, _: &Checkpoint, _: &Report) -> Result<(), PipelineError> {
        Ok(())
    }

    fn choice(&self) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(Some(self.hear()?).filter(|choice| !choice.is_empty()))
    }

    fn spill(&self) -> Option<Arc<dyn Spill>> {
        self.spill.clone()
    }
}

/// The weights that pruning makes anew, and lists of indices by name.
fn encoded(weights: &LayerWeights, lists: Vec<(&str, &[usize])>) -> Result<Vec<u8>, PipelineError> {
    let lists: Vec<(&str, HostTensor)> = lists.into_iter().map(|(name, list)| (name, as_tensor(list))).collect();
    let parts = anew().filter_map(|part| Some((part.to_string(), weights.get(part)?, Dtype::F32)));
    let lists = lists.iter().map(|(name, list)| ((*name).to_owned(), list, Dtype::F32));
    Ok(encode_tensors(&parts.chain(lists).collect::<Vec<_>>())?)
}

fn decoded(message: Vec<u8>) -> Result<(LayerWeights, BTreeMap<String, HostTensor>), PipelineError> {
    let mut named = decode_tensors("what the first of the devices found", message)?;
    let weights = anew().filter_map(|part| Some((part, named.remove(&part.to_string())?))).collect();
    Ok((weights, named))
}

/// The parts that pruning makes anew; of all others it drops rows.
fn anew() -> impl Iterator<Item = Part> {
    [Projection::O, Projection::Down].into_iter().flat_map(|of| [Part::Weight(of), Part::Bias(of)])
}

/// A list of indices as numbers in single precision, which are exact up to 2^24.
fn as_tensor(indices: &[usize]) -> HostTensor {
    HostTensor { shape: vec![indices.len()], values: indices.iter().map(|&index| index as f32).collect() }
}

/// What every rank has to know of a site that was pruned.
pub(super) struct Found {
    /// Units that stay.
    pub units: Vec<usize>,
    /// Input columns that stay.
    pub columns: Vec<usize>,
    /// Ŵ and its bias, as they will be saved.
    pub new: LayerWeights,
}

impl Found {
    /// Brings what the first rank found to all; the others found nothing.
    pub fn everywhere(found: Option<Self>, ranks: &dyn Ranks) -> Result<Self, PipelineError> {
        match found {
            Some(found) if ranks.count() == 1 => Ok(found),
            Some(found) => {
                ranks
                    .broadcast(encoded(&found.new, vec![(UNITS, &found.units[..]), (COLUMNS, &found.columns[..])])?)?;
                Ok(found)
            }
            None => {
                let (new, mut lists) = decoded(ranks.broadcast(Vec::new())?)?;
                let mut list = |name: &str| {
                    let list = lists.remove(name).ok_or(RanksError::OutOfStep("what was found of a site"))?;
                    Ok::<Vec<usize>, RanksError>(list.values.into_iter().map(|index| index as usize).collect())
                };
                Ok(Self { units: list(UNITS)?, columns: list(COLUMNS)?, new })
            }
        }
    }
}

const UNITS: &str = "units";
const COLUMNS: &str = "columns";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranks::on_threads;

    #[test]
    fn what_the_first_found_is_found_everywhere() {
        let found = || {
            let weight = HostTensor { shape: vec![2, 3], values: vec![1.0, -2.5, 3.0, 1e-30, 0.0, 6.0] };
            let bias = HostTensor { shape: vec![2], values: vec![0.5, -0.5] };
            let new = [(Part::Weight(Projection::Down), weight), (Part::Bias(Projection::Down), bias)];
            Found { units: vec![0, 2, 28_671], columns: vec![7], new: new.into_iter().collect() }
        };
        let at = |ranks: &dyn Ranks| Found::everywhere(ranks.is_first().then(found), ranks);
        let (first, others) = on_threads(vec![(), ()], |rank| at(rank), |rank, ()| at(rank), |_| false).unwrap();
        for heard in std::iter::once(first).chain(others) {
            let (heard, told) = (heard.unwrap(), found());
            assert_eq!((heard.units, heard.columns, heard.new), (told.units, told.columns, told.new));
        }
    }
}
