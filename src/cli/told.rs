//! Whatever the program tells people to type can be typed: flags and commands in help, notes, errors
//! and remedies, and the commands of README.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use strum::IntoEnumIterator;

use super::{program, remedy};
use slimgpt::remedy::Remedy;

/// Flags of other programs (vLLM, mlx-lm, git) that texts of ours name.
const OF_OTHERS: [&str; 6] = ["--trust-remote-code", "--model-impl", "--model", "--always", "--abbrev", "--exclude"];

fn is_flag(word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// The flags that a text names.
fn flags_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| is_flag(word)).map(|word| word.trim_end_matches('-').to_owned()).collect()
}

fn flags_of(command: &clap::Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|a| a.get_long()).map(|long| format!("--{long}")));
    command.get_subcommands().for_each(|inner| flags_of(inner, found));
}

/// Every flag of every command.
fn flags() -> BTreeSet<String> {
    let mut program = program();
    // Gives help and version to every command.
    program.build();
    let mut found = BTreeSet::from(OF_OTHERS.map(str::to_owned));
    flags_of(&program, &mut found);
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    String::from_utf8(slimgpt::disk::read(file).unwrap()).unwrap()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = read(&path);
            found.push((path, text));
        }
    }
    found
}

#[test]
fn every_remedy_names_flags_that_there_are() {
    let flags = flags();
    for remedy in Remedy::iter() {
        let words = remedy::flags(remedy);
        assert!(!words.is_empty() && flags_in(&words).iter().all(|flag| flags.contains(flag)), "{remedy:?}: {words}");
    }
    assert_eq!(flags_in("give --target 0.2, or (--no-such)"), ["--target", "--no-such"]);
}

#[test]
fn every_flag_that_a_text_of_the_program_names_is_one() {
    let flags = flags();
    let mut texts = sources(&root().join("src"));
    texts.push(("README.md".into(), read(&root().join("README.md"))));
    let mut unknown = Vec::new();
    for (path, text) in texts {
        // What tests type wrong is wrong on purpose.
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = shipped.lines().filter(|line| !line.contains("cargo ") && !path.ends_with("told.rs"));
        unknown.extend(lines.flat_map(flags_in).filter(|flag| !flags.contains(flag)).map(|flag| (path.clone(), flag)));
    }
    assert_eq!(unknown, []);
}

/// The words of a line as a shell has them; what follows a `#` or four spaces is a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut spaces) = (Vec::new(), None::<String>, false, 0);
    for c in line.trim().chars() {
        spaces = if c == ' ' && !quoted { spaces + 1 } else { 0 };
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            ' ' if !quoted => {
                words.extend(word.take());
                if spaces == 4 {
                    break;
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What is typed to this program in a text: lines that begin with its name, or come to it from a pipe.
fn typed_in(text: &str) -> Vec<Vec<String>> {
    // A backslash at the end of a line goes on with the next.
    let mut joined = String::new();
    let mut goes_on = false;
    for line in text.lines() {
        let (begun, more) = line.strip_suffix('\\').map_or((line, false), |begun| (begun.trim_end(), true));
        // The indentation of what goes on is no comment.
        joined += if goes_on { begun.trim_start() } else { begun };
        joined.push(if more { ' ' } else { '\n' });
        goes_on = more;
    }
    let mut found = Vec::new();
    for line in joined.lines() {
        let words = words(line);
        let Some(begin) = words.iter().position(|word| word == "slimgpt") else { continue };
        if begin == 0 || words[begin - 1] == "|" {
            let end = words.iter().position(|word| word == ">").unwrap_or(words.len());
            found.push(words[begin..end].to_vec());
        }
    }
    // The name alone is a method of pruning.
    found.retain(|line| line.len() > 1);
    found
}

/// A command in the middle of a sentence may leave its arguments out.
#[track_caller]
fn assert_typed(line: &[String], is_whole: bool) {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion, MissingRequiredArgument};
    if let Err(wrong) = program().try_get_matches_from(line) {
        let kind = wrong.kind();
        let is_right = matches!(kind, DisplayHelp | DisplayVersion) || (!is_whole && kind == MissingRequiredArgument);
        assert!(is_right, "{line:?}: {wrong}");
    }
}

fn helps(command: &clap::Command, found: &mut Vec<String>) {
    found.extend(command.get_after_long_help().map(ToString::to_string));
    command.get_subcommands().for_each(|inner| helps(inner, found));
}

#[test]
fn every_example_of_the_help_can_be_typed() {
    let mut texts = Vec::new();
    helps(&program(), &mut texts);
    let lines: Vec<Vec<String>> = texts.iter().flat_map(|text| typed_in(text)).collect();
    assert!(lines.len() > 30, "{lines:?}");
    lines.iter().for_each(|line| assert_typed(line, true));
}

#[test]
fn every_command_of_the_readme_can_be_typed() {
    let readme = read(&root().join("README.md"));
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let ours = blocks.map(|block| block.replace("cargo run --release -- ", "slimgpt ")).collect::<String>();
    let inline = readme.split('`').filter(|code| code.starts_with("slimgpt ")).map(|code| format!("{code}\n"));
    let lines = typed_in(&ours);
    assert!(lines.len() > 10, "{lines:?}");
    lines.iter().for_each(|line| assert_typed(line, true));
    typed_in(&inline.collect::<String>()).iter().for_each(|line| assert_typed(line, false));
}

#[test]
fn a_line_is_read_as_a_shell_reads_it() {
    let text =
        "cat a | slimgpt generate ./slim --stop \"a b\" > x    (why)\nslimgpt ppl   ./slim  # and why\n not slimgpt x";
    assert_eq!(
        typed_in(text),
        [vec!["slimgpt", "generate", "./slim", "--stop", "a b"], vec!["slimgpt", "ppl", "./slim"]]
    );
    assert_eq!(
        typed_in("  slimgpt compare x \\\n      --methods exact"),
        [["slimgpt", "compare", "x", "--methods", "exact"]]
    );
}
