//! How much is said beside the results: the same two flags for every command.

use clap::Args;

use super::out::Loudness;

/// How much is said on standard error.
#[derive(Args)]
pub struct Speech {
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 900)]
    quiet: bool,
    /// Say also what was chosen (device, files, template) and how long it took
    #[arg(short, long, global = true, display_order = 901)]
    verbose: bool,
}

impl Speech {
    /// How much that is.
    pub fn loudness(&self) -> Loudness {
        match (self.quiet, self.verbose) {
            (true, _) => Loudness::Quiet,
            (_, true) => Loudness::Verbose,
            _ => Loudness::Usual,
        }
    }
}
