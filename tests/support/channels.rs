//! Processes that share a run as threads with channels between them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Kind, Machine, Post};

type Message = (Kind, Vec<u8>);

/// Channels from one process to all, and what has come from each and was not taken yet.
pub struct Channels {
    rank: usize,
    machine: Machine,
    to: Vec<Sender<Message>>,
    from: Vec<Mutex<(Receiver<Message>, VecDeque<Message>)>>,
}

impl Post for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.to.len()
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn send(&self, to: usize, kind: Kind, message: &[u8]) {
        // Who has left takes nothing.
        let _ = self.to[to].send((kind, message.to_vec()));
    }

    fn next(&self, from: usize) -> Option<Kind> {
        let mut from = self.from[from].lock().unwrap();
        let (channel, come) = &mut *from;
        come.extend(channel.try_iter());
        come.front().map(|(kind, _)| *kind)
    }

    fn receive(&self, from: usize) -> Message {
        let mut from = self.from[from].lock().unwrap();
        let (channel, come) = &mut *from;
        come.pop_front().unwrap_or_else(|| channel.recv().expect("a process that is there"))
    }
}

/// So many of them, in order.
pub fn channels(count: usize) -> Vec<Channels> {
    let (mut to, mut from): (Vec<Vec<_>>, Vec<Vec<_>>) = (0..count).map(|_| (Vec::new(), Vec::new())).unzip();
    for sender in &mut to {
        for receiver in &mut from {
            let (send, receive) = channel();
            sender.push(send);
            receiver.push(Mutex::new((receive, VecDeque::new())));
        }
    }
    let one = |(rank, (to, from))| Channels {
        rank,
        machine: Machine { name: "here".into(), local: rank, processes: count },
        to,
        from,
    };
    to.into_iter().zip(from).enumerate().map(one).collect()
}
