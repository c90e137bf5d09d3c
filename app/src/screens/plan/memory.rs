//! What the plan takes: bytes, part by part, and time.

use eframe::egui::{self, ProgressBar, RichText, Ui, vec2};
use slimgpt::activations::Placement;
use slimgpt::pipeline::Plan;
use slimgpt::shape::ModelConfig;

use crate::estimate::multiplications;
use crate::theme::palette;
use crate::widgets::card::{figure, quiet};
use slimgpt::format::{bytes, whole_seconds};

/// Draws it. `rate` is what the device did each second in an earlier run.
pub fn ui(ui: &mut Ui, plan: &Plan, config: &ModelConfig, rate: Option<f64>) {
    let memory = &plan.memory;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 34.0;
        if memory.device_bytes > 0 {
            figure(ui, &bytes(memory.device_bytes), "on the device");
        }
        figure(ui, &bytes(memory.host_bytes), "of main memory");
        if memory.disk_bytes > 0 {
            figure(ui, &bytes(memory.disk_bytes), "on disk while it runs");
        }
        let time = rate.map(|r| format!("about {}", whole_seconds(multiplications(plan, config) / r)));
        let (time, what) = match &time {
            Some(time) => (time.as_str(), "by this device's earlier runs"),
            None => ("known soon", "the first layer of a first run tells"),
        };
        figure(ui, time, what);
    });
    ui.add_space(4.0);
    parts(ui, plan);
    quiet(
        ui,
        format!(
            "{} windows of {} tokens, {} together.",
            plan.request.windows,
            plan.request.window_tokens,
            memory.batch_windows.min(plan.request.windows)
        ),
    );
}

fn parts(ui: &mut Ui, plan: &Plan) {
    let p = palette(ui);
    let memory = &plan.memory;
    // Against the largest part, so that the bars compare the parts and not the machine.
    let greatest = memory.parts.iter().map(|part| part.bytes).max().unwrap_or(1).max(1);
    egui::Grid::new("memory").num_columns(3).min_row_height(18.0).spacing(vec2(14.0, 5.0)).show(ui, |ui| {
        for part in memory.parts.iter().filter(|part| part.bytes > 0) {
            let place = match part.place {
                // Where the CPU computes there is one memory, and nothing to tell apart.
                Placement::Device if memory.device_bytes > 0 => " (device)",
                Placement::Disk => " (disk)",
                _ => "",
            };
            ui.label(RichText::new(format!("{}{place}", capital(&part.what))).small());
            let share = part.bytes as f32 / greatest as f32;
            ui.add(ProgressBar::new(share).desired_width(90.0).desired_height(7.0).fill(p.accent));
            ui.label(RichText::new(bytes(part.bytes)).small());
            ui.end_row();
        }
    });
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |c| format!("{}{}", c.to_uppercase(), letters.as_str()))
}
