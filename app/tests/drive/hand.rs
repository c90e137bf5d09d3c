//! A hand on the program: opens it in a window that is not there, presses what has a label, waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{DroppedFile, Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use slimgpt::hub::Settings;
use slimgpt_app::places::Places;
use slimgpt_app::saved::{Look, Saved};
use slimgpt_app::{App, Options};

/// Looks at the window before a wait is given up: some minutes, far beyond what anything takes.
const LOOKS: usize = 9000;

/// What is dropped on the window. Only where it is counts.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("a model is not read through the window".into())
    }
}

/// The program and a hand on it.
pub struct Hand {
    /// The window.
    pub window: Harness<'static, App>,
}

impl Hand {
    /// The program in its first start, keeping its things in `data`.
    pub fn on(data: &Path) -> Self {
        Self::with(data, Saved::default())
    }

    /// The program as it was left.
    pub fn with(data: &Path, saved: Saved) -> Self {
        Self::sized(data, Saved { look: Look::Light, ..saved }, vec2(1280.0, 1400.0))
    }

    /// The program in a window of this size.
    pub fn sized(data: &Path, saved: Saved, size: Vec2) -> Self {
        Self::knowing(data, Settings::of_environment(), saved, size)
    }

    /// The program that asks the hub at this address.
    pub fn asking(data: &Path, endpoint: &str) -> Self {
        let settings = Settings::of_environment();
        let hub = Settings { endpoint: endpoint.into(), token: None, offline: false, ..settings };
        Self::knowing(data, hub, Saved { look: Look::Light, ..Saved::default() }, vec2(1280.0, 1400.0))
    }

    /// The program with a hub, whose cache is in `data` like everything that it keeps.
    fn knowing(data: &Path, hub: Settings, saved: Saved, size: Vec2) -> Self {
        let theme = if saved.look == Look::Dark { Theme::Dark } else { Theme::Light };
        let hub = Some(Settings { cache: data.join("hub"), ..hub });
        let places = Places { data: Some(data.into()), hub, unpacked: Some(data.join("unpacked")) };
        let options = Options { places, open: None, saved: Some(saved) };
        let mut setup = egui_kittest::wgpu::default_wgpu_setup();
        slimgpt_app::app::computing(&mut setup);
        let builder = Harness::builder().with_size(size).with_theme(theme).wgpu_setup(setup);
        Self { window: builder.build_eframe(|cc| App::new(cc, options)) }
    }

    /// Writes what the window shows, once nothing moves any more.
    pub fn save(&mut self, file: &Path) {
        (0..8).for_each(|_| self.look());
        let image = self.window.render().expect("a picture");
        image.save(file).expect("a file that can be written");
    }

    /// The pixels of what the window shows: red, green, blue and opacity.
    pub fn pixels(&mut self) -> Vec<[u8; 4]> {
        (0..8).for_each(|_| self.look());
        self.window.render().expect("a picture").pixels().map(|pixel| pixel.0).collect()
    }

    /// Presses the button with this name, which must be there and not greyed out.
    pub fn press(&mut self, name: &str) {
        self.until(name, |hand| hand.pressable(name));
        self.window.get_by_role_and_label(Role::Button, name).click_accesskit();
        // The press is taken in one frame, what comes of it is drawn in the next.
        self.look();
        self.look();
    }

    /// Writes into the field with this name.
    pub fn write(&mut self, name: &str, text: &str) {
        self.window.get_by_role_and_label(Role::TextInput, name).focus();
        self.look();
        self.window.get_by_role_and_label(Role::TextInput, name).type_text(text);
        self.look();
        self.look();
    }

    /// Drops a file or a folder on the window.
    pub fn drop_on_it(&mut self, path: &Path) {
        self.window.input_mut().dropped_files.push(Arc::new(Dropped(path.into())));
        self.look();
    }

    /// Whether the button with this name is there and not greyed out.
    pub fn pressable(&self, name: &str) -> bool {
        let buttons = self.window.query_all_by_role_and_label(Role::Button, name);
        buttons.into_iter().any(|b| !b.accesskit_node().is_disabled())
    }

    /// Waits until a text that contains this is shown.
    pub fn see(&mut self, text: &str) {
        self.until(text, |hand| hand.shows(text));
    }

    /// Whether a text that contains this is shown.
    pub fn shows(&self, text: &str) -> bool {
        self.window.query_all_by_label_contains(text).next().is_some()
    }

    /// The labels that contain this.
    pub fn labels(&self, text: &str) -> Vec<String> {
        let found = self.window.query_all_by_label_contains(text);
        found.filter_map(|n| n.accesskit_node().label().or(n.accesskit_node().value())).collect()
    }

    /// Looks again and again until something is so.
    pub fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..LOOKS {
            self.look();
            if so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("waited in vain for {what:?}; the window shows {:#?}", self.labels(""));
    }

    /// Draws the next frame.
    pub fn look(&mut self) {
        self.window.step();
    }

    /// Opens the shipped model and goes to its plan, with so little text that a run takes seconds.
    pub fn plan_shipped(&mut self, percent: f64) {
        self.press("Shipped model");
        self.press("Plan the pruning");
        self.see("computes");
        self.window.get_by_role_and_label(Role::Slider, "removed").set_value_accesskit(percent);
        self.look();
        let settings = self.window.state_mut().settings_mut();
        (settings.request.windows, settings.request.window_tokens) = (8, 64);
        self.see("First of 8 windows, 512 tokens");
    }
}
