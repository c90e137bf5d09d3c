//! Finished tasks: tables for people, figures for the record.

use anyhow::Result;
use serde::{Serialize, Serializer};
use slimgpt::eval::longbench::Dataset;
use slimgpt::eval::tasks::{Begin, Group, Metric, Score, TaskScore, seven_average};
use slimgpt::eval::{BadRow, EvalEntry};
use slimgpt::format;

use super::load;
use crate::cli::{out, show};

/// A task that was run.
#[derive(Serialize)]
pub struct Finished {
    task: &'static str,
    /// Task, data and protocol in words.
    what: String,
    // A list, because the order of the metrics is that of the table.
    #[serde(serialize_with = "as_map")]
    metrics: Vec<(&'static str, Score)>,
    /// MMLU's groups of subjects; empty for every other task.
    groups: Vec<Group>,
    /// Lines of the rows of which a text did not fit the model whole.
    cut_to_fit: Vec<usize>,
    /// Rows that could not be used.
    skipped: usize,
    // Not printed, since metrics and groups say the same; kept for the average of the seven.
    #[serde(skip)]
    score: Option<TaskScore>,
}

impl Finished {
    /// A task with choices.
    pub fn choices(task: &'static str, what: String, score: TaskScore, cut_to_fit: Vec<usize>, skipped: usize) -> Self {
        let metrics = score.metrics.iter().map(|(metric, score)| (metric.name(), *score)).collect();
        Self { task, what, metrics, groups: score.groups.clone(), cut_to_fit, skipped, score: Some(score) }
    }

    /// A task with generated answers.
    pub fn long(dataset: &'static Dataset, what: String, score: Score, cut_to_fit: Vec<usize>, skipped: usize) -> Self {
        let metrics = vec![(dataset.measure.name(), score)];
        Self { task: dataset.name, what, metrics, groups: Vec::new(), cut_to_fit, skipped, score: None }
    }

    /// The figures for the record; MMLU's groups beside the whole.
    pub fn entries(&self) -> Vec<EvalEntry> {
        let entry = |what: String, metric: &str, score: &Score| EvalEntry {
            what,
            metric: metric.into(),
            value: score.value,
            stderr: score.stderr,
            n: score.n,
        };
        let own = self.metrics.iter().map(|(metric, score)| entry(self.what.clone(), metric, score));
        let groups = self.groups.iter().map(|g| entry(format!("{} ({})", self.what, g.name), "acc", &g.acc));
        own.chain(groups).collect()
    }

    fn row(&self) -> Vec<String> {
        let metrics = self.metrics.iter().map(|(name, score)| format!("{name} {}", share(score)));
        // All metrics of a task are taken over the same rows.
        let n = self.metrics.first().map_or(0, |(_, score)| score.n);
        let metrics: Vec<String> = metrics.collect();
        vec![
            self.task.to_owned(),
            format::count(n),
            metrics.join("  "),
            format::count(self.cut_to_fit.len()),
            format::count(self.skipped),
        ]
    }
}

/// `{"acc": …, "acc_norm": …}`, in this order.
fn as_map<S: Serializer>(metrics: &[(&'static str, Score)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metrics.iter().copied())
}

/// "41.20 ± 0.93": in hundredths, with the standard error.
fn share(score: &Score) -> String {
    let error = score.stderr.map_or_else(String::new, |e| format!(" ± {:.2}", 100.0 * e));
    format!("{:.2}{error}", 100.0 * score.value)
}

/// The average of the seven, when all were run.
pub fn average(finished: &[Finished]) -> Option<f64> {
    let scores: Vec<TaskScore> = finished.iter().filter_map(|f| f.score.clone()).collect();
    seven_average(&scores)
}

/// The same for the record.
pub fn average_entry(finished: &[Finished], begin: Begin) -> Option<EvalEntry> {
    let value = average(finished)?;
    let acc = |f: &Finished| f.score.as_ref().and_then(|s| s.by(Metric::Acc)).map(|score| score.n);
    // MMLU has acc as well, but is none of the seven.
    let n = finished.iter().filter(|f| f.task != "mmlu").filter_map(acc).sum();
    let what = format!("average of the seven zero-shot tasks, {n} rows, {}", load::begin(begin));
    Some(EvalEntry { what, metric: "acc or acc_norm".into(), value, stderr: None, n })
}

/// The table, the groups of MMLU, the average, and what was left out.
pub fn print(finished: &[Finished], skipped: &[BadRow]) -> Result<()> {
    let rows: Vec<Vec<String>> = finished.iter().map(Finished::row).collect();
    out::line(show::table(&["task", "rows", "% ± standard error", "cut to fit", "skipped"], &rows))?;
    for task in finished.iter().filter(|f| !f.groups.is_empty()) {
        let rows: Vec<Vec<String>> = task.groups.iter().flat_map(group_rows).collect();
        out::line(show::table(&[task.task, "rows", "acc"], &rows))?;
    }
    if let Some(average) = average(finished) {
        out::line(format_args!(
            "average of the seven {:.2} (acc_norm of hellaswag, arc_challenge and openbookqa, acc of the others)",
            100.0 * average
        ))?;
    }
    out::line("protocols:")?;
    for task in finished {
        out::line(format_args!("  {}", task.what))?;
    }
    // Which rows these are is a note, not a figure: it goes to standard error.
    for task in finished.iter().filter(|task| !task.cut_to_fit.is_empty()) {
        out::note(format_args!("{}: cut to fit the model's context: lines {}", task.task, lines(&task.cut_to_fit)));
    }
    for row in skipped {
        out::note(format_args!("skipped {row}"));
    }
    Ok(())
}

/// Some line numbers, and how many more there are.
fn lines(of: &[usize]) -> String {
    const SHOWN: usize = 40;
    let more = of.len().saturating_sub(SHOWN);
    let end = if more > 0 { format!(" and {more} more") } else { String::new() };
    show::ranges(&of[..of.len() - more]) + &end
}

fn group_rows(group: &Group) -> Vec<Vec<String>> {
    let row = |name: String, score: &Score| vec![name, format::count(score.n), share(score)];
    let subjects = group.subjects.iter().map(|subject| row(format!("  {}", subject.name), &subject.acc));
    std::iter::once(row(group.name.to_owned(), &group.acc)).chain(subjects).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shown_in_hundredths() {
        assert_eq!(share(&Score { value: 0.412, stderr: Some(0.00931), n: 9 }), "41.20 ± 0.93");
        assert_eq!(share(&Score { value: 1.0, stderr: None, n: 1 }), "100.00");
    }

    #[test]
    fn of_many_lines_some_are_named() {
        assert_eq!(lines(&[2, 3, 9]), "2-3, 9");
        assert_eq!(lines(&(1..=50).collect::<Vec<_>>()), "1-40 and 10 more");
    }
}
