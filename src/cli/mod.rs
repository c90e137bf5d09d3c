//! What was typed, and what it means: arguments, progress, tables, exit codes. The only part of
//! the program that prints.

mod arguments;
mod bench;
mod choice;
mod compare;
mod demo;
mod devices;
mod evaluate;
mod exit;
mod export;
mod generate;
mod headless;
mod inspect;
mod interrupt;
mod out;
mod parse;
mod peak;
mod plan;
mod ppl;
mod progress;
mod prune;
mod remedy;
mod report;
mod show;
mod summary;
mod typed;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  slimgpt demo                                          prune the shipped model and compare
  slimgpt plan ./Llama-2-7b-hf --target 0.2             what would go, and the memory it takes
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target 0.2 --calibration c4.jsonl
  slimgpt ppl ./slim --text wiki.test.raw --join wikitext2 --seq-len 128
  slimgpt eval ./slim --tasks zero-shot --task-dir ./tasks
  slimgpt bench ./Llama-2-7b-hf ./slim                  tokens/s, latency and memory, side by side
  slimgpt compare ./Llama-2-7b-hf --text wikitext-2-raw-test.txt --calibration c4.jsonl --out ./compared
  slimgpt report ./slim

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (the same command goes on).";

/// Makes large language models smaller: removes whole attention heads and feed-forward channels,
/// on any GPU.
#[derive(Parser)]
#[command(name = "slimgpt", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prune a checkpoint folder into a smaller one
    Prune(prune::Prune),
    /// Perplexity of a model on a text
    Ppl(ppl::Ppl),
    /// Zero-shot tasks, MMLU and LongBench
    Eval(evaluate::Evaluate),
    /// Continue a prompt
    Generate(generate::Generate),
    /// What models cost: tokens/s, latency, memory, parameters, multiply-adds
    Bench(bench::Bench),
    /// What a checkpoint folder is; for a pruned one, what went
    Inspect(inspect::Inspect),
    /// Write a checkpoint for other programs: GGUF, mlx-lm, or a plain padded folder
    Export(export::Export),
    /// Ratios, parameters and memory, before any work
    Plan(plan::PlanCommand),
    /// The devices this machine has
    Devices(devices::Devices),
    /// Prune with several methods, ratios, schedules and calibrations, and compare perplexities
    Compare(compare::Compare),
    /// One HTML page about one pruned folder, or several side by side
    Report(report::ReportCommand),
    /// Prune the shipped model at 20 % and 50 % and compare
    Demo(demo::Demo),
    /// Print completions for a shell: bash, zsh, fish, powershell, elvish
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs what was typed.
pub fn main() -> ExitCode {
    headless::quiet_drivers();
    let command = Cli::parse().command;
    // What a driver refuses may come as an unwinding, wherever its results were wanted.
    let result = slimgpt::device::caught(|| run(command)).unwrap_or_else(|trouble| Err(trouble.into()));
    exit::code(result)
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Prune(command) => command.run(),
        Command::Ppl(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Generate(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Devices(command) => command.run(),
        Command::Compare(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    // Collected first, because clap_complete panics where it cannot write, as into a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "slimgpt", &mut script);
    Ok(out::raw(String::from_utf8_lossy(&script))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
