//! Ranks that are threads of one process: the first on the thread that asks, with channels to all others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::{Ranks, RanksError};

type Message = Vec<u8>;

/// One rank on a thread of its own. When it is dropped before [`Self::finished`], as by an error or a panic, whatever
/// the others do next ends them.
pub struct ThreadRank {
    rank: usize,
    count: usize,
    lines: Lines,
    has_finished: bool,
    /// Whether one of them ended early.
    ended: Arc<AtomicBool>,
}

/// To whom a rank speaks.
enum Lines {
    /// The first: with each of the others, in their order.
    Others(Vec<Line>),
    /// Any other: with the first.
    First(Line),
}

/// Both ends that one rank has of its channels with another.
struct Line {
    to: SyncSender<Message>,
    from: Receiver<Message>,
}

impl Line {
    fn send(&self, message: Message) -> Result<(), RanksError> {
        // Nobody at the other end: that thread has ended.
        self.to.send(message).map_err(|_| RanksError::Ended)
    }

    fn receive(&self) -> Result<Message, RanksError> {
        self.from.recv().map_err(|_| RanksError::Ended)
    }
}

/// Both ends of the channels between two ranks. One message waits at most: what is summed goes in pieces, of which
/// nobody is to heap up many.
fn line() -> (Line, Line) {
    let (to_first, from_other) = sync_channel(1);
    let (to_other, from_first) = sync_channel(1);
    (Line { to: to_other, from: from_other }, Line { to: to_first, from: from_first })
}

impl ThreadRank {
    /// So many ranks that know each other, in order; at least one.
    fn all(count: usize) -> Vec<Self> {
        let count = count.max(1);
        let ended = Arc::new(AtomicBool::new(false));
        let (at_first, at_others): (Vec<Line>, Vec<Line>) = (1..count).map(|_| line()).unzip();
        let lines = std::iter::once(Lines::Others(at_first)).chain(at_others.into_iter().map(Lines::First));
        let rank = |(rank, lines)| Self { rank, count, lines, has_finished: false, ended: Arc::clone(&ended) };
        lines.enumerate().map(rank).collect()
    }

    /// Leaves the others with its work done.
    fn finished(mut self) {
        self.has_finished = true;
    }

    /// Does the work of this rank, and leaves the others in the way that it ended.
    fn at_work<T, E>(self, work: impl FnOnce(&Self) -> Result<T, E>) -> Result<T, E> {
        let done = work(&self);
        if done.is_ok() {
            self.finished();
        }
        done
    }
}

impl Drop for ThreadRank {
    fn drop(&mut self) {
        if !self.has_finished {
            self.ended.store(true, Ordering::SeqCst);
        }
    }
}

impl Ranks for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn gather(&self, message: Message) -> Result<Vec<Message>, RanksError> {
        match &self.lines {
            Lines::Others(lines) => {
                let theirs = lines.iter().map(Line::receive);
                std::iter::once(Ok(message)).chain(theirs).collect()
            }
            Lines::First(line) => line.send(message).map(|()| Vec::new()),
        }
    }

    fn broadcast(&self, message: Message) -> Result<Message, RanksError> {
        match &self.lines {
            Lines::Others(lines) => {
                lines.iter().try_for_each(|line| line.send(message.clone()))?;
                Ok(message)
            }
            Lines::First(line) => line.receive(),
        }
    }

    fn check(&self) -> Result<(), RanksError> {
        if self.ended.load(Ordering::SeqCst) { Err(RanksError::Ended) } else { Ok(()) }
    }
}

/// What the first rank came to, and each of the others.
type Joined<T, U, E> = (Result<T, E>, Vec<Result<U, E>>);

/// Bytes of a rank's stack: as much as a program's first thread has, which is what the work of one was made for.
const STACK: usize = 8 << 20;

/// Threads that multiply for this one alone, which is one of them: together about as many as the machine has cores.
/// Of the pool that all share the first rank's thread may be a part, or the whole, and it waits for messages meanwhile.
fn own_multipliers(ranks: usize) -> Option<rayon::ThreadPool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads((cores / ranks).max(1)).use_current_thread();
    // Without them the shared ones multiply, slower.
    pool.build().ok()
}

/// Runs `first` on this thread and `other`, with its place, on a thread for each of `places`, each as one rank of all.
/// Returns what the first came to, and each of the others in order.
///
/// A panic of any is a panic here, once all have ended, unless an error tells why another one ended.
///
/// # Errors
/// When no thread can be started.
pub fn on_threads<P: Send, T, U: Send, E: Send>(
    places: Vec<P>,
    first: impl FnOnce(&ThreadRank) -> Result<T, E>,
    other: impl Fn(&ThreadRank, P) -> Result<U, E> + Sync,
    is_consequence: impl Fn(&E) -> bool,
) -> Result<Joined<T, U, E>, RanksError> {
    let mut ranks = ThreadRank::all(1 + places.len()).into_iter();
    // There is always a first.
    let Some(own) = ranks.next() else { return Err(RanksError::Ended) };
    let other = &other;
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (rank, place) in ranks.zip(places) {
            let number = rank.rank;
            let thread = std::thread::Builder::new().name(format!("rank {number}")).stack_size(STACK);
            let started = thread.spawn_scoped(scope, move || {
                let _multipliers = own_multipliers(rank.count);
                rank.at_work(|rank| other(rank, place))
            });
            // Leaving drops the first rank, at which those that were started end.
            threads.push(started.map_err(|e| RanksError::Start { rank: number, reason: e.to_string() })?);
        }
        let led = own.at_work(first);
        // All, before any is looked at: whoever panicked may have done so because of another.
        let joined: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        let is_cause = |error: Option<&E>| error.is_some_and(|e| !is_consequence(e));
        let is_told = is_cause(led.as_ref().err())
            || joined.iter().any(|ended| is_cause(ended.as_ref().ok().and_then(|done| done.as_ref().err())));
        let mut others = Vec::new();
        for ended in joined {
            match ended {
                Ok(done) => others.push(done),
                // Of a device that was lost each rank hears in its own way, and one of them as an error.
                Err(_) if is_told => {}
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok((led, others))
    })
}

/// What the first came to, or which rank failed and why: of several that ended, the one that did so by itself.
///
/// # Errors
/// With the rank and its error.
pub fn outcome<T, U, E>(
    led: Result<T, E>,
    others: Vec<Result<U, E>>,
    is_consequence: impl Fn(&E) -> bool,
) -> Result<T, (usize, E)> {
    let error = match led {
        Ok(done) => return Ok(done),
        Err(error) => error,
    };
    let mut failed = others.into_iter().enumerate().filter_map(|(i, done)| Some((1 + i, done.err()?)));
    match failed.find(|(_, error)| !is_consequence(error)) {
        Some(cause) if is_consequence(&error) => Err(cause),
        _ => Err((0, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What three ranks came to, of which the first gets the sums of everybody's values.
    fn three<T: Send>(work: impl Fn(&ThreadRank) -> Result<T, RanksError> + Sync) -> Vec<Result<T, RanksError>> {
        let other = |rank: &ThreadRank, ()| work(rank);
        let consequence = |e: &RanksError| *e == RanksError::Ended;
        let (led, others) = on_threads(vec![(), ()], &work, other, consequence).unwrap();
        std::iter::once(led).chain(others).collect()
    }

    #[test]
    fn sums_are_taken_in_the_order_of_the_ranks() {
        // 1e16 + 1 is 1e16 in double precision, so that the order shows.
        let of = [[1e16, 1.0], [1.0, 2.0], [-1e16, 4.0]];
        for _ in 0..20 {
            let sums = three(|rank| {
                let mut values = of[rank.rank()];
                // Whoever is late changes nothing.
                std::thread::sleep(std::time::Duration::from_millis([2, 1, 0][rank.rank()]));
                rank.sum(&mut values)?;
                Ok(values)
            });
            assert_eq!(sums[0], Ok([(1e16 + 1.0) - 1e16, 7.0]));
            assert_eq!(sums[1], Ok(of[1]), "the others keep their own");
        }
    }

    #[test]
    fn singles_are_rounded_once() {
        let sums = three(|rank| {
            // In single precision 1 + ε/2 is 1, twice; together the halves are ε.
            let mut values = [[1.0f32], [f32::EPSILON / 2.0], [f32::EPSILON / 2.0]][rank.rank()];
            rank.sum_singles(&mut values)?;
            Ok(values[0])
        });
        assert_eq!(sums[0], Ok(1.0 + f32::EPSILON));
    }

    #[test]
    fn everybody_hears_the_first() {
        let heard = three(|rank| {
            let mut all = Vec::new();
            for round in 0..3u8 {
                all.extend(rank.broadcast(vec![rank.rank() as u8, round])?);
            }
            Ok(all)
        });
        assert_eq!(heard, vec![Ok(vec![0, 0, 0, 1, 0, 2]); 3]);
    }

    #[test]
    fn one_that_fails_ends_all_wherever_they_are() {
        for failing in 0..3 {
            let ended = three(|rank| {
                if rank.rank() == failing {
                    return Err(RanksError::OutOfStep("what failed"));
                }
                // One waits for a message and one works on its own.
                match rank.rank() == (failing + 1) % 3 {
                    true => rank.sum(&mut [1.0]).and_then(|()| rank.broadcast(Vec::new())).map(drop)?,
                    false => while rank.check().is_ok() {},
                }
                rank.check()
            });
            for (rank, ended) in ended.into_iter().enumerate() {
                let expected = if rank == failing { RanksError::OutOfStep("what failed") } else { RanksError::Ended };
                assert_eq!(ended, Err(expected), "rank {rank} when {failing} fails");
            }
        }
    }

    #[test]
    fn values_of_another_number_are_no_sum() {
        let ended = three(|rank| rank.sum(&mut vec![0.0; 1 + rank.rank()]));
        assert!(matches!(ended[0], Err(RanksError::OutOfStep(_))));
    }

    #[test]
    fn the_cause_is_told_and_not_what_followed_from_it() {
        let (ended, own) =
            (|| Err::<(), _>(RanksError::Ended), |what: &'static str| Err::<(), _>(RanksError::OutOfStep(what)));
        let told =
            |led, others| outcome(led, others, |e: &RanksError| *e == RanksError::Ended).map_err(|(rank, _)| rank);
        assert_eq!(told(ended(), vec![ended(), own("third")]), Err(2));
        assert_eq!(told(own("first"), vec![ended(), ended()]), Err(0));
        assert_eq!(told(own("first"), vec![own("second")]), Err(0));
        assert_eq!(told(ended(), vec![ended()]), Err(0));
        assert_eq!(told(Ok(()), vec![Ok(())]), Ok(()));
    }

    #[test]
    fn a_panic_goes_on_once_all_have_ended() {
        let panicked = std::panic::catch_unwind(|| {
            three(|rank| {
                assert_ne!(rank.rank(), 2, "a fault of our own");
                while rank.check().is_ok() {}
                rank.check()
            })
        });
        assert!(panicked.is_err());
    }
}
