//! What the templates see: words, tables of words, and finished figures.

use serde::Serialize;

use super::settings::{self, Setting};
use super::{Continuation, Folder, Sample, charts, figures};
use crate::eval::EvalEntry;
use crate::format;
use crate::pipeline::{LayerRecord, Report, SiteRecord};
use crate::shape::Site;

/// The whole page, under the names that its templates use.
#[derive(Serialize)]
pub struct Page<'a> {
    title: String,
    figure_style: &'static str,
    page_style: &'static str,
    version: &'static str,
    folders: Vec<FolderView<'a>>,
    ratios: String,
    head_errors: String,
    channel_errors: String,
    metrics: Vec<Metric>,
    samples: Vec<SampleView<'a>>,
}

/// A folder's parts of the page.
#[derive(Serialize)]
struct FolderView<'a> {
    name: &'a str,
    method: String,
    parameters_before: String,
    parameters_after: String,
    gone: String,
    decoder_gone: String,
    bytes_before: String,
    bytes_after: String,
    error: String,
    agreement: String,
    seconds: String,
    device: &'a str,
    heads: String,
    channels: String,
    query_heads: Gone,
    channels_of: Gone,
    origin: String,
    perplexity: Option<Metric>,
    dense_perplexity: Option<String>,
    rows: Vec<LayerRow>,
    settings: Vec<Setting>,
    typed: Vec<Setting>,
    searched: Option<super::searched::SearchView>,
    tuned: Option<super::tuned::TuneView>,
    #[cfg(feature = "gradients")]
    recovery: Option<super::recovery::RecoveryView>,
    #[cfg(not(feature = "gradients"))]
    recovery: Option<()>,
}

/// A line of the table of layers.
#[derive(Serialize)]
struct LayerRow {
    layer: String,
    ratio: String,
    kv_heads: String,
    heads: String,
    channels: String,
    head_error: String,
    head_predicted: String,
    head_measured: String,
    channel_error: String,
    channel_predicted: String,
    channel_measured: String,
}

/// A figure of the evaluation, with one value for each folder.
#[derive(Serialize)]
struct Metric {
    metric: String,
    what: String,
    n: String,
    values: Vec<String>,
}

#[derive(Serialize)]
struct SampleView<'a> {
    prompt: &'a str,
    continuations: &'a [Continuation],
}

impl<'a> Page<'a> {
    pub fn new(folders: &'a [Folder], samples: &'a [Sample]) -> Self {
        let title = match folders {
            [one] => one.name.clone(),
            several => format!("{} pruned models", several.len()),
        };
        let sample = |s: &'a Sample| SampleView { prompt: &s.prompt, continuations: &s.continuations };
        Self {
            title,
            figure_style: figures::STYLE,
            page_style: include_str!("templates/page.css"),
            version: env!("CARGO_PKG_VERSION"),
            folders: folders.iter().map(FolderView::new).collect(),
            ratios: charts::ratios(folders),
            head_errors: charts::errors(folders, Site::Heads),
            channel_errors: charts::errors(folders, Site::Channels),
            metrics: metrics(folders),
            samples: samples.iter().map(sample).collect(),
        }
    }
}

impl<'a> FolderView<'a> {
    fn new(folder: &'a Folder) -> Self {
        let report = &folder.report;
        // Of the whole model; the share of the decoder layers stands beside it, because papers mean that one.
        let gone = 1.0 - report.parameters_after as f64 / report.parameters_before as f64;
        let sum = |of: fn(&LayerRecord) -> (usize, usize)| {
            report.layers.iter().map(of).fold((0, 0), |(a, b), (before, after)| (a + before, b + after))
        };
        let (heads_before, heads_after) = sum(|l| (l.before.heads, l.after.heads));
        let (channels_before, channels_after) = sum(|l| (l.before.channels, l.after.channels));
        Self {
            name: &folder.name,
            method: settings::method(&report.plan),
            parameters_before: format::short_count(report.parameters_before),
            parameters_after: format::short_count(report.parameters_after),
            gone: format::percent(gone),
            decoder_gone: format::percent(report.plan.decoder_ratio()),
            bytes_before: format::bytes(report.bytes_before),
            bytes_after: format::bytes(report.bytes_after),
            error: format::small_percent(relative_error(report)),
            agreement: agreement(report),
            device: &report.device,
            seconds: format::seconds(report.timing.layer_seconds.iter().sum()),
            heads: figures::heads(&report.layers, figures::WIDTH).inline(),
            channels: figures::channels(&report.layers).inline(),
            query_heads: Gone::new(heads_before, heads_after),
            channels_of: Gone::new(channels_before, channels_after),
            origin: origin(report),
            dense_perplexity: dense_perplexity(&folder.evaluation),
            perplexity: folder
                .evaluation
                .iter()
                .find(|e| e.metric == EvalEntry::PPL)
                .map(|e| Metric::new(e, [Some(e)])),
            rows: report.layers.iter().zip(report.places()).map(LayerRow::new).collect(),
            settings: settings::settings(report),
            typed: settings::typed(report),
            searched: folder.searched.as_ref().map(super::searched::SearchView::new),
            tuned: folder.tuned.as_ref().map(super::tuned::TuneView::new),
            #[cfg(feature = "gradients")]
            recovery: folder.recovery.as_ref().map(super::recovery::RecoveryView::new),
            #[cfg(not(feature = "gradients"))]
            recovery: None,
        }
    }
}

/// The perplexity before, by the protocol of the first that was measured after.
fn dense_perplexity(evaluation: &[EvalEntry]) -> Option<String> {
    let after = evaluation.iter().find(|e| e.metric == EvalEntry::PPL)?;
    // What a recovery started from is nearer than what pruning did.
    let of = |metric: &str| evaluation.iter().find(|e| e.metric == metric && e.what == after.what).map(value);
    of(EvalEntry::PPL_BEFORE).or(of(EvalEntry::DENSE_PPL))
}

/// The name of the folder that was pruned.
fn origin(report: &Report) -> String {
    let source = report.source.as_deref().unwrap_or("a model in memory");
    // Both separators: a page may be made on another system than its folder.
    source.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(source).to_owned()
}

/// How many of how many went.
#[derive(Serialize)]
struct Gone {
    gone: String,
    all: String,
}

impl Gone {
    fn new(before: usize, after: usize) -> Self {
        Self { gone: format::count(before - after), all: format::count(before) }
    }
}

/// The measured errors of all sites as a share of what those sites computed that lost something.
fn relative_error(report: &Report) -> f64 {
    let sites = || report.layers.iter().flat_map(|l| [&l.heads, &l.channels]);
    // One quotient of sums: a site counts by what it computes, not as one of so many.
    let signal: f64 = sites().map(|r| r.signal).sum();
    let loss: f64 = sites().map(|r| r.measured_loss).sum();
    if signal > 0.0 { loss / signal } else { 0.0 }
}

/// How far predicted and measured errors are apart, at the worst site.
fn agreement(report: &Report) -> String {
    // Where nothing went there are two zeros, which have no quotient.
    let sites = report.layers.iter().flat_map(|l| [&l.heads, &l.channels]).filter(|r| r.measured_loss > 0.0);
    let worst = sites.map(|r| (r.predicted_loss / r.measured_loss - 1.0).abs()).fold(0.0, f64::max);
    format::small_percent(worst)
}

impl LayerRow {
    fn new((layer, place): (&LayerRecord, Option<usize>)) -> Self {
        let LayerRecord { before, after, heads, channels, .. } = layer;
        Self {
            layer: format::moved(layer.layer, place),
            ratio: layer.ratio.to_string(),
            kv_heads: format::arrow(before.kv_heads, after.kv_heads),
            heads: format::arrow(before.heads, after.heads),
            channels: format::arrow(before.channels, after.channels),
            head_error: share(heads),
            head_predicted: format::scientific(heads.predicted_loss),
            head_measured: measured(heads),
            channel_error: share(channels),
            channel_predicted: format::scientific(channels.predicted_loss),
            channel_measured: measured(channels),
        }
    }
}

/// The measured error, with its standard error where it is that of a sample.
fn measured(record: &SiteRecord) -> String {
    let loss = format::scientific(record.measured_loss);
    match record.measured_error > 0.0 {
        true => format!("{loss} ± {}", format::scientific(record.measured_error)),
        false => loss,
    }
}

/// The measured error as a share of what the site computed; reports of before that was noted have
/// no share.
fn share(record: &SiteRecord) -> String {
    match record.signal > 0.0 || record.measured_loss == 0.0 {
        true => format::small_percent(record.relative_error()),
        false => "–".into(),
    }
}

/// Every figure that some folder has, in the order in which they first occur.
fn metrics(folders: &[Folder]) -> Vec<Metric> {
    let mut seen: Vec<&EvalEntry> = Vec::new();
    for entry in folders.iter().flat_map(|f| &f.evaluation) {
        if !seen.iter().any(|s| is_same(s, entry)) {
            seen.push(entry);
        }
    }
    let of =
        |entry: &EvalEntry| Metric::new(entry, folders.iter().map(|f| f.evaluation.iter().find(|e| is_same(e, entry))));
    seen.into_iter().map(of).collect()
}

impl Metric {
    fn new<'a>(entry: &EvalEntry, found: impl IntoIterator<Item = Option<&'a EvalEntry>>) -> Self {
        Self {
            metric: entry.metric.clone(),
            what: entry.what.clone(),
            n: format::count(entry.n),
            values: found.into_iter().map(|e| e.map_or_else(|| "–".into(), value)).collect(),
        }
    }
}

fn is_same(a: &EvalEntry, b: &EvalEntry) -> bool {
    a.metric == b.metric && a.what == b.what
}

fn value(entry: &EvalEntry) -> String {
    match entry.stderr {
        Some(error) => format!("{:.4} ± {error:.4}", entry.value),
        None => format!("{:.4}", entry.value),
    }
}
