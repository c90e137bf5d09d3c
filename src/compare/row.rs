//! What became of a cell.

use serde::{Deserialize, Serialize};

use super::Cell;
use crate::eval::Speed;
use crate::eval::tasks::{Metric, Score, TaskScore};
use crate::pipeline::Report;

/// A cell with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// The choices that were tried.
    #[serde(flatten)]
    pub cell: Cell,
    /// Where it lies in the folder of results; `None` where it could not even be planned.
    pub folder: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was pruned and measured.
    Measured(Figures),
    /// It cannot be done, in the words of the error.
    Refused(String),
}

/// What was measured of a model besides its perplexity, where that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Further {
    /// Tasks, with every metric that they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskFigure>,
    /// The average of the seven zero-shot tasks, where all were run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_of_seven: Option<f64>,
    /// What it is worth when it is trained afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// How fast it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// A pruned model after training, by the same settings and data for every row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Perplexity by the comparison's protocol.
    pub perplexity: f64,
    /// Its held-out loss.
    pub held_out: Option<f64>,
    /// The step whose numbers were kept.
    pub kept: usize,
    /// Seconds it took.
    pub seconds: f64,
}

/// A task by one of its metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFigure {
    /// Name of the task: "boolq", …, "mmlu".
    pub task: String,
    /// "acc", "acc_norm" or "acc_bytes".
    pub metric: String,
    /// Whether papers quote this metric of the task.
    pub is_headline: bool,
    /// Between 0 and 1.
    pub value: f64,
    /// Its standard error; nothing for one item.
    pub stderr: Option<f64>,
    /// Items it was taken over.
    pub n: usize,
    /// Task, data and protocol in words.
    pub what: String,
}

/// Seconds and rates of a model, as `eval::speed` measures them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Tokens of the prompt that is read at once.
    pub prompt_tokens: usize,
    /// Tokens that are written after a single one.
    pub new_tokens: usize,
    /// Times that both were measured.
    pub repeats: usize,
    /// Mean seconds for the new tokens.
    pub seconds: f64,
    /// Their sample standard deviation.
    pub standard_deviation: f64,
    /// Prompt tokens per second.
    pub prefill_tokens_per_second: f64,
    /// New tokens per second.
    pub decode_tokens_per_second: f64,
}

impl TaskFigure {
    /// Every metric of a task, of which `headline` is quoted.
    pub fn of(score: &TaskScore, headline: Metric, what: &str) -> Vec<Self> {
        let figure = |&(metric, score_by): &(Metric, Score)| Self {
            task: score.task.clone(),
            metric: metric.name().into(),
            is_headline: metric == headline,
            value: score_by.value,
            stderr: score_by.stderr,
            n: score_by.n,
            what: what.into(),
        };
        score.metrics.iter().map(figure).collect()
    }
}

impl From<&Speed> for Latency {
    fn from(speed: &Speed) -> Self {
        Self {
            prompt_tokens: speed.timed.prompt_tokens,
            new_tokens: speed.timed.new_tokens,
            repeats: speed.timed.repeats,
            seconds: speed.latency.mean,
            standard_deviation: speed.latency.standard_deviation,
            prefill_tokens_per_second: speed.prefill_rate(),
            decode_tokens_per_second: speed.decode_rate(),
        }
    }
}

/// What was measured of a pruned model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Parameters that are left, embeddings included.
    pub parameters: usize,
    /// The share of the decoder layers' parameters that went.
    pub decoder_ratio: f64,
    /// Perplexity by the comparison's protocol.
    pub perplexity: f64,
    /// Σ ‖X(W − Ŵ)ᵀ‖² over all sites and calibration tokens, as measured.
    pub error: f64,
    /// The same as the mathematics predicts it.
    pub predicted_error: f64,
    /// The measured error as a share of Σ ‖XWᵀ‖².
    pub relative_error: f64,
    /// Seconds it took to prune.
    pub seconds: f64,
    /// What else was asked for.
    #[serde(flatten)]
    pub further: Further,
}

/// What was measured of the model as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Parameters of the whole model, embeddings included.
    pub parameters: usize,
    /// Perplexity by the comparison's protocol.
    pub perplexity: f64,
    /// What else was asked for.
    #[serde(flatten)]
    pub further: Further,
}

impl Figures {
    /// Of a finished run and what was measured of its result.
    pub fn new(report: &Report, perplexity: f64, further: Further) -> Self {
        let sites = || report.layers.iter().flat_map(|l| [&l.heads, &l.channels]);
        // One quotient of sums: a site counts by what it computes, not as one of so many.
        let error: f64 = sites().map(|s| s.measured_loss).sum();
        let signal: f64 = sites().map(|s| s.signal).sum();
        Self {
            parameters: report.parameters_after,
            decoder_ratio: report.plan.decoder_ratio(),
            perplexity,
            error,
            predicted_error: sites().map(|s| s.predicted_loss).sum(),
            // Nothing put out, nothing lost: 0/0 would be NaN, for which JSON has no number.
            relative_error: if signal > 0.0 { error / signal } else { 0.0 },
            seconds: report.timing.layer_seconds.iter().sum(),
            further,
        }
    }
}

impl CellResult {
    /// The figures, where there are some.
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::Refused(_) => None,
        }
    }
}
