//! Environment variables that stand for flags.

use clap::Arg;
use clap::builder::{OsStr, Resettable};

/// Stands for `--device`.
pub const DEVICE: &str = "SLIMGPT_DEVICE";
/// Stands for `--memory`.
pub const MEMORY: &str = "SLIMGPT_MEMORY";

/// A variable that is set to nothing is not set, as for most programs.
pub fn unless_empty(argument: Arg) -> Arg {
    match argument.get_env().and_then(std::env::var_os) {
        Some(value) if value.is_empty() => argument.env(Resettable::<OsStr>::Reset),
        _ => argument,
    }
}

/// Where a message about a flag that nobody typed came from: a line for each variable that stands for one.
pub fn taken(message: &str, typed: impl Iterator<Item = String>) -> Vec<String> {
    let typed: Vec<String> = typed.collect();
    let is_typed = |flag: &str| typed.iter().any(|word| word.split('=').next() == Some(flag));
    let stands = |(flag, _): &(&str, &str)| message.contains(&format!("'{flag} ")) && !is_typed(flag);
    let told = |(flag, variable): (&str, &str)| format!("note: {flag} is taken from the environment, from {variable}");
    [("--device", DEVICE), ("--memory", MEMORY)].into_iter().filter(stands).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_was_not_typed_is_told_with_its_variable() {
        let message = "error: invalid value 'cuda' for '--device <DEVICE>': cuda is …";
        let words = |line: &'static str| line.split(' ').map(str::to_owned);
        assert!(taken(message, words("slimgpt bench x"))[0].contains("SLIMGPT_DEVICE"));
        assert_eq!(taken(message, words("slimgpt bench x --device cuda")), [] as [&str; 0]);
        assert_eq!(taken(message, words("slimgpt bench x --device=cuda")), [] as [&str; 0]);
    }
}
