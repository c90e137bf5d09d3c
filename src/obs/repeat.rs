//! A layer that is pruned again and again from its beginning, in other ways, without being watched:
//! what the ways come to can be compared while somebody waits.

use burn::tensor::{Device, Tensor};

use super::trace::{Matrix, TraceTarget, at_once, run};
use super::{CpuExecutor, Hessian, ObsError, Options, Pruned};

/// A small layer on the CPU in f64, with the Hessian of its inputs.
pub struct SmallLayer {
    executor: CpuExecutor<f64>,
    weight: Tensor<2>,
    hessian: Hessian<CpuExecutor<f64>>,
}

impl SmallLayer {
    /// The layer of inputs `x` `(tokens, in)` and weights `weight` `(out, in)`, both rounded to f32 as in
    /// [`trace`](super::trace::trace).
    ///
    /// # Errors
    /// When the inputs cannot be read.
    pub fn new(x: &Matrix, weight: &Matrix) -> Result<Self, ObsError> {
        let (executor, device) = (CpuExecutor::new(), Device::flex());
        let mut hessian = Hessian::new(&executor, x.columns);
        at_once(hessian.accumulate(&executor, &x.tensor(&device)))?;
        Ok(Self { weight: weight.tensor(&device), executor, hessian })
    }

    /// The layer pruned in one way. It is itself left as it is.
    ///
    /// # Errors
    /// As [`prune_channels`](super::prune_channels).
    pub fn pruned(&self, what: TraceTarget, options: &Options) -> Result<Pruned, ObsError> {
        at_once(run(&self.executor, &self.weight, &self.hessian, what, options))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ChannelSteps;
    use super::super::toy::ToyLayer;
    use super::super::trace::trace_at_once;
    use super::*;

    #[test]
    fn it_is_pruned_as_if_watched_however_often() {
        let toy = ToyLayer::default();
        let (x, weight, options) = (toy.x(), toy.weight(), Options::default());
        let layer = SmallLayer::new(&x, &weight).unwrap();
        let ways = [
            TraceTarget::Channels { remove: 5, steps: ChannelSteps::OneByOne },
            TraceTarget::Groups(vec![3, 1, 1]),
            TraceTarget::Columns(vec![6, 2]),
            TraceTarget::Channels { remove: 5, steps: ChannelSteps::OneByOne },
        ];
        for way in ways {
            let (pruned, traced) = (layer.pruned(way.clone(), &options), trace_at_once(&x, &weight, way, &options));
            let (pruned, traced) = (pruned.unwrap(), traced.unwrap());
            assert_eq!(pruned.kept_columns, traced.kept);
            assert!((pruned.predicted_loss - traced.predicted_loss).abs() < 1e-9 * traced.signal);
        }
    }

    #[test]
    fn groups_of_one_size_are_the_steps_of_that_size() {
        let toy = ToyLayer::default();
        let layer = SmallLayer::new(&toy.x(), &toy.weight()).unwrap();
        let kept = |what| layer.pruned(what, &Options::default()).unwrap().kept_columns;
        for size in 1..=6 {
            let steps = ChannelSteps::Fixed(size);
            assert_eq!(kept(TraceTarget::Groups(steps.sizes(6))), kept(TraceTarget::Channels { remove: 6, steps }));
        }
        assert_eq!(kept(TraceTarget::Groups(vec![0, 2, 0])).len(), 6);
        assert_eq!(kept(TraceTarget::Groups(vec![])).len(), 8);
        assert!(layer.pruned(TraceTarget::Groups(vec![4, 4]), &Options::default()).is_err());
    }
}
