//! Why there is no page.

use std::path::PathBuf;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Not one folder was given.
    #[error("there is nothing to report on: give at least one folder that slimgpt pruned")]
    NoFolders,
    /// The folder was not pruned by this program.
    #[error(
        "{} has no {file}, so it was not pruned by slimgpt; give a folder that slimgpt made by pruning",
        folder.display()
    )]
    NotPruned {
        /// The folder that was given.
        folder: PathBuf,
        /// The name of the report that it lacks.
        file: &'static str,
    },
    /// The folder's report cannot be read.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The report that was to be read.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The page could not be written where it is to be.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("{0}")]
    Place(#[from] crate::place::PlaceError),
    /// The folder's figures cannot be read.
    #[error(transparent)]
    Evaluation(#[from] crate::eval::EvalError),
    /// A template could not be read or filled in.
    #[error("the page could not be made: {0:#}")]
    Template(#[from] minijinja::Error),
}
