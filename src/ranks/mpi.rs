//! Messages over MPI.
//!
//! Only point to point: MPI's own sums choose their order by themselves. And only by looking whether something has come:
//! a process that waits inside of MPI keeps a core busy, which the first rank needs for solving.

use std::time::Duration;

use mpi::environment::{Threading, Universe, initialize_with_threading, processor_name};
use mpi::request;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};

use super::{Kind, Machine, Post};

/// Most bytes that are sent at once: MPI counts in 32 bits.
const PIECE: usize = 1 << 30;
/// Looks in a row before a pause, and the longest pause between two: messages are carried on only while somebody looks.
const LOOKS: u32 = 200;
const LONGEST: Duration = Duration::from_micros(400);
/// What the launcher is told of a panic, as Rust's own programs tell it.
const PANICKED: i32 = 101;

/// The kinds of messages; MPI has their places as tags.
const KINDS: [Kind; 4] = [Kind::Task, Kind::Data, Kind::End, Kind::Leave];

/// This process as one of MPI's world, all that were started together, until it is dropped. A panic ends all of them then: MPI would wait
/// for the others, and they for this one.
pub struct World {
    post: MpiPost,
    _universe: Universe,
}

impl World {
    /// Joins the others; `None` where that was done before. Once in a program.
    pub fn join() -> Option<Self> {
        // Calls never come at once: whoever works holds the crew.
        let (universe, _) = initialize_with_threading(Threading::Serialized)?;
        let world = universe.world();
        let beside = world.split_shared(world.rank());
        let machine = Machine {
            // Two machines without a name are taken for one, which only shares memory between more.
            name: processor_name().unwrap_or_default(),
            local: place(beside.rank()),
            processes: place(beside.size()).max(1),
        };
        let post = MpiPost { rank: place(world.rank()), count: place(world.size()), machine };
        Some(Self { post, _universe: universe })
    }

    /// What carries messages to the others.
    pub fn post(&self) -> MpiPost {
        self.post.clone()
    }

    /// Ends all processes at once, for the launcher with this exit code.
    pub fn abort(&self, code: u8) -> ! {
        world().abort(code.into())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            world().abort(PANICKED);
        }
    }
}

/// Carries messages over MPI.
#[derive(Clone, Debug)]
pub struct MpiPost {
    rank: usize,
    count: usize,
    machine: Machine,
}

impl Post for MpiPost {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn send(&self, to: usize, kind: Kind, message: &[u8]) {
        let mut rest = message;
        // A piece that is not full is the last, so that a message of full ones ends with an empty one.
        loop {
            let (piece, after) = rest.split_at(rest.len().min(PIECE));
            send_piece(to, kind, piece);
            if piece.len() < PIECE {
                return;
            }
            rest = after;
        }
    }

    fn next(&self, from: usize) -> Option<Kind> {
        let status = world().process_at_rank(number(from)).immediate_probe()?;
        KINDS.get(place(status.tag())).copied()
    }

    fn receive(&self, from: usize) -> (Kind, Vec<u8>) {
        let (kind, mut whole) = receive_piece(from);
        let mut is_last = whole.len() < PIECE;
        while !is_last {
            let (_, piece) = receive_piece(from);
            is_last = piece.len() < PIECE;
            whole.extend(piece);
        }
        (kind, whole)
    }
}

fn send_piece(to: usize, kind: Kind, piece: &[u8]) {
    let world = world();
    let to = world.process_at_rank(number(to));
    let tag = KINDS.iter().position(|&known| known == kind).map_or(0, number);
    request::scope(|scope| {
        let mut sending = to.immediate_send_with_tag(scope, piece, tag);
        let mut looks = 0;
        while let Err(unfinished) = sending.test() {
            sending = unfinished;
            pause(&mut looks);
        }
    });
}

fn receive_piece(from: usize) -> (Kind, Vec<u8>) {
    let world = world();
    let from = world.process_at_rank(number(from));
    let mut looks = 0;
    loop {
        if let Some((message, status)) = from.immediate_matched_probe() {
            // Nobody sends other tags.
            let kind = KINDS.get(place(status.tag())).copied().unwrap_or(Kind::Data);
            return (kind, (message, status).matched_receive_vec().0);
        }
        pause(&mut looks);
    }
}

/// Between two looks: the first follow at once, later ones after pauses that grow.
fn pause(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    match looks.checked_sub(LOOKS) {
        None => std::thread::yield_now(),
        Some(further) => std::thread::sleep(LONGEST.min(Duration::from_micros(10) * further)),
    }
}

/// All processes. A handle of the system's, which costs nothing.
fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

/// MPI's numbers are C's, and none that is asked for here is negative.
fn place(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn number(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
