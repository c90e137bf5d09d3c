//! What came of a climb: complete candidates that were pruned and judged.

use serde::{Deserialize, Serialize};

use super::asked::Effort;
use super::moves::Learnt;
use super::shifts::Move;

/// A finished climb. All divergences are of complete models, pruned one layer after the other, in nats a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Climbed {
    /// What tells it from others: the search, the pruning, the sizes it began with, and the held-out text.
    pub id: String,
    /// Seed of what is chosen among moves that are worth the same.
    pub seed: u64,
    /// When it was to end.
    pub effort: Effort,
    /// Candidates that were pruned and judged.
    pub steps: usize,
    /// Those that were better than all before.
    pub accepted: usize,
    /// Whether no move was left to try.
    pub exhausted: bool,
    /// Tokens that candidates were fitted to: the first of the calibration.
    pub calibration_tokens: usize,
    /// Tokens that they were judged by.
    pub tokens: usize,
    /// Of the sizes it began with, on these tokens.
    pub start: f64,
    /// Of the best, on these tokens.
    pub reached: f64,
    /// Tokens that no candidate was chosen by.
    pub held_out_tokens: usize,
    /// Of the sizes it began with, on held-out tokens.
    pub held_out_start: f64,
    /// Of the best, on held-out tokens.
    pub held_out_reached: f64,
}

impl Climbed {
    /// Whether the held-out windows disagree, so that the sizes are those it began with.
    pub fn keeps_start(&self) -> bool {
        self.held_out_reached > self.held_out_start
    }

    /// What the sizes that were found came to on the tokens that candidates were judged by.
    pub fn reached_by_sizes(&self) -> f64 {
        if self.keeps_start() { self.start } else { self.reached }
    }
}

/// A complete model's divergence, in nats a token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// On the first few tokens.
    pub(super) few: f64,
    /// On all tokens.
    pub(super) all: f64,
}

/// A climb between two candidates: all that what follows depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Climbing {
    /// Candidates that were pruned and judged.
    pub steps: usize,
    /// Those that were better than all before.
    pub accepted: usize,
    /// Seconds that went into it, in all sessions together.
    pub seconds: f64,
    /// Of each site the place among its counts of what the climb goes on from.
    pub(super) chosen: Vec<usize>,
    /// What it began with.
    pub(super) start: Judged,
    pub(super) held_out_start: f64,
    /// What it goes on from.
    pub(super) best: Judged,
    /// Of the best on held-out tokens, once that is measured.
    pub(super) held_out_best: Option<f64>,
    pub(super) learnt: Learnt,
    /// Moves from here that were no better.
    pub(super) tried: Vec<Move>,
    /// Units that a move may shift.
    pub(super) units: usize,
    /// Moves of so many units that were no better.
    rejected: usize,
    /// Whether no move is left.
    pub(super) exhausted: bool,
}

/// Units that a move shifts at first, and at most.
const FIRST_UNITS: usize = 4;
const MOST_UNITS: usize = 16;
/// After so many moves of one size that are no better, smaller ones are tried.
const PATIENCE: usize = 6;

impl Climbing {
    /// At the start, which was judged in so many seconds.
    pub(super) fn begin(chosen: Vec<usize>, start: Judged, held_out_start: f64, seconds: f64) -> Self {
        Self {
            steps: 0,
            accepted: 0,
            seconds,
            learnt: Learnt::nothing(chosen.len()),
            chosen,
            start,
            held_out_start,
            best: start,
            held_out_best: None,
            tried: Vec::new(),
            units: FIRST_UNITS,
            rejected: 0,
            exhausted: false,
        }
    }

    /// Goes on from a candidate.
    pub(super) fn accept(&mut self, made: &Move, judged: Judged) {
        self.chosen = made.made(&self.chosen);
        (self.best, self.held_out_best) = (judged, None);
        self.accepted += 1;
        // From other sizes the same move costs something else.
        self.tried.clear();
        self.rejected = 0;
        // What led down may lead on: every candidate costs a pruning, so longer steps are tried first.
        self.units = (2 * self.units).min(MOST_UNITS);
    }

    /// Does not try a move again from here.
    pub(super) fn reject(&mut self, made: Move) {
        self.tried.push(made);
        self.rejected += 1;
        // Near the bottom only short steps lead down.
        if self.rejected >= PATIENCE && self.units > 1 {
            (self.units, self.rejected) = (self.units / 2, 0);
        }
    }

    /// Whether nothing is left to measure: the best is the start, or known on held-out tokens too.
    pub(super) fn is_checked(&self) -> bool {
        self.accepted == 0 || self.held_out_best.is_some()
    }
}
