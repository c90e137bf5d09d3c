//! Pictures of panels that show the same on every machine. `UPDATE_SNAPSHOTS=1` makes them anew.

use eframe::egui::{Color32, Theme, Ui};
use egui_kittest::{Harness, SnapshotOptions};
use slimgpt::shape::Site;
use slimgpt_app::progress::Loss;
use slimgpt_app::screens::run::loss;
use slimgpt_app::steps::Steps;
use slimgpt_app::theme;
use slimgpt_app::widgets::card::card;
use slimgpt_app::widgets::map::{Head, LayerRow, State, legend, map};
use slimgpt_app::widgets::trouble::trouble;

/// Drivers round the edges of letters differently.
const FAILED_PIXELS: usize = 400;

fn picture(name: &str, look: Theme, size: [f32; 2], draw: impl FnMut(&mut Ui) + 'static) {
    let builder = Harness::builder().with_size(size).with_theme(look).wgpu().with_context_setup(theme::apply);
    let mut window = builder.build_ui(draw);
    window.run();
    let options = SnapshotOptions::new().threshold(1.0).max_failed_pixels(FAILED_PIXELS);
    window.snapshot_options(name, &options);
}

fn rows() -> Vec<LayerRow> {
    let layer = |i: usize| {
        let state = [State::Earlier, State::Done, State::Done, State::Working, State::Waiting][i];
        let scored = i < 4 && i > 0;
        let head = |h: usize| Head {
            score: scored.then(|| (1.0 + ((h * 5 + i * 3) % 8) as f64).powi(2)),
            gone: scored && (h * 5 + i * 3) % 8 < i,
        };
        let cut = matches!(state, State::Done | State::Earlier);
        LayerRow {
            state,
            heads: (0..8).map(head).collect(),
            per_group: 2,
            channels: 172,
            channels_after: 172 - 20 * i,
            channels_cut: cut,
            error: (state == State::Done).then_some(1.5 * i as f64),
        }
    };
    (0..5).map(layer).collect()
}

fn picture_of_the_map(name: &str, look: Theme) {
    picture(name, look, [640.0, 262.0], |ui| {
        card(ui, "What goes", |ui| {
            map(ui, &rows(), Some(2));
            legend(ui);
        });
    });
}

#[test]
fn the_map_of_a_run_in_light() {
    picture_of_the_map("map-light", Theme::Light);
}

#[test]
fn the_map_of_a_run_in_dark() {
    picture_of_the_map("map-dark", Theme::Dark);
}

#[test]
fn a_trouble() {
    picture("trouble", Theme::Light, [560.0, 130.0], |ui| {
        trouble(
            ui,
            "This folder cannot be used",
            "/models/x has no config.json; give the folder of a Hugging Face checkpoint",
        );
    });
}

#[test]
fn the_first_step_of_the_toy() {
    let mut steps = Steps::default();
    picture("steps", Theme::Dark, [1100.0, 700.0], move |ui| {
        steps.ui(ui);
    });
}

/// Pixels of about this colour.
fn pixels_of(pixels: &[[u8; 4]], colour: Color32) -> usize {
    let near = |a: u8, b: u8| a.abs_diff(b) < 12;
    pixels.iter().filter(|p| near(p[0], colour.r()) && near(p[1], colour.g()) && near(p[2], colour.b())).count()
}

#[test]
fn heads_and_channels_have_two_colours_in_the_chart_of_a_run() {
    let losses = |sites: &'static [Site]| {
        let loss = |(layer, site): (usize, Site)| {
            let size = if site == Site::Heads { 1.0 } else { 30.0 };
            let loss = size * (1.0 + layer as f64);
            Loss { layer, site, predicted: loss, measured: loss }
        };
        (0..6).flat_map(|layer| sites.iter().map(move |&site| (layer, site))).map(loss).collect::<Vec<_>>()
    };
    for look in [Theme::Light, Theme::Dark] {
        let drawn = |sites: &'static [Site]| {
            let colours = std::rc::Rc::new(std::cell::Cell::new([Color32::BLACK; 2]));
            let (seen, losses) = (colours.clone(), losses(sites));
            let builder = Harness::builder().with_size([520.0, 330.0]).with_theme(look).wgpu();
            let mut window = builder.with_context_setup(theme::apply).build_ui(move |ui| {
                let p = theme::palette(ui);
                seen.set([p.accent, p.second]);
                loss::ui(ui, &losses);
            });
            window.run();
            let pixels: Vec<[u8; 4]> = window.render().expect("a picture").pixels().map(|pixel| pixel.0).collect();
            colours.get().map(|colour| pixels_of(&pixels, colour))
        };
        let [both, heads, channels] =
            [&[Site::Heads, Site::Channels][..], &[Site::Heads], &[Site::Channels]].map(drawn);
        // The legend has both in any case; marks and lines only what is there.
        assert!(both[0] > channels[0] + 100 && both[1] > heads[1] + 100, "{both:?} {heads:?} {channels:?}");
    }
}
