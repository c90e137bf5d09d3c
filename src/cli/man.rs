//! `slimgpt man`: the help as pages for `man`.

use anyhow::Result;
use clap::{Args, Command};

use super::exit::Usage;
use super::out;

const EXAMPLES: &str = "\
Examples:
  slimgpt man > slimgpt.1
  slimgpt man export gguf > slimgpt-export-gguf.1";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Man {
    /// The command to print the page of, such as prune; by default that of the program
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

impl Man {
    /// Prints the page of a command within `program`.
    pub fn run(&self, mut program: Command) -> Result<()> {
        // Gives the commands inside their full names.
        program.build();
        let mut page = &program;
        for name in &self.command {
            page = page.find_subcommand(name).ok_or_else(|| Usage(format!("there is no command {name}")))?;
        }
        let mut text = Vec::new();
        clap_mangen::Man::new(page.clone()).render(&mut text)?;
        Ok(out::raw(String::from_utf8_lossy(&text))?)
    }
}
