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
mod hub;
mod inspect;
mod interrupt;
mod located;
mod man;
mod out;
mod parse;
mod peak;
mod plan;
mod ppl;
mod processes;
mod progress;
mod prune;
mod recover;
mod remedy;
mod report;
mod search;
mod show;
mod speech;
mod summary;
#[cfg(test)]
mod told;
mod typed;
mod variables;
mod version;
mod width;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use slimgpt::format;

const EXAMPLES: &str = "\
Examples:
  slimgpt demo                                          prune the shipped model and compare
  slimgpt plan ./Llama-2-7b-hf --target 0.2             what would go, and the memory it takes
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target 0.2 --calibration c4.jsonl
  slimgpt search ./SmolLM2-135M --targets 0.2,0.5 --calibration c4.jsonl --out plan.json
  slimgpt recover ./slim --data alpaca_data_cleaned.json --out ./recovered
  slimgpt ppl ./slim --text wiki.test.raw --join wikitext2 --seq-len 128
  slimgpt eval ./slim --tasks zero-shot --task-dir ./tasks
  slimgpt bench ./Llama-2-7b-hf ./slim                  tokens/s, latency and memory, side by side
  slimgpt compare ./Llama-2-7b-hf --text wikitext-2-raw-test.txt --calibration c4.jsonl --out ./compared
  slimgpt report ./slim

A model may be a folder, a GGUF or .safetensors file of it, a .zip of it, the folder of a LoRA adapter whose base is here, or a
name on the Hugging Face hub (HuggingFaceTB/SmolLM2-135M, org/name@revision), a text a file or dataset:org/name/file. Names are looked for in the cache that is shared with Hugging Face's own programs, else downloaded
into it, after saying what and how much; HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean
there, and --offline downloads nothing.

Environment: SLIMGPT_DEVICE and SLIMGPT_MEMORY stand for --device and --memory where these are not given.";

const COMPLETIONS: &str = "\
Examples:
  slimgpt completions bash > ~/.local/share/bash-completion/completions/slimgpt
  slimgpt completions zsh > ~/.zfunc/_slimgpt
  slimgpt completions fish > ~/.config/fish/completions/slimgpt.fish";

/// Makes large language models smaller: removes whole attention heads and feed-forward channels,
/// on any GPU.
#[derive(Parser)]
#[command(
    name = "slimgpt",
    version = version::VERSION,
    after_help = exit::IN_SHORT,
    after_long_help = format!("{EXAMPLES}\n\n{}", exit::IN_SHORT)
)]
struct Cli {
    #[command(flatten)]
    speech: speech::Speech,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prune a checkpoint folder into a smaller one
    Prune(prune::Prune),
    /// Search for sizes: what cutting each layer costs, and the least cost within a budget
    Search(search::SearchCommand),
    /// Train a pruned model until it is as good as its size allows
    Recover(recover::Recover),
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
    #[command(after_long_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a page for man: of the program, or of one command
    Man(man::Man),
}

impl Command {
    /// What of its arguments may be names on the hub.
    fn given(&mut self) -> Option<hub::Given<'_>> {
        match self {
            Self::Prune(command) => Some(command.given()),
            Self::Search(command) => Some(command.given()),
            Self::Recover(command) => Some(command.given()),
            Self::Ppl(command) => Some(command.given()),
            Self::Eval(command) => Some(command.given()),
            Self::Generate(command) => Some(command.given()),
            Self::Bench(command) => Some(command.given()),
            Self::Inspect(command) => Some(command.given()),
            Self::Export(command) => Some(command.given()),
            Self::Plan(command) => Some(command.given()),
            Self::Compare(command) => Some(command.given()),
            Self::Devices(_) | Self::Report(_) | Self::Demo(_) | Self::Completions { .. } | Self::Man(_) => None,
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    headless::quiet_drivers();
    // One of several processes goes on here; what the others do is done in there.
    match processes::join() {
        Ok(first) => {
            let code = carried_out();
            first.into_iter().for_each(processes::First::leave);
            code
        }
        Err(code) => code,
    }
}

/// Reads and runs what was typed.
fn carried_out() -> ExitCode {
    let started = Instant::now();
    let typed = program().try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let cli = match typed {
        Ok(cli) => cli,
        Err(wrong) => return not_run(&wrong),
    };
    out::speak(cli.speech.loudness());
    multiply_here_too();
    // What a driver refuses may come as an unwinding, wherever its results were wanted.
    let result = slimgpt::device::caught(|| run(cli.command)).unwrap_or_else(|trouble| Err(trouble.into()));
    out::detail(format_args!("took {}", format::seconds(started.elapsed().as_secs_f64())));
    exit::code(result)
}

/// Makes the main thread one of those that multiply. Each of them reserves twice the size of the processor's
/// last cache, which on servers is hundreds of megabytes, and one less of them fits narrow limits.
fn multiply_here_too() {
    // Who has begun to multiply already goes on as before.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}

fn run(mut command: Command) -> anyhow::Result<()> {
    if let Some(given) = command.given() {
        exit::told_in_json(given.events, given.found())?;
    }
    match command {
        Command::Prune(command) => command.run(),
        Command::Search(command) => command.run(),
        Command::Recover(command) => command.run(),
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
        Command::Man(command) => command.run(program()),
    }
}

/// The program with all that can be typed.
fn program() -> clap::Command {
    let program = Cli::command().mut_subcommands(pointed_on).mut_subcommands(hinted);
    match width::for_help() {
        Some(columns) => program.term_width(columns.into()),
        None => program,
    }
}

/// A short help says where the long one is.
fn pointed_on(command: clap::Command) -> clap::Command {
    let command = match command.get_after_long_help() {
        Some(_) => command.after_help("All options, more about each, and examples: --help"),
        None => command,
    };
    command.mut_subcommands(pointed_on)
}

/// Shells complete folders where folders are meant, and variables count where they are set.
fn hinted(command: clap::Command) -> clap::Command {
    let hint = |argument: clap::Arg| {
        let name = argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_string());
        match name.as_deref().unwrap_or(argument.get_id().as_str()) {
            // A folder, or a GGUF file.
            "model" | "MODEL" => argument.value_hint(ValueHint::AnyPath),
            "DENSE" | "DIR" | "FOLDER" => argument.value_hint(ValueHint::DirPath),
            "FILE" => argument.value_hint(ValueHint::FilePath),
            _ => argument,
        }
    };
    command.mut_args(hint).mut_args(variables::unless_empty).mut_subcommands(hinted)
}

/// Help and version, which were asked for; or what was typed wrong, and whether it was typed at all.
fn not_run(wrong: &clap::Error) -> ExitCode {
    // Printing may fail as on any log that went away; the exit code says it all the same.
    let _ = wrong.print();
    if wrong.use_stderr() {
        // Not `args`, which panics at a path that is no UTF-8.
        let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        variables::taken(&wrong.to_string(), typed).iter().for_each(out::error);
    }
    // 0 or 2.
    ExitCode::from(u8::try_from(wrong.exit_code()).unwrap_or(u8::MAX))
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    // Collected first, because clap_complete panics where it cannot write, as into a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program(), "slimgpt", &mut script);
    Ok(out::raw(String::from_utf8_lossy(&script))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        program().debug_assert();
    }
}
