//! Names of tasks to tasks with their files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slimgpt::eval::EvalError;
use slimgpt::eval::longbench::{DATASETS, Dataset};
use slimgpt::eval::tasks::{Task, ZERO_SHOT, by_name, find};

use crate::cli::exit::Usage;

/// A task and where its rows are.
pub enum Chosen {
    /// One of the seven.
    ZeroShot(&'static Task, PathBuf),
    /// MMLU: development and test rows.
    Mmlu(PathBuf, PathBuf),
    /// One of LongBench's datasets, whose answers are generated.
    Long(&'static Dataset, PathBuf),
}

impl Chosen {
    /// The files that its rows are in.
    pub fn files(&self) -> Vec<&PathBuf> {
        match self {
            Self::ZeroShot(_, file) | Self::Long(_, file) => vec![file],
            Self::Mmlu(development, test) => vec![development, test],
        }
    }
}

/// The tasks that are named, each once, with the files they have in `folder`.
pub fn tasks(names: &[String], folder: &Path) -> Result<Vec<Chosen>> {
    let mut wanted: Vec<Kind> = Vec::new();
    for name in names {
        let (kinds, whatever_is_there) = named(name)?;
        // A group means those of its tasks that are there; a task that is named has to be there.
        let kinds: Vec<Kind> = match whatever_is_there {
            true => kinds.into_iter().filter(|kind| kind.chosen(folder).is_ok()).collect(),
            false => kinds,
        };
        if kinds.is_empty() {
            let reason = format!("no file of {name} is here; see `slimgpt eval --help` for their names");
            return Err(EvalError::File { file: folder.display().to_string(), reason }.into());
        }
        wanted.extend(kinds);
    }
    // A task may be named by itself and be part of a group as well.
    let mut once: Vec<Kind> = Vec::new();
    for kind in wanted {
        if !once.iter().any(|other| other.name() == kind.name()) {
            once.push(kind);
        }
    }
    Ok(once.iter().map(|kind| kind.chosen(folder)).collect::<Result<_, _>>()?)
}

#[derive(Clone, Copy)]
enum Kind {
    ZeroShot(&'static Task),
    Mmlu,
    Long(&'static Dataset),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ZeroShot(task) => task.name,
            Self::Mmlu => "mmlu",
            Self::Long(dataset) => dataset.name,
        }
    }

    fn chosen(self, folder: &Path) -> Result<Chosen, EvalError> {
        const MMLU: &str = "the dev and test splits of mmlu (question, subject, choices, answer) with all subjects";
        match self {
            Self::ZeroShot(task) => Ok(Chosen::ZeroShot(task, find(folder, task.name, task.source)?)),
            Self::Mmlu => Ok(Chosen::Mmlu(find(folder, "mmlu_dev", MMLU)?, find(folder, "mmlu_test", MMLU)?)),
            Self::Long(dataset) => {
                let inside = folder.join("longbench").join(format!("{}.jsonl", dataset.name));
                let source = format!("{0}.jsonl of LongBench's data.zip (the hub's THUDM/LongBench)", dataset.name);
                let file = if inside.is_file() { inside } else { find(folder, dataset.name, &source)? };
                Ok(Chosen::Long(dataset, file))
            }
        }
    }
}

/// What a name stands for, and whether only what has its file is meant.
fn named(name: &str) -> Result<(Vec<Kind>, bool)> {
    let zero_shot = || ZERO_SHOT.into_iter().map(Kind::ZeroShot);
    let long = || DATASETS.iter().map(Kind::Long);
    match name {
        "zero-shot" => Ok((zero_shot().collect(), false)),
        "mmlu" => Ok((vec![Kind::Mmlu], false)),
        "longbench" => Ok((long().collect(), true)),
        "all" => Ok((zero_shot().chain([Kind::Mmlu]).chain(long()).collect(), true)),
        _ => {
            let known = by_name(name).map(Kind::ZeroShot);
            let known = known.or_else(|| long().find(|kind| kind.name() == name));
            let kind = known.ok_or_else(|| unknown(name))?;
            Ok((vec![kind], false))
        }
    }
}

/// Whatever can be asked for, and what it is.
pub fn names() -> Vec<(&'static str, &'static str)> {
    let groups = [
        ("zero-shot", "the seven zero-shot tasks"),
        ("mmlu", "MMLU, five-shot"),
        ("longbench", "those of LongBench whose files are there"),
        ("all", "all whose files are there"),
    ];
    let tasks = ZERO_SHOT.iter().map(|task| (task.name, "a zero-shot task"));
    let datasets = DATASETS.iter().map(|dataset| (dataset.name, "a part of LongBench"));
    groups.into_iter().chain(tasks).chain(datasets).collect()
}

fn unknown(name: &str) -> Usage {
    let known: Vec<&str> = names().into_iter().map(|(name, _)| name).collect();
    Usage(format!("--tasks {name} is not known; known are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &str, files: &[&str]) -> Result<Vec<&'static str>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("longbench")).unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let asked: Vec<String> = asked.split(',').map(str::to_owned).collect();
        let name = |chosen: Chosen| match chosen {
            Chosen::ZeroShot(task, _) => task.name,
            Chosen::Mmlu(..) => "mmlu",
            Chosen::Long(dataset, _) => dataset.name,
        };
        Ok(tasks(&asked, folder.path())?.into_iter().map(name).collect())
    }

    #[test]
    fn a_task_is_chosen_once_and_needs_its_file() {
        assert_eq!(names("piqa,boolq,piqa", &["piqa_val.jsonl", "boolq.jsonl"]).unwrap(), ["piqa", "boolq"]);
        let missing = names("zero-shot", &["piqa_val.jsonl"]).unwrap_err().to_string();
        assert!(missing.contains("boolq.jsonl") && missing.contains("super_glue"), "{missing}");
        assert!(names("mmlu", &["mmlu_dev.jsonl"]).unwrap_err().to_string().contains("mmlu_test"));
    }

    #[test]
    fn some_names_take_what_is_there() {
        let files =
            ["piqa.jsonl", "longbench/qmsum.jsonl", "hotpotqa.jsonl", "mmlu_dev.jsonl", "mmlu_test_slice.jsonl"];
        assert_eq!(names("all", &files).unwrap(), ["piqa", "mmlu", "hotpotqa", "qmsum"]);
        assert_eq!(names("longbench", &files).unwrap(), ["hotpotqa", "qmsum"]);
        assert!(names("longbench", &[]).unwrap_err().to_string().contains("no file of longbench"));
    }

    #[test]
    fn an_unknown_name_is_wrong_usage() {
        let error = names("piqq", &[]).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("openbookqa"), "{error}");
    }
}
