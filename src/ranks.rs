//! Several devices at one run. Each *rank* computes with its own device on its share of the calibration windows; what
//! all have in common goes through the first, which alone decides and writes.
//!
//! Every rank takes the same steps in the same order, so that a message needs no address: what one waits for is what
//! the others send next. Sums are taken in the order of the ranks and are therefore the same on every run.
//!
//! Ranks are threads of one process, each with a device of its own, or processes, of this machine or of several, between
//! which a [`Post`] carries messages (MPI with the feature `mpi`).

#[cfg(not(target_arch = "wasm32"))]
mod crew;
#[cfg(not(target_arch = "wasm32"))]
mod launch;
#[cfg(all(feature = "mpi", unix))]
mod mpi;
#[cfg(not(target_arch = "wasm32"))]
mod post;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::ops::Range;

#[cfg(all(feature = "mpi", unix))]
pub use self::mpi::World;
#[cfg(not(target_arch = "wasm32"))]
pub use crew::{Crew, Task, hear, reports, serve, tell};
#[cfg(not(target_arch = "wasm32"))]
pub use launch::{Launched, launched};
#[cfg(not(target_arch = "wasm32"))]
pub use post::{Kind, Machine, Post};
#[cfg(not(target_arch = "wasm32"))]
pub use threads::{ThreadRank, on_threads, outcome};

/// Why a rank cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// Another rank ended before the work was done. That one knows why.
    #[error("another of the devices that share the work ended early")]
    Ended,
    /// A message that is not the one that was to come.
    #[error("the devices that share the work are out of step: a message was not {0}")]
    OutOfStep(&'static str),
    /// Another process has a device that has no room for its work.
    #[error("the device ran out of memory")]
    OutOfMemory,
    /// Another process failed, and this is what it says.
    #[error("{0}")]
    Failed(String),
    /// A model that other processes cannot open.
    #[error("a model that lies in memory cannot be shared with other processes: give them a folder or a file")]
    InMemory,
    /// Another process is not known to have ended its work.
    #[error("a process that shares the work does not answer")]
    Silent,
    /// The system has no thread for a rank.
    #[error("no thread could be started for device {rank}: {reason}")]
    Start {
        /// The rank, from 0.
        rank: usize,
        /// What the system said.
        reason: String,
    },
}

/// One rank among those of a run.
pub trait Ranks {
    /// Which this is; the first is 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn count(&self) -> usize;

    /// Brings a message of every rank to the first, which gets them in the order of the ranks, its own among them; the
    /// others get none.
    ///
    /// # Errors
    /// When another rank ended.
    fn gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError>;

    /// Brings the first rank's message to every rank; that of the others is dropped.
    ///
    /// # Errors
    /// When another rank ended.
    fn broadcast(&self, message: Vec<u8>) -> Result<Vec<u8>, RanksError>;

    /// Whether all are still at work: asked between messages, so that nobody works on for nothing.
    ///
    /// # Errors
    /// When another rank ended.
    fn check(&self) -> Result<(), RanksError>;

    /// Whether this rank decides and writes.
    fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Puts the sum over the ranks into the first one's `values`; those of the others stay. All have as many.
    ///
    /// # Errors
    /// When another rank ended, or has another number of values.
    fn sum(&self, values: &mut [f64]) -> Result<(), RanksError> {
        if self.count() == 1 {
            return Ok(());
        }
        let messages = self.gather(bytemuck::cast_slice::<f64, u8>(values).to_vec())?;
        // The first message is of this rank itself, which has its values already.
        for message in messages.iter().skip(1) {
            let theirs = numbers::<f64>(message, values.len())?;
            values.iter_mut().zip(theirs).for_each(|(sum, more)| *sum += more);
        }
        Ok(())
    }

    /// [`Self::sum`] in single precision: added in double precision and rounded once, so that many ranks lose no more
    /// digits than two.
    ///
    /// # Errors
    /// As [`Self::sum`].
    fn sum_singles(&self, values: &mut [f32]) -> Result<(), RanksError> {
        if self.count() == 1 {
            return Ok(());
        }
        let messages = self.gather(bytemuck::cast_slice::<f32, u8>(values).to_vec())?;
        if messages.is_empty() {
            // Only the first has messages; the others' values are in its sum.
            return Ok(());
        }
        let mut sums: Vec<f64> = values.iter().copied().map(f64::from).collect();
        for message in messages.iter().skip(1) {
            let theirs = numbers::<f32>(message, values.len())?;
            sums.iter_mut().zip(theirs).for_each(|(sum, more)| *sum += f64::from(more));
        }
        values.iter_mut().zip(sums).for_each(|(value, sum)| *value = sum as f32);
        Ok(())
    }

    /// The rank's share of `count` things in their order: all shares together are all of them, and where there are
    /// fewer than ranks the first ranks have one each.
    fn share(&self, count: usize) -> Range<usize> {
        // Both ends by one formula: no gap and no overlap, whatever the count.
        let from = |rank: usize| (rank * count).div_ceil(self.count());
        from(self.rank())..from(self.rank() + 1)
    }
}

/// The numbers of a message, which need not lie at a multiple of their size.
///
/// # Errors
/// When there are not so many.
pub fn numbers<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    message: &[u8],
    count: usize,
) -> Result<Vec<T>, RanksError> {
    match message.len() == count * size_of::<T>() {
        true => Ok(bytemuck::pod_collect_to_vec(message)),
        false => Err(RanksError::OutOfStep("of the length that was to come")),
    }
}

/// The only rank: a run on one device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError> {
        Ok(vec![message])
    }

    fn broadcast(&self, message: Vec<u8>) -> Result<Vec<u8>, RanksError> {
        Ok(message)
    }

    fn check(&self) -> Result<(), RanksError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of several of whom nothing is asked but its share.
    struct Nth(usize, usize);

    impl Ranks for Nth {
        fn rank(&self) -> usize {
            self.0
        }

        fn count(&self) -> usize {
            self.1
        }

        fn gather(&self, _: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError> {
            Err(RanksError::Ended)
        }

        fn broadcast(&self, _: Vec<u8>) -> Result<Vec<u8>, RanksError> {
            Err(RanksError::Ended)
        }

        fn check(&self) -> Result<(), RanksError> {
            Err(RanksError::Ended)
        }
    }

    #[test]
    fn shares_are_all_in_order_and_differ_by_one_at_most() {
        for ranks in 1..6 {
            for count in 0..20 {
                let shares: Vec<Range<usize>> = (0..ranks).map(|rank| Nth(rank, ranks).share(count)).collect();
                let all: Vec<usize> = shares.iter().cloned().flatten().collect();
                assert_eq!(all, (0..count).collect::<Vec<_>>(), "{ranks} ranks");
                let lengths = shares.iter().map(ExactSizeIterator::len);
                assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1, "{count} among {ranks}");
                assert_eq!(shares[0].is_empty(), count == 0);
            }
        }
    }

    #[test]
    fn alone_everything_is_what_it_was() {
        let (mut doubles, mut singles) = ([0.1, -3.0], [0.1f32, f32::MIN_POSITIVE]);
        Alone.sum(&mut doubles).unwrap();
        Alone.sum_singles(&mut singles).unwrap();
        assert_eq!((doubles, singles), ([0.1, -3.0], [0.1f32, f32::MIN_POSITIVE]));
        assert_eq!(Alone.broadcast(vec![1, 2]).unwrap(), [1, 2]);
        assert_eq!(Alone.share(7), 0..7);
    }
}
