//! The screens: plain structs that draw what they hold and say what is wanted.

pub mod compare;
pub mod inspect;
pub mod plan;
#[cfg(not(target_arch = "wasm32"))]
pub mod recover;
pub mod run;
pub mod start;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::control::Wish;
use crate::mail::Pick;
use crate::model::Origin;
use crate::unfinished::Unfinished;
use crate::work::export::Form;

/// Which screen is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Screen {
    /// Choose and open a model.
    #[default]
    Start,
    /// Choose how much goes.
    Plan,
    /// Watch a run from its beginning to its end.
    Run,
    /// Train what was pruned. A page has no files to learn from.
    #[cfg(not(target_arch = "wasm32"))]
    Recover,
    /// Look at what went.
    Inspect,
    /// Dense and pruned side by side.
    Compare,
    /// One layer, cell by cell.
    Steps,
}

impl Screen {
    /// In the order of use.
    pub const ALL: &[Self] = &[
        Self::Start,
        Self::Plan,
        Self::Run,
        #[cfg(not(target_arch = "wasm32"))]
        Self::Recover,
        Self::Inspect,
        Self::Compare,
        Self::Steps,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Plan => "Plan",
            Self::Run => "Run",
            #[cfg(not(target_arch = "wasm32"))]
            Self::Recover => "Recover",
            Self::Inspect => "Inspect",
            Self::Compare => "Compare",
            Self::Steps => "Step by step",
        }
    }
}

/// What a screen wants.
#[derive(Clone)]
pub enum Action {
    /// Show a screen in place of this one.
    Show(Screen),
    /// Open a model on the Start screen.
    Open(Origin),
    /// Download a model of this name from the Hugging Face hub.
    #[cfg(not(target_arch = "wasm32"))]
    Download(String),
    /// Stop that download; what has arrived stays.
    #[cfg(not(target_arch = "wasm32"))]
    StopDownload,
    /// Ask for a folder or files.
    Pick(Pick),
    /// Begin the planned run.
    Begin,
    /// Go on with the run that was just stopped.
    GoOnHere,
    /// Go on with an interrupted run.
    GoOn(Box<Unfinished>),
    /// Forget an interrupted run; its layers stay on the disk.
    Forget(PathBuf),
    /// Search for sizes, or go on with that.
    Search,
    /// Pause, go on or stop the search.
    SearchWish(Wish),
    /// Pause, go on or stop.
    Wish(Wish),
    /// Look at a folder.
    Inspect(PathBuf),
    /// Compute how a layer's weights changed.
    Change(usize),
    /// Make the page about a pruned folder, and show it.
    Report(PathBuf),
    /// Write a pruned folder in another form.
    Export(PathBuf, Form),
    /// Use this folder as the pruned model of the comparison.
    CompareWith(PathBuf),
    /// Recover what was pruned into a folder.
    #[cfg(not(target_arch = "wasm32"))]
    Recover(PathBuf),
    /// Begin the recovery that is asked for, or go on with it.
    #[cfg(not(target_arch = "wasm32"))]
    BeginRecovery,
    /// Pause, go on or stop the recovery.
    #[cfg(not(target_arch = "wasm32"))]
    RecoveryWish(Wish),
    /// Compare a model with what was made of it.
    #[cfg(not(target_arch = "wasm32"))]
    CompareBoth(std::sync::Arc<crate::model::Model>, PathBuf),
    /// Let both models write.
    Write,
    /// Let both be silent.
    Silence,
    /// Measure the perplexity of both.
    Measure,
}
