//! Messages between processes that share a run: what carries them, and what they are.

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the first: work for all begins, and this is which.
    Task,
    /// Something of the work in hand.
    Data,
    /// The work in hand has ended for its sender, and this is how.
    End,
    /// From the first: no more work will come.
    Leave,
}

/// The machine that a process runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name in the network.
    pub name: String,
    /// Which of the processes on this machine this is, from 0.
    pub local: usize,
    /// How many of them there are on it.
    pub processes: usize,
}

/// Carries messages between one process and all others. What one sends to another arrives in the order in which it was
/// sent.
pub trait Post: Send + Sync {
    /// Which process this is; the first is 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn count(&self) -> usize;

    /// Where this one runs.
    fn machine(&self) -> &Machine;

    /// Hands a message over. Large ones may wait here until they are wanted there; small ones wait for nobody.
    fn send(&self, to: usize, kind: Kind, message: &[u8]);

    /// What the next message of `from` is, if it has come.
    fn next(&self, from: usize) -> Option<Kind>;

    /// The next message of `from`, once it has come.
    fn receive(&self, from: usize) -> (Kind, Vec<u8>);
}
