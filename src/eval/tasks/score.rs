//! Answers to figures: shares with their standard errors, MMLU's groups, the average of the seven.

use serde::Serialize;

use super::{Answer, Placed, Question, SUBJECTS, Task, ZERO_SHOT};

/// How an answer is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// By the sum of log p.
    Acc,
    /// By the sum over the characters of the choice.
    AccNorm,
    /// By the sum over the bytes of the choice.
    AccBytes,
}

impl Metric {
    /// All metrics, in the order in which a score holds them.
    pub const ALL: [Self; 3] = [Self::Acc, Self::AccNorm, Self::AccBytes];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acc => "acc",
            Self::AccNorm => "acc_norm",
            Self::AccBytes => "acc_bytes",
        }
    }

    fn of(self, answer: &Answer) -> bool {
        match self {
            Self::Acc => answer.acc,
            Self::AccNorm => answer.acc_norm,
            Self::AccBytes => answer.acc_bytes,
        }
    }
}

/// A mean over items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The mean, between 0 and 1.
    pub value: f64,
    /// Sample standard deviation / √n; nothing for one item.
    pub stderr: Option<f64>,
    /// How many items it is the mean of.
    pub n: usize,
}

impl Score {
    /// The mean of values; nothing for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let value = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        // One value has no spread.
        let stderr = (n > 1).then(|| (squares / (n - 1) as f64).sqrt() / (n as f64).sqrt());
        (n > 0).then_some(Self { value, stderr, n })
    }

    /// Several means as one, weighted by their items; the standard error is pooled, as lm-eval does.
    fn pooled(parts: &[Self]) -> Option<Self> {
        let n: usize = parts.iter().map(|s| s.n).sum();
        let value = parts.iter().map(|s| s.value * s.n as f64).sum::<f64>() / n as f64;
        // Each standard error back to its squares: stderr² = squares / (n − 1) / n.
        let squares = |s: &Self| s.stderr.map(|e| (s.n - 1) as f64 * e * e * s.n as f64);
        // One item alone has no spread; then the whole has no error to tell.
        let squares: Option<f64> = parts.iter().map(squares).sum();
        // Every part's own mean takes one degree of freedom.
        let stderr = squares.map(|sum| (sum / (n - parts.len()) as f64 / n as f64).sqrt());
        (n > 0).then_some(Self { value, stderr, n })
    }
}

/// The figures of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskScore {
    /// Name of the task: "boolq", …, "mmlu".
    pub task: String,
    /// What it reaches, by metric.
    pub metrics: Vec<(Metric, Score)>,
    /// Shares of what it consists of.
    pub groups: Vec<Group>,
}

/// A part of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// MMLU's name of it: "stem", …
    pub name: &'static str,
    /// Its `acc`, pooled over its subjects.
    pub acc: Score,
    /// Those of its subjects that have answers.
    pub subjects: Vec<Subject>,
}

/// A subject with its `acc`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// MMLU's name of it: "anatomy", …
    pub name: &'static str,
    /// Its `acc` over the questions that were asked.
    pub acc: Score,
}

impl TaskScore {
    /// A zero-shot task; nothing without answers.
    pub fn of(task: &Task, answers: &[Answer]) -> Option<Self> {
        let metrics = Metric::ALL.into_iter().filter(|m| task.normalised || *m == Metric::Acc);
        let score = |metric: Metric| {
            let values: Vec<f64> = answers.iter().map(|a| f64::from(u8::from(metric.of(a)))).collect();
            Score::of(&values).map(|score| (metric, score))
        };
        let metrics = metrics.map(score).collect::<Option<_>>()?;
        Some(Self { task: task.name.into(), metrics, groups: Vec::new() })
    }

    /// MMLU, by subject and group; nothing without answers.
    pub fn of_mmlu(questions: &[Placed<Question>], answers: &[Answer]) -> Option<Self> {
        let subject = |name: &'static str| {
            let own = questions.iter().zip(answers).filter(|(q, _)| q.value.item.group.as_deref() == Some(name));
            let values: Vec<f64> = own.map(|(_, a)| f64::from(u8::from(a.acc))).collect();
            Score::of(&values).map(|acc| Subject { name, acc })
        };
        let group = |&(name, subjects): &(&'static str, &[&'static str])| {
            let subjects: Vec<_> = subjects.iter().filter_map(|&s| subject(s)).collect();
            let acc = Score::pooled(&scores(&subjects))?;
            Some(Group { name, acc, subjects })
        };
        let groups: Vec<Group> = SUBJECTS.iter().filter_map(group).collect();
        let all: Vec<Score> = groups.iter().flat_map(|g| scores(&g.subjects)).collect();
        let metrics = vec![(Metric::Acc, Score::pooled(&all)?)];
        Some(Self { task: "mmlu".into(), metrics, groups })
    }

    /// What it reaches by a metric.
    pub fn by(&self, metric: Metric) -> Option<Score> {
        self.metrics.iter().find(|(m, _)| *m == metric).map(|(_, score)| *score)
    }
}

fn scores(subjects: &[Subject]) -> Vec<Score> {
    subjects.iter().map(|subject| subject.acc).collect()
}

/// The plain mean of the seven tasks as LLM-Pruner's line of papers takes it: `acc_norm` of
/// HellaSwag, ARC-challenge and OpenBookQA, `acc` of the others. Nothing when a task is missing.
pub fn seven_average(scores: &[TaskScore]) -> Option<f64> {
    let of = |task: &Task| scores.iter().find(|s| s.task == task.name)?.by(task.headline).map(|s| s.value);
    // All or none: an average of fewer would be compared with one of seven.
    let values = ZERO_SHOT.into_iter().map(of).collect::<Option<Vec<f64>>>()?;
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::tasks::Item;

    fn answer(acc: bool, acc_norm: bool) -> Answer {
        Answer { log_likelihoods: Vec::new(), acc, acc_norm, acc_bytes: false }
    }

    #[test]
    fn a_mean_and_its_standard_error_worked_by_hand() {
        // Mean 3/4; deviations ¼ ¼ ¼ −¾, squares 12/16, /3 = ¼, root ½, /√4 = ¼.
        let score = Score::of(&[1.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!((score.value, score.stderr, score.n), (0.75, Some(0.25), 4));
        assert_eq!(Score::of(&[1.0]).unwrap().stderr, None);
        assert_eq!(Score::of(&[]), None);
    }

    #[test]
    fn a_group_weighs_its_subjects_by_size() {
        let part = |value, stderr, n| Score { value, stderr: Some(stderr), n };
        let pooled = Score::pooled(&[part(0.75, 0.25, 4), part(0.5, 0.5, 2)]).unwrap();
        // (¾·4 + ½·2) / 6; squares 3·¼²·4 + 1·½²·2 = 1.25, /(6 − 2) / 6.
        assert!((pooled.value - 4.0 / 6.0).abs() < 1e-15 && pooled.n == 6);
        assert!((pooled.stderr.unwrap() - (1.25f64 / 24.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn the_average_takes_acc_norm_of_three_tasks() {
        let mut scores: Vec<TaskScore> =
            ZERO_SHOT.into_iter().map(|t| TaskScore::of(t, &[answer(true, false)]).unwrap()).collect();
        assert_eq!(seven_average(&scores), Some(4.0 / 7.0));
        assert_eq!(scores[0].metrics.len(), 1, "boolq has only acc");
        assert_eq!(scores[2].metrics.len(), 3);
        scores.pop();
        assert_eq!(seven_average(&scores), None);
    }

    #[test]
    fn mmlu_is_counted_by_subject_and_group() {
        let question = |subject: &str| Placed {
            file: "f".into(),
            line: 1,
            value: Question {
                item: Item { group: Some(subject.into()), ..Item::after("c", ["A", "B"], 0) },
                requests: Vec::new(),
            },
        };
        let questions = ["anatomy", "virology", "anatomy", "astronomy"].map(question);
        let answers = [true, false, false, true].map(|acc| answer(acc, acc));
        let score = TaskScore::of_mmlu(&questions, &answers).unwrap();
        assert_eq!(score.by(Metric::Acc).unwrap().value, 0.5);
        let groups: Vec<(&str, f64, usize)> = score.groups.iter().map(|g| (g.name, g.acc.value, g.acc.n)).collect();
        assert_eq!(groups, [("stem", 2.0 / 3.0, 3), ("other", 0.0, 1)]);
        assert_eq!(score.groups[0].subjects[0].acc.value, 0.5);
    }
}
