//! Ranks that are processes. The first runs the program; all others wait for work that it begins for all, do their part
//! of it, and wait again.
//!
//! ```text
//! first    Task ──► Data … ──► End           both send one End for each piece of work, whatever becomes of it, and
//! others            Data … ◄── End ◄──       take what comes until the other's: no message is left for the next
//! ```

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Kind, Machine, Post, Ranks, RanksError};

/// What all processes do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Open a device each.
    Open,
    /// Measure texts.
    Measure,
    /// Prune a model.
    Prune,
}

/// How long the end of work that failed is waited for: all are to be over within ten seconds.
const GRACE: Duration = Duration::from_secs(8);
/// Between two looks whether a message has come.
const NAP: Duration = Duration::from_millis(1);
/// Characters that are told of a failure: small messages wait for nobody.
const MOST_SAID: usize = 900;

/// The processes that work for this one, which is the first.
pub struct Crew {
    post: Box<dyn Post>,
    grace: Duration,
    /// Whether all others wait for work. Held while work lasts: there is one piece at a time.
    is_waiting: Mutex<bool>,
}

/// What the first came to, and how the part of each other process ended, in order.
type Joined<T, E> = (Result<T, E>, Vec<Result<(), RanksError>>);

impl Crew {
    /// Of the first process, to which all others listen ([`serve`]).
    pub fn new(post: Box<dyn Post>) -> Self {
        Self { post, grace: GRACE, is_waiting: Mutex::new(true) }
    }

    /// Processes, this one included.
    pub fn count(&self) -> usize {
        self.post.count()
    }

    /// The machine that this process runs on.
    pub fn machine(&self) -> &Machine {
        self.post.machine()
    }

    /// Does `first` as the first rank, while all others do their part of `task`. Returns once the part of each has
    /// ended, or [`RanksError::Silent`] for who does not end in time after a failure.
    ///
    /// # Errors
    /// When the others are not known to wait for work, because an earlier one was left in the middle.
    pub fn lead<T, E>(
        &self,
        task: Task,
        first: impl FnOnce(&dyn Ranks) -> Result<T, E>,
    ) -> Result<Joined<T, E>, RanksError> {
        let mut is_waiting = self.is_waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Until all have ended nobody waits; a panic leaves it at that.
        if !std::mem::replace(&mut *is_waiting, false) {
            return Err(RanksError::Silent);
        }
        let rank = ProcessRank::new(&*self.post);
        let begin = encoded(&task)?;
        rank.others().for_each(|other| self.post.send(other, Kind::Task, &begin));
        let led = first(&rank);
        let followed = rank.end(&led.as_ref().map(|_| ()).map_err(|_| RanksError::Ended), self.grace);
        *is_waiting = !followed.contains(&Err(RanksError::Silent));
        Ok((led, followed))
    }

    /// Lets the others go. Whether all of them were waiting and so have heard it.
    pub fn leave(&self) -> bool {
        let mut is_waiting = self.is_waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let were_waiting = std::mem::replace(&mut *is_waiting, false);
        if were_waiting {
            (1..self.count()).for_each(|other| self.post.send(other, Kind::Leave, &[]));
        }
        were_waiting
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// Does this process's part of whatever the first begins, until that lets it go.
///
/// # Errors
/// With what went wrong here, where the first does not hear of it in time.
pub fn serve(post: &dyn Post, work: impl FnMut(Task, &dyn Ranks) -> Result<(), RanksError>) -> Result<(), RanksError> {
    serve_within(GRACE, post, work)
}

fn serve_within(
    grace: Duration,
    post: &dyn Post,
    mut work: impl FnMut(Task, &dyn Ranks) -> Result<(), RanksError>,
) -> Result<(), RanksError> {
    loop {
        let (kind, message) = post.receive(0);
        match kind {
            Kind::Leave => return Ok(()),
            Kind::Task => {
                let rank = ProcessRank::new(post);
                let done = decoded(&message, "a piece of work").and_then(|task| work(task, &rank));
                if rank.end(&done, grace).contains(&Err(RanksError::Silent)) {
                    return done;
                }
            }
            Kind::Data | Kind::End => return Err(RanksError::OutOfStep("the beginning of work")),
        }
    }
}

/// One process at one piece of work.
struct ProcessRank<'a> {
    post: &'a dyn Post,
    /// How the part of each process ended, as far as it was told. Only the first hears of all.
    ended: RefCell<Vec<Option<Result<(), RanksError>>>>,
}

impl<'a> ProcessRank<'a> {
    fn new(post: &'a dyn Post) -> Self {
        Self { post, ended: RefCell::new(vec![None; post.count()]) }
    }

    /// Those that this one speaks with.
    fn others(&self) -> std::ops::Range<usize> {
        if self.is_first() { 1..self.count() } else { 0..1 }
    }

    /// What another sends of the work in hand.
    fn take(&self, from: usize) -> Result<Vec<u8>, RanksError> {
        if self.ended.borrow()[from].is_some() {
            return Err(RanksError::Ended);
        }
        match self.post.receive(from) {
            (Kind::Data, message) => Ok(message),
            (Kind::End, message) => {
                self.ended.borrow_mut()[from] = Some(heard(&message));
                Err(RanksError::Ended)
            }
            (Kind::Task | Kind::Leave, _) => Err(RanksError::OutOfStep("of the work in hand")),
        }
    }

    /// Tells the others how this part has ended, and waits until theirs have: after a failure no longer than `grace`.
    fn end(&self, own: &Result<(), RanksError>, grace: Duration) -> Vec<Result<(), RanksError>> {
        let message = told(own);
        self.others().for_each(|other| self.post.send(other, Kind::End, &message));
        let until = own.is_err().then(|| Instant::now() + grace);
        self.others().map(|other| self.ending(other, until)).collect()
    }

    /// How the part of another ended. What it sent before, nobody wants any more.
    fn ending(&self, other: usize, until: Option<Instant>) -> Result<(), RanksError> {
        loop {
            if let Some(ended) = &self.ended.borrow()[other] {
                return ended.clone();
            }
            match until {
                Some(until) if self.post.next(other).is_none() => {
                    if Instant::now() >= until {
                        return Err(RanksError::Silent);
                    }
                    std::thread::sleep(NAP);
                }
                // Of messages, only an end is looked at, and that stands in `ended` then.
                _ => drop(self.take(other)),
            }
        }
    }
}

impl Ranks for ProcessRank<'_> {
    fn rank(&self) -> usize {
        self.post.rank()
    }

    fn count(&self) -> usize {
        self.post.count()
    }

    fn gather(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, RanksError> {
        if !self.is_first() {
            self.post.send(0, Kind::Data, &message);
            return Ok(Vec::new());
        }
        std::iter::once(Ok(message)).chain(self.others().map(|other| self.take(other))).collect()
    }

    fn broadcast(&self, message: Vec<u8>) -> Result<Vec<u8>, RanksError> {
        if !self.is_first() {
            return self.take(0);
        }
        self.others().for_each(|other| self.post.send(other, Kind::Data, &message));
        Ok(message)
    }

    fn check(&self) -> Result<(), RanksError> {
        for other in self.others() {
            if self.ended.borrow()[other].is_none() && self.post.next(other) == Some(Kind::End) {
                // Whoever ended well is no reason to end.
                drop(self.take(other));
            }
            if matches!(self.ended.borrow()[other], Some(Err(_))) {
                return Err(RanksError::Ended);
            }
        }
        Ok(())
    }
}

/// How a part ended, as a message.
#[derive(Serialize, Deserialize)]
enum Ending {
    Done,
    /// Because another's had.
    Followed,
    OutOfMemory,
    Failed(String),
}

fn told(own: &Result<(), RanksError>) -> Vec<u8> {
    let ending = match own {
        Ok(()) => Ending::Done,
        Err(RanksError::Ended) => Ending::Followed,
        Err(RanksError::OutOfMemory) => Ending::OutOfMemory,
        Err(other) => Ending::Failed(other.to_string().chars().take(MOST_SAID).collect()),
    };
    // Words always have a JSON form.
    encoded(&ending).unwrap_or_default()
}

fn heard(message: &[u8]) -> Result<(), RanksError> {
    match decoded(message, "how work ended")? {
        Ending::Done => Ok(()),
        Ending::Followed => Err(RanksError::Ended),
        Ending::OutOfMemory => Err(RanksError::OutOfMemory),
        Ending::Failed(words) => Err(RanksError::Failed(words)),
    }
}

/// Tells every other rank what the work is about.
///
/// # Errors
/// When it cannot be told (a path that is no Unicode), or another rank ended.
pub fn tell(ranks: &dyn Ranks, about: &impl Serialize) -> Result<(), RanksError> {
    ranks.broadcast(encoded(about)?).map(drop)
}

/// What the first rank [tells](tell); `what` it is stands in the error.
///
/// # Errors
/// When it is something else, or another rank ended.
pub fn hear<T: DeserializeOwned>(ranks: &dyn Ranks, what: &'static str) -> Result<T, RanksError> {
    decoded(&ranks.broadcast(Vec::new())?, what)
}

/// What every rank reports, at the first in their order; the others get none.
///
/// # Errors
/// As [`tell`] and [`hear`].
pub fn reports<T: Serialize + DeserializeOwned>(
    ranks: &dyn Ranks,
    own: &T,
    what: &'static str,
) -> Result<Vec<T>, RanksError> {
    ranks.gather(encoded(own)?)?.iter().map(|message| decoded(message, what)).collect()
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, RanksError> {
    serde_json::to_vec(value).map_err(|e| RanksError::Failed(format!("other processes cannot be told: {e}")))
}

fn decoded<T: DeserializeOwned>(message: &[u8], what: &'static str) -> Result<T, RanksError> {
    serde_json::from_slice(message).map_err(|_| RanksError::OutOfStep(what))
}

#[cfg(test)]
mod tests;
