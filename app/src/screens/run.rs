//! Run: how far the pruning is, what goes, what it costs; pause, stop, and the way to the result.

pub mod loss;

use std::path::{Path, PathBuf};

use eframe::egui::{self, ProgressBar, ScrollArea, Ui};
use slimgpt::pipeline::{Event, Report};

use super::{Action, Screen};
use crate::control::{Control, Wish};
use crate::findings::Outcome;
use crate::progress::{Progress, rows};
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, columns, facts, figure, primary, quiet, title};
use crate::widgets::map::{LayerRow, legend, map};
use crate::widgets::trouble::trouble;
use crate::widgets::wishes::wishes;
use slimgpt::format::{bytes, count, percent, seconds, whole_seconds};

/// The Run screen: one run, and how it ended.
#[derive(Default)]
pub struct Run {
    /// What goes on, or how it ended.
    pub phase: Phase,
    /// The folder that is made.
    pub out: PathBuf,
    /// The run so far.
    pub progress: Option<Progress>,
    /// What the worker looks at to pause or to stop.
    pub control: Control,
    selected: Option<usize>,
}

/// Where a run stands.
#[derive(Default)]
pub enum Phase {
    /// Nothing was begun since the start.
    #[default]
    Idle,
    /// A run is going.
    Going,
    /// It was stopped; so many layers of so many are stored.
    Stopped(usize, usize),
    /// It failed, for this reason.
    Failed(String),
    /// It is finished, with this report.
    Finished(Box<Report>),
}

impl Run {
    /// A run begins, with nothing of the one before.
    pub fn begin(&mut self, out: PathBuf, control: Control) {
        *self = Self { phase: Phase::Going, out, progress: None, control, selected: None };
    }

    /// Whether a run is going.
    pub fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Going)
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, second: f64) {
        // The first event of a run: before it there is nothing to draw.
        if let Event::Planned { plan } = event {
            self.progress = Some(Progress::new((**plan).clone()));
        }
        if let Some(progress) = &mut self.progress {
            progress.note(event, second);
        }
    }

    /// The run is over, in one way or another.
    pub fn ended(&mut self, outcome: Result<Outcome, String>) {
        self.phase = match outcome {
            Ok(Outcome::Finished(report)) => Phase::Finished(report),
            Ok(Outcome::Stopped(finished, layers)) => Phase::Stopped(finished, layers),
            Err(words) => Phase::Failed(words),
        };
    }

    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        title(
            ui,
            "Run",
            "Layer by layer: heads first, then channels. Every finished layer is stored, so nothing is lost.",
        );
        let action = match &self.phase {
            Phase::Idle => return idle(ui),
            Phase::Going => self.going(ui),
            Phase::Stopped(finished, layers) => stopped(ui, *finished, *layers),
            Phase::Failed(words) => failed(ui, words),
            Phase::Finished(report) => finished(ui, report, &self.out),
        };
        ui.add_space(GAP);
        let finished = match &self.phase {
            Phase::Finished(report) => Some(rows(report)),
            _ => None,
        };
        // The report knows also the heads of layers that were finished in an earlier session.
        let rows = finished.as_ref().or(self.progress.as_ref().map(|p| &p.rows));
        if let Some(rows) = rows {
            self.selected = details(ui, rows, self.progress.as_ref(), self.selected);
        }
        action
    }

    fn going(&self, ui: &mut Ui) -> Option<Action> {
        let paused = self.control.wish() == Wish::Pause;
        card(ui, "", |ui| {
            match &self.progress {
                None => {
                    ui.horizontal(|ui| {
                        ui.spinner();
                        ui.label("Opening the device and the output folder");
                    });
                }
                Some(progress) => going(ui, progress, paused),
            }
            self.buttons(ui)
        })
    }

    fn buttons(&self, ui: &mut Ui) -> Option<Action> {
        let mut wish = None;
        ui.horizontal_wrapped(|ui| {
            wish = wishes(ui, &self.control, "Stop", "Finished layers are kept; the run can be gone on with");
            if self.control.wish() == Wish::Stop {
                quiet(ui, "Stopping…");
            } else {
                quiet(ui, format!("Makes {}", self.out.display()));
            }
        });
        wish.map(Action::Wish)
    }
}

fn going(ui: &mut Ui, progress: &Progress, paused: bool) {
    let p = palette(ui);
    let meter = &progress.meter;
    let share = meter.position() as f32 / meter.length().max(1) as f32;
    let doing = progress.doing();
    ui.label(if paused { format!("Paused. {doing}") } else { doing.clone() });
    let bar = ProgressBar::new(share).fill(p.accent).desired_height(12.0);
    let response = ui.add(bar);
    response.widget_info(|| {
        egui::WidgetInfo::labeled(
            egui::accesskit::Role::ProgressIndicator,
            true,
            format!("{:.0} percent done", 100.0 * share),
        )
    });
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 34.0;
        figure(ui, &percent(share.into()), "done");
        let left = meter.seconds_left(progress.second).map_or("-".into(), seconds);
        figure(ui, &left, "left");
        figure(ui, &count(meter.tokens_per_second(progress.second) as usize), "tokens a second");
        figure(ui, &whole_seconds(progress.second), "since the beginning");
        let memory = &progress.plan.memory;
        figure(ui, &bytes(memory.device_bytes + memory.host_bytes), "of memory planned");
    });
    ui.add_space(4.0);
}

fn idle(ui: &mut Ui) -> Option<Action> {
    card(ui, "Nothing is running", |ui| {
        quiet(ui, "Plan a pruning and begin it; here you then see what goes.");
        primary(ui, "Go to the plan", true).clicked().then_some(Action::Show(Screen::Plan))
    })
}

fn stopped(ui: &mut Ui, finished: usize, layers: usize) -> Option<Action> {
    card(ui, "Stopped", |ui| {
        quiet(ui, format!("{finished} of {layers} layers are finished and kept. The run goes on from there."));
        primary(ui, "Go on", true).clicked().then_some(Action::GoOnHere)
    })
}

fn failed(ui: &mut Ui, words: &str) -> Option<Action> {
    trouble(ui, "The run failed", words).then_some(Action::Show(Screen::Plan))
}

fn finished(ui: &mut Ui, report: &Report, out: &Path) -> Option<Action> {
    let gone = 1.0 - report.parameters_after as f64 / report.parameters_before as f64;
    card(ui, "Finished", |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 34.0;
            figure(ui, &percent(gone), "fewer parameters");
            figure(ui, &count(report.parameters_after), "parameters left");
            figure(ui, &bytes(report.bytes_after), &format!("instead of {}", bytes(report.bytes_before)));
            figure(ui, &seconds(report.timing.layer_seconds.iter().sum()), "for the layers");
        });
        quiet(ui, out.display().to_string());
        ui.horizontal(|ui| {
            let inspect = primary(ui, "Inspect the result", true).clicked().then(|| Action::Inspect(out.into()));
            let compare = ui.button("Compare with the dense model").clicked();
            let action = inspect.or(compare.then(|| Action::CompareWith(out.into())));
            #[cfg(not(target_arch = "wasm32"))]
            let action = action.or(ui.button("Recover it").clicked().then(|| Action::Recover(out.into())));
            action
        })
        .inner
    })
}

fn details(ui: &mut Ui, rows: &[LayerRow], progress: Option<&Progress>, selected: Option<usize>) -> Option<usize> {
    let mut chosen = selected;
    columns(ui, 420.0, 2, |i, ui| match i {
        0 => card(ui, "What goes", |ui| {
            ScrollArea::vertical().id_salt("map").max_height(420.0).show(ui, |ui| {
                chosen = map(ui, rows, selected).or(selected);
            });
            ui.add_space(4.0);
            legend(ui);
        }),
        _ => {
            card(ui, "Squared error of each layer", |ui| match progress {
                Some(progress) if !progress.losses.is_empty() => loss::ui(ui, &progress.losses),
                _ => {
                    quiet(ui, "Predicted and measured errors appear here as layers finish.");
                }
            });
            if let Some(row) = chosen.and_then(|i| rows.get(i)) {
                ui.add_space(GAP);
                layer(ui, chosen.unwrap_or(0), row);
            }
        }
    });
    chosen
}

fn layer(ui: &mut Ui, index: usize, row: &LayerRow) {
    card(ui, &format!("Layer {index}"), |ui| {
        let gone: Vec<String> = (0..row.heads.len()).filter(|&h| row.heads[h].gone).map(|h| h.to_string()).collect();
        let gone = if gone.is_empty() { "none".into() } else { gone.join(", ") };
        let error = row.error.map_or("not known yet".into(), slimgpt::format::short);
        let channels = slimgpt::format::arrow(row.channels, row.channels_after);
        facts(ui, "layer-facts", [("Heads gone", gone), ("Channels", channels), ("Squared error", error)]);
    });
}
