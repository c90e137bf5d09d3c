//! What was typed, and what is said about it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser};
use slimgpt_web::site::{self, Server, Wanted};

/// The page that teaches slimgpt's algorithm.
#[derive(Parser)]
#[command(name = "slimgpt-web", version)]
enum Command {
    /// Build the page's folder, which any web server can serve under any path.
    Build {
        /// An empty folder, a new name, or a folder built before, which is replaced.
        dir: PathBuf,
        #[command(flatten)]
        parts: Parts,
    },
    /// Build the folder and serve it on this machine.
    Serve {
        /// Where the folder is built.
        #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/dist"), hide_default_value = true)]
        dir: PathBuf,
        /// The port; 0 takes any that is free.
        #[arg(long, default_value_t = 8000)]
        port: u16,
        /// Serve what was built before.
        #[arg(long)]
        as_built: bool,
        #[command(flatten)]
        parts: Parts,
    },
}

/// What can be left out to build sooner.
#[derive(Args, Clone, Copy)]
struct Parts {
    /// Leave out what computes the lessons on a model.
    #[arg(long)]
    without_worker: bool,
    /// Leave out the window in the browser.
    #[arg(long)]
    without_app: bool,
}

/// Does what was typed.
pub fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Build { dir, parts } => build(&dir, parts),
        Command::Serve { dir, port, as_built, parts } => {
            if !as_built {
                build(&dir, parts)?;
            }
            let server = Server::start(&dir, port, "")?;
            say(&format!("The page is at {}; Ctrl-C ends it.", server.address()));
            server.forever();
            Ok(())
        }
    }
}

fn build(dir: &Path, parts: Parts) -> Result<()> {
    let wanted = Wanted { worker: !parts.without_worker, window: !parts.without_app };
    let sizes = site::build(dir, wanted)?;
    say(&format!("{}\n{sizes}", dir.display()));
    Ok(())
}

/// A reader that went away is no reason to end.
fn say(words: &str) {
    let _ = writeln!(std::io::stdout(), "{words}");
}
