//! Models of the Hugging Face hub on the Start screen: those of the cache by a part of their names, and others by
//! their whole names. Nobody is asked anything before somebody presses "Download".

use std::path::PathBuf;

use eframe::egui::{self, ProgressBar, RichText, ScrollArea, Ui};
use slimgpt::format::{bytes, percent};
use slimgpt::hub::{Cached, Name};

use crate::findings::HubNews;
use crate::model::Origin;
use crate::screens::Action;
use crate::theme::palette;
use crate::widgets::card::{card, quiet};
use crate::widgets::trouble::problem;

/// What is known of the hub's cache, and what is sought.
#[derive(Default)]
pub struct HubCard {
    cached: Vec<Cached>,
    /// What is downloaded: its name, bytes that are there, and of how many.
    arriving: Option<(String, u64, u64)>,
    failed: Option<String>,
    sought: String,
}

impl HubCard {
    /// Takes note of what the work tells; the folder of a model that has come and is to be opened.
    pub fn note(&mut self, news: HubNews) -> Option<PathBuf> {
        match news {
            HubNews::Cached(Ok(cached)) => self.cached = cached,
            HubNews::Cached(Err(words)) => self.failed = Some(words),
            HubNews::Arrived(name, done, total) => {
                if let Some(arriving) = self.arriving.as_mut().filter(|(of, ..)| *of == name) {
                    (arriving.1, arriving.2) = (done, total);
                }
            }
            HubNews::Ended(name, ended) => {
                // Another may be on its way since.
                self.arriving.take_if(|(of, ..)| *of == name)?;
                match ended {
                    Ok(folder) => return Some(folder),
                    Err(words) => self.failed = Some(words),
                }
            }
        }
        None
    }

    /// A download begins.
    pub fn begins(&mut self, name: &str) {
        (self.arriving, self.failed) = (Some((name.to_owned(), 0, 0)), None);
    }

    /// Those of the cache whose names have all that was typed, whatever the case.
    fn found(&self) -> Vec<&Cached> {
        let sought = self.sought.trim().to_lowercase();
        self.cached.iter().filter(|model| model.name.to_lowercase().contains(&sought)).collect()
    }

    /// The name that could be downloaded: one that is whole, and that the cache lacks.
    fn absent(&self) -> Option<String> {
        let name = Name::of_model(self.sought.trim())?;
        let is_there = |model: &Cached| model.name == name.to_string();
        (!self.cached.iter().any(is_there)).then(|| name.to_string())
    }

    /// Draws the card; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        card(ui, "Hugging Face", |ui| {
            let label = ui.label(RichText::new("Search the models on this machine").color(palette(ui).quiet));
            let width = ui.available_width();
            let field = egui::TextEdit::singleline(&mut self.sought).hint_text("org/name").desired_width(width);
            ui.add(field).labelled_by(label.id);
            if self.cached.is_empty() {
                quiet(ui, "The cache that is shared with other programs holds no whole model.");
            }
            ScrollArea::vertical().id_salt("cached").max_height(160.0).show(ui, |ui| {
                for model in self.found() {
                    let text = RichText::new(&model.name);
                    let button = egui::Button::new(text).truncate().min_size(egui::vec2(ui.available_width(), 28.0));
                    if ui.add(button).on_hover_text(model.folder.display().to_string()).clicked() {
                        action = Some(Action::Open(Origin::Folder(model.folder.clone())));
                    }
                }
            });
            self.failed.iter().for_each(|words| problem(ui, words));
            action = self.download(ui).or(action.take());
        });
        action
    }

    fn download(&self, ui: &mut Ui) -> Option<Action> {
        if let Some((name, done, total)) = &self.arriving {
            let share = if *total == 0 { 0.0 } else { *done as f64 / *total as f64 };
            quiet(ui, format!("{name}: {} of {}", bytes(*done), bytes(*total)));
            ui.add(ProgressBar::new(share as f32).text(percent(share)));
            return None;
        }
        let name = self.absent()?;
        let pressed = ui.button("Download").on_hover_text("From the hub into the shared cache").clicked();
        quiet(ui, format!("{name} is not on this machine. Nothing is asked of anybody before you press the button."));
        pressed.then_some(Action::Download(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(sought: &str) -> HubCard {
        let cached = ["org/Tiny-Model", "org/other"].map(|name| Cached { name: name.into(), folder: name.into() });
        HubCard { cached: cached.into(), sought: sought.into(), ..HubCard::default() }
    }

    #[test]
    fn a_part_of_a_name_finds_it_and_a_whole_one_can_be_downloaded() {
        let names = |sought: &str| card(sought).found().iter().map(|model| model.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("tiny "), ["org/Tiny-Model"]);
        assert_eq!(names("").len(), 2);
        assert_eq!(names("nothing"), [] as [&str; 0]);
        assert_eq!(card("other").absent(), None);
        assert_eq!(card("org/other").absent(), None);
        assert_eq!(card(" org/new@v2 ").absent().as_deref(), Some("org/new@v2"));
        assert_eq!(card("../etc").absent(), None);
    }

    #[test]
    fn only_the_download_that_is_waited_for_counts() {
        let mut card = card("");
        card.begins("org/new");
        assert_eq!(card.note(HubNews::Arrived("org/old".into(), 3, 4)), None);
        assert_eq!(card.note(HubNews::Ended("org/old".into(), Ok("old".into()))), None);
        assert_eq!(card.arriving, Some(("org/new".into(), 0, 0)));
        assert_eq!(card.note(HubNews::Arrived("org/new".into(), 1, 4)), None);
        assert_eq!(card.note(HubNews::Ended("org/new".into(), Ok("new".into()))), Some("new".into()));
        assert_eq!((card.arriving, card.failed), (None, None));
    }
}
