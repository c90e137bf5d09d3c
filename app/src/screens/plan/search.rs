//! Sizes that are searched for: the search itself, and the map of costs that explains them.

use eframe::egui::{self, Align2, CornerRadius, FontId, ProgressBar, Rect, Sense, Ui, WidgetInfo, pos2, vec2};
use slimgpt::allocate::Target;
use slimgpt::format::{seconds, short};
use slimgpt::search::{Bounds, Event, SearchPlan, sizes};
use slimgpt::shape::{LayerShape, ModelConfig, Site};

use crate::control::{Control, Wish};
use crate::remedy::told;
use crate::screens::Action;
use crate::theme::{palette, sequential};
use crate::widgets::card::{primary, quiet};
use crate::widgets::trouble::problem;
use crate::widgets::wishes::wishes;

/// Height of a row of the map.
const ROW: f32 = 22.0;
/// What stands before a row.
const LABEL: f32 = 92.0;

/// A search for the model that is open.
#[derive(Default)]
pub struct Searching {
    /// Whether its sizes are wanted.
    pub is_chosen: bool,
    /// What the work looks at to pause or to stop.
    pub control: Control,
    is_going: bool,
    ended: Option<Result<(), String>>,
    done: f64,
    second: f64,
    plan: Option<Box<SearchPlan>>,
    /// What the sizes were solved for last, with them: every frame asks.
    solved: Option<Solved>,
}

/// What was asked for, and its sizes or why there are none.
type Solved = ((Target, Bounds), Result<Vec<LayerShape>, String>);

impl Searching {
    /// It begins.
    pub fn begin(&mut self, control: Control) {
        (self.is_going, self.ended, self.control) = (true, None, control);
        (self.done, self.second) = (0.0, 0.0);
    }

    /// Whether it is going.
    pub fn is_going(&self) -> bool {
        self.is_going
    }

    /// Takes note of an event.
    pub fn note(&mut self, of: &Control, event: &Event, second: f64) {
        // What is left of a search for another model may still arrive.
        if *of != self.control {
            return;
        }
        self.second = second;
        if let Event::Progress { done, total } = event {
            self.done = *done as f64 / (*total).max(1) as f64;
        }
    }

    /// It is over: found, stopped, or failed.
    pub fn ended(&mut self, of: &Control, found: Result<Option<Box<SearchPlan>>, String>) {
        if *of != self.control {
            return;
        }
        self.is_going = false;
        match found {
            Ok(Some(plan)) => (self.plan, self.solved, self.ended) = (Some(plan), None, None),
            Ok(None) => self.ended = Some(Ok(())),
            Err(words) => self.ended = Some(Err(words)),
        }
    }

    /// The sizes for what is asked for, where they are wanted and there is a map.
    pub fn shapes(
        &mut self,
        target: Target,
        bounds: Bounds,
        config: &ModelConfig,
    ) -> Option<&Result<Vec<LayerShape>, String>> {
        let plan = self.plan.as_ref().filter(|_| self.is_chosen)?;
        let asked = (target, bounds);
        if self.solved.as_ref().is_none_or(|(of, _)| *of != asked) {
            let found = sizes(&plan.map, config, &asked.1, target);
            self.solved = Some((asked, found.map(|found| found.layers).map_err(told)));
        }
        self.solved.as_ref().map(|(_, found)| found)
    }

    /// Draws what there is to wait for or to look at; returns what is wanted.
    pub fn ui(&self, ui: &mut Ui, config: &ModelConfig, can_begin: bool) -> Option<Action> {
        if self.is_going {
            return self.going(ui);
        }
        if let Some(plan) = &self.plan {
            map(ui, plan, config);
            return None;
        }
        let button = match &self.ended {
            Some(Err(words)) => {
                problem(ui, words);
                "Search again"
            }
            Some(Ok(())) => {
                quiet(ui, "It was stopped. What is known is kept, and it goes on from there.");
                "Go on searching"
            }
            None => {
                quiet(
                    ui,
                    "Each site of each layer is cut alone, and how far the model moves from what it was is measured. It takes about as long as a pruning, and serves all targets.",
                );
                "Search"
            }
        };
        if !can_begin {
            quiet(ui, "It needs a calibration text.");
        }
        primary(ui, button, can_begin).clicked().then_some(Action::Search)
    }

    fn going(&self, ui: &mut Ui) -> Option<Action> {
        let p = palette(ui);
        let paused = self.control.wish() == Wish::Pause;
        let left = (self.done > 0.0).then(|| self.second / self.done * (1.0 - self.done));
        ui.label(match (paused, left) {
            (true, _) => "The search is paused".to_owned(),
            (false, None) => "Opening the device".to_owned(),
            (false, Some(left)) => format!("Searching, {} left", seconds(left)),
        });
        let bar = ui.add(ProgressBar::new(self.done as f32).fill(p.accent).desired_height(12.0));
        bar.widget_info(|| {
            let words = format!("{:.0} percent searched", 100.0 * self.done);
            WidgetInfo::labeled(egui::accesskit::Role::ProgressIndicator, true, words)
        });
        let kept = "What is known is kept; it can be gone on with";
        let wish = ui.horizontal_wrapped(|ui| wishes(ui, &self.control, "Stop searching", kept)).inner;
        wish.map(Action::SearchWish)
    }
}

/// What a percent of the model's parameters costs in nats a token, site by site; `None` where nothing was probed.
fn costs(plan: &SearchPlan, config: &ModelConfig, site: Site) -> Vec<Option<f64>> {
    (0..plan.map.layers.len()).map(|layer| plan.map.cost_of_a_percent(config, layer, site)).collect()
}

/// Layers from left to right, attention above feed-forward: bright is dear.
fn map(ui: &mut Ui, plan: &SearchPlan, config: &ModelConfig) {
    let rows = [("attention", Site::Heads), ("feed-forward", Site::Channels)]
        .map(|(name, site)| (name, costs(plan, config, site)));
    let logs = rows.iter().flat_map(|(_, costs)| costs.iter().flatten()).map(|cost| log(*cost));
    let (least, greatest) = logs.fold((f64::MAX, f64::MIN), |(a, b), l| (a.min(l), b.max(l)));
    quiet(ui, "What a percent of the model costs where it is taken: dark is cheap, bright is dear.");
    let layers = plan.map.layers.len().max(1);
    let width = ((ui.available_width() - LABEL) / layers as f32).clamp(4.0, 26.0);
    let (all, _) = ui.allocate_exact_size(vec2(LABEL + width * layers as f32, ROW * rows.len() as f32), Sense::hover());
    let p = palette(ui);
    for (r, (name, costs)) in rows.iter().enumerate() {
        let top = all.top() + r as f32 * ROW;
        let at = pos2(all.left(), top + ROW / 2.0);
        ui.painter().text(at, Align2::LEFT_CENTER, name, FontId::proportional(12.0), p.quiet);
        for (layer, cost) in costs.iter().enumerate() {
            let left = all.left() + LABEL + layer as f32 * width;
            let cell = Rect::from_min_size(pos2(left, top), vec2(width, ROW)).shrink(1.0);
            let fill = cost.map_or(p.line, |cost| shade(cost, least, greatest));
            ui.painter().rect_filled(cell, CornerRadius::same(2), fill);
            let words = words(layer, name, *cost);
            let response = ui.interact(cell, ui.scope_id().with((r, layer)), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
            response.on_hover_text(words);
        }
    }
}

fn words(layer: usize, site: &str, cost: Option<f64>) -> String {
    match cost {
        Some(cost) => format!("Layer {layer}, {site}: {} nats a token for a percent of the model", short(cost)),
        None => format!("Layer {layer}, {site}: nothing can go"),
    }
}

/// The place of a cost between the logarithms of the least and the greatest.
fn shade(cost: f64, least: f64, greatest: f64) -> egui::Color32 {
    let width = greatest - least;
    // Costs that are all alike are neither.
    sequential(if width > 0.0 { ((log(cost) - least) / width) as f32 } else { 0.5 })
}

fn log(cost: f64) -> f64 {
    // What costs nothing has no logarithm.
    cost.max(1e-12).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_search_for_another_model_ends_no_other() {
        let (old, new) = (Control::default(), Control::default());
        let mut searching = Searching::default();
        searching.begin(old.clone());
        searching = Searching::default();
        searching.begin(new.clone());
        searching.note(&old, &Event::Progress { done: 3, total: 4 }, 9.0);
        searching.ended(&old, Ok(None));
        assert!(searching.is_going() && searching.done == 0.0);
        searching.note(&new, &Event::Progress { done: 1, total: 4 }, 1.0);
        assert_eq!(searching.done, 0.25);
        searching.ended(&new, Err("the device is gone".into()));
        assert!(!searching.is_going());
    }

    #[test]
    fn the_colour_of_a_cost_is_its_place_between_the_least_and_the_greatest() {
        let (least, greatest) = (log(0.001), log(0.1));
        assert_eq!(shade(0.001, least, greatest), sequential(0.0));
        assert_eq!(shade(0.01, least, greatest), sequential(0.5));
        assert_eq!(shade(0.1, least, greatest), sequential(1.0));
        assert_eq!(shade(0.1, greatest, greatest), sequential(0.5));
    }
}
