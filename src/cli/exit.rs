//! How the program ends. What each code means is said in one table of README.md; the help's line
//! ([`IN_SHORT`]) and a test follow it.

use std::io::ErrorKind;
use std::process::ExitCode;

use slimgpt::compare::CompareError;
use slimgpt::eval::{EvalError, TimesError};
use slimgpt::hub::HubError;
use slimgpt::pipeline::{PipelineError, PlanError};
use slimgpt::place::PlaceError;
use slimgpt::recover::RecoverError;
use slimgpt::search::SearchError;
use slimgpt::session::RecoverySessionError;
use slimgpt::text::{ChatError, TextError};

use super::{out, remedy};

pub const FAILED: u8 = 1;
pub const WRONG_USAGE: u8 = 2;
/// Ctrl-C, or a signal that asks to end. One code for all of them: what it tells a script is that the
/// same command goes on.
// 128 + 2, what a shell reports of a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// The table of README.md in a line.
pub const IN_SHORT: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (the same command goes on).";

/// A mistake in what was typed, as opposed to one met on the way.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Ctrl-C ended the command, which has said and kept what it had.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Says which of a command's files may not be put where it was to be. The remedy of a [`PlaceError`]
/// speaks of the command's output, which this is not.
pub fn named<T>(flag: &'static str, done: Result<T, PlaceError>) -> anyhow::Result<T> {
    done.map_err(|error| match error {
        PlaceError::Disk(error) => anyhow::Error::from(error).context(flag),
        refused => Usage(format!("{flag} {refused}; give it another file")).into(),
    })
}

/// The exit code of a command; an error is printed, once.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // `slimgpt inspect MODEL | head` is no failure.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(INTERRUPTED),
        Err(error) => {
            out::error(format_args!("error: {}", message(&error)));
            ExitCode::from(code_of(&error))
        }
    }
}

/// What a command comes to; with `--json` its failure is the last line of standard output too.
pub fn told_in_json(json: bool, result: anyhow::Result<()>) -> anyhow::Result<()> {
    if let Err(error) = &result
        && json
    {
        let code = code_of(error);
        let event = if code == INTERRUPTED { "stopped" } else { "failed" };
        out::json_line(&serde_json::json!({ "event": event, "message": message(error), "exit_code": code }))?;
    }
    result
}

/// The code that goes with an error.
pub fn code_of(error: &anyhow::Error) -> u8 {
    // A session's error has the pipeline's inside.
    match error.chain().find_map(|cause| cause.downcast_ref()) {
        Some(PipelineError::Stopped { .. }) => INTERRUPTED,
        _ if is_stopped_recovery(error) => INTERRUPTED,
        _ if matches!(error.downcast_ref(), Some(SearchError::Stopped { .. } | SearchError::ClimbStopped { .. })) => {
            INTERRUPTED
        }
        // Within an error of the library's too, as where a model is found by its name.
        _ if error.is::<Interrupted>() || is_of_hub(error, |e| matches!(e, HubError::Stopped)) => INTERRUPTED,
        _ if matches!(error.downcast_ref(), Some(CompareError::Stopped { .. })) => INTERRUPTED,
        _ if is_usage(error) => WRONG_USAGE,
        _ => FAILED,
    }
}

fn is_stopped_recovery(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(RecoverError::Stopped { .. })))
        || matches!(error.downcast_ref(), Some(RecoverySessionError::Recovery(RecoverError::Stopped { .. })))
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>()
        // A plan that does not fit this machine was typed right: it may fit another one.
        || matches!(error.downcast_ref(), Some(e) if !matches!(e, PlanError::Memory(_)))
        || matches!(error.downcast_ref(), Some(RecoverError::Setting { .. } | RecoverError::OtherTeacher { .. }))
        || matches!(error.downcast_ref(), Some(EvalError::Stride { .. }))
        || is_of_hub(error, |e| matches!(e, HubError::NoName(_) | HubError::WhichFile { .. } | HubError::NoText { .. }))
        || matches!(
            error.downcast_ref(),
            Some(
                SearchError::Target(_)
                    | SearchError::TooMuch { .. }
                    | SearchError::NoClimb(_)
                    | SearchError::NoLayers
                    | SearchError::BoundHeads(_)
                    | SearchError::NoWholeSites(_)
                    | SearchError::Time { .. }
                    | SearchError::TooFast { .. }
                    | SearchError::Times(_)
            )
        )
        || matches!(error.downcast_ref(), Some(TimesError::Missing | TimesError::File(_)))
        // Whichever command was to put something there.
        || error.chain().any(|cause| matches!(cause.downcast_ref(), Some(e) if is_refusal(e)))
        || matches!(error.downcast_ref(), Some(CompareError::OtherModel { .. }))
        || matches!(error.downcast_ref(), Some(TextError::NoBos | TextError::WindowTooShort(_)))
        || matches!(error.downcast_ref(), Some(ChatError::Missing | ChatError::Unknown { .. }))
}

/// Whether an error, or what lies within it, is such a one of the hub.
fn is_of_hub(error: &anyhow::Error, such: impl Fn(&HubError) -> bool) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<HubError>().is_some_and(&such))
}

fn is_refusal(error: &PlaceError) -> bool {
    !matches!(error, PlaceError::Disk(_) | PlaceError::Busy { .. })
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<std::io::Error>(), Some(e) if e.kind() == ErrorKind::BrokenPipe)
}

/// The error with its causes, leaving out those whose words the error already has, and what to type
/// instead.
pub fn message(error: &anyhow::Error) -> String {
    let said = causes(error);
    match remedy::words(error) {
        Some(remedy) => format!("{said}; {remedy}"),
        None => said,
    }
}

fn causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        // Many messages of the library quote their source already.
        .fold(error.to_string(), |said, cause| if said.contains(&cause) { said } else { format!("{said}: {cause}") })
}

#[cfg(test)]
mod tests {
    use slimgpt::allocate::AllocateError;
    use slimgpt::pipeline::FolderError;
    use slimgpt::session::FindError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("layer 3: {source}")]
    struct Quoting {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::Error::from(Quoting { source: std::io::Error::other("disk full") });
        assert_eq!(message(&error), "layer 3: disk full");
        assert_eq!(message(&error.context("while saving")), "while saving: layer 3: disk full");
    }

    #[test]
    fn the_table_of_the_readme_has_the_codes_of_the_program_and_no_others() {
        let readme = include_str!("../../README.md");
        let rows = readme.lines().skip_while(|l| !l.starts_with("| exit code |")).skip(2);
        let rows: Vec<(u8, &str)> = rows
            .map_while(|row| row.strip_prefix("| ")?.split_once(" | "))
            .map(|(code, meaning)| (code.parse().unwrap(), meaning))
            .collect();
        let codes: Vec<u8> = rows.iter().map(|row| row.0).collect();
        assert_eq!(codes, [0, FAILED, WRONG_USAGE, INTERRUPTED]);
        for (code, meaning) in rows {
            let first = meaning.split([':', ' ']).next().unwrap();
            assert!(IN_SHORT.contains(&format!("{code} {first}")), "{code} {first}");
        }
    }

    #[test]
    fn each_kind_of_error_has_its_code() {
        assert_eq!(code_of(&PipelineError::Stopped { finished: 1, layers: 2 }.into()), 130);
        assert_eq!(code_of(&Interrupted.into()), 130);
        assert_eq!(code_of(&CompareError::Stopped { finished: 1, cells: 2 }.into()), 130);
        assert_eq!(code_of(&FindError::from(HubError::Stopped).into()), 130);
        assert_eq!(code_of(&Usage("no".into()).into()), 2);
        assert_eq!(code_of(&HubError::NoName("dataset:".into()).into()), 2);
        assert_eq!(code_of(&PlanError::from(AllocateError::NoTarget).into()), 2);
        assert_eq!(code_of(&TextError::NoBos.into()), 2);
        let refused = || PlaceError::Exists { path: "out".into() };
        assert_eq!(code_of(&PipelineError::from(FolderError::from(refused())).into()), 2);
        assert_eq!(code_of(&CompareError::from(refused()).into()), 2);
        assert_eq!(code_of(&PlaceError::Busy { path: "out".into() }.into()), 1);
        assert_eq!(code_of(&PipelineError::NoWindows.into()), 1);
    }
}
