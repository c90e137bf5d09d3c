//! Models of the Hugging Face hub on the Start screen: those of the cache by a part of their names, and others by
//! their whole names. Nobody is asked anything before somebody presses "Download".

use std::path::PathBuf;

use eframe::egui::{self, ProgressBar, RichText, ScrollArea, Ui};
use slimgpt::format::{bytes, percent, whole_seconds};
use slimgpt::hub::{Cached, Name, Pace};

use crate::control::{Control, Wish};
use crate::findings::HubNews;
use crate::model::Origin;
use crate::screens::Action;
use crate::theme::palette;
use crate::widgets::card::{card, quiet};
use crate::widgets::trouble::{problem, remark};

/// What is known of the hub's cache, and what is sought.
#[derive(Default)]
pub struct HubCard {
    cached: Vec<Cached>,
    arriving: Option<Arriving>,
    /// How the last download ended, where it brought no model: whether that is a fault, and what there is to say.
    ended: Option<(bool, String)>,
    sought: String,
}

/// What is being downloaded.
struct Arriving {
    name: String,
    /// By which it is stopped, and its news are told from those of one before.
    control: Control,
    pace: Pace,
    /// What it waits for, until something comes again.
    held_up: Option<String>,
}

impl HubCard {
    /// Takes note of what the work tells; the folder of a model that has come and is to be opened.
    pub fn note(&mut self, news: HubNews) -> Option<PathBuf> {
        match news {
            HubNews::Cached(Ok(cached)) => self.cached = cached,
            HubNews::Cached(Err(words)) => self.ended = Some((true, words)),
            HubNews::Arrived(of, pace) => {
                if let Some(arriving) = self.awaited(&of) {
                    (arriving.pace, arriving.held_up) = (pace, None);
                }
            }
            HubNews::HeldUp(of, words) => {
                if let Some(arriving) = self.awaited(&of) {
                    arriving.held_up = Some(words);
                }
            }
            HubNews::Ended(of, ended) => {
                // Another may be on its way since.
                let arriving = self.arriving.take_if(|arriving| arriving.control == of)?;
                match ended {
                    Ok(Some(folder)) => return Some(folder),
                    Ok(None) => self.ended = Some((false, arriving.left())),
                    Err(words) => self.ended = Some((true, words)),
                }
            }
        }
        None
    }

    /// The download with this control, while its end is waited for.
    fn awaited(&mut self, of: &Control) -> Option<&mut Arriving> {
        self.arriving.as_mut().filter(|arriving| arriving.control == *of)
    }

    /// A download begins.
    pub fn begins(&mut self, name: &str, control: Control) {
        let arriving = Arriving { name: name.to_owned(), control, pace: Pace::default(), held_up: None };
        (self.arriving, self.ended) = (Some(arriving), None);
    }

    /// The download is to end.
    pub fn stop(&self) {
        self.arriving.iter().for_each(|arriving| arriving.control.set(Wish::Stop));
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
            self.ended
                .iter()
                .for_each(|(is_fault, words)| if *is_fault { problem(ui, words) } else { remark(ui, words) });
            action = self.download(ui).or(action.take());
        });
        action
    }

    fn download(&self, ui: &mut Ui) -> Option<Action> {
        if let Some(arriving) = &self.arriving {
            return arriving.ui(ui);
        }
        let name = self.absent()?;
        let pressed = ui.button("Download").on_hover_text("From the hub into the shared cache").clicked();
        quiet(ui, format!("{name} is not on this machine. Nothing is asked of anybody before you press the button."));
        pressed.then_some(Action::Download(name))
    }
}

impl Arriving {
    /// Draws how far it is; returns whether it is to end.
    fn ui(&self, ui: &mut Ui) -> Option<Action> {
        let Pace { done, total, .. } = self.pace;
        let share = if total == 0 { 0.0 } else { done as f64 / total as f64 };
        quiet(ui, self.progress());
        ui.add(ProgressBar::new(share as f32).text(percent(share)));
        self.held_up.iter().for_each(|words| remark(ui, words));
        if self.control.wish() == Wish::Stop {
            quiet(ui, "Stopping…");
            return None;
        }
        let stop =
            ui.button("Stop the download").on_hover_text("What has arrived stays, and the next one goes on from it");
        stop.clicked().then_some(Action::StopDownload)
    }

    /// How much is there, how fast it comes, and when all will be there.
    fn progress(&self) -> String {
        let Pace { done, total, .. } = self.pace;
        let rate = self.pace.rate().map(|rate| format!(", {}/s", bytes(rate as u64)));
        let left = self.pace.seconds_left().map(|seconds| format!(", {} left", whole_seconds(seconds)));
        format!(
            "{}: {} of {}{}{}",
            self.name,
            bytes(done),
            bytes(total),
            rate.unwrap_or_default(),
            left.unwrap_or_default()
        )
    }

    /// What is left of a download that was stopped.
    fn left(&self) -> String {
        let (name, done) = (&self.name, bytes(self.pace.done));
        format!("The download of {name} was stopped. {done} are there, and the next one goes on from them")
    }
}

#[cfg(test)]
mod tests {
    use slimgpt::hub::Event;

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

    fn pace(done: u64, total: u64) -> Pace {
        let mut pace = Pace::default();
        pace.note(&Event::Arrived { done, total }, 0.0);
        pace
    }

    #[test]
    fn only_the_download_that_is_waited_for_counts() {
        let (mut card, old, new) = (card(""), Control::default(), Control::default());
        card.begins("org/new", old.clone());
        card.begins("org/new", new.clone());
        assert_eq!(card.note(HubNews::Arrived(old.clone(), pace(3, 4))), None);
        assert_eq!(card.note(HubNews::Ended(old, Ok(Some("old".into())))), None);
        assert_eq!(card.arriving.as_ref().unwrap().pace, Pace::default());
        assert_eq!(card.note(HubNews::HeldUp(new.clone(), "the connection broke".into())), None);
        assert!(card.arriving.as_ref().unwrap().held_up.is_some());
        assert_eq!(card.note(HubNews::Arrived(new.clone(), pace(1, 4))), None);
        assert!(card.arriving.as_ref().unwrap().held_up.is_none(), "it is not held up any more");
        assert_eq!(card.note(HubNews::Ended(new, Ok(Some("new".into())))), Some("new".into()));
        assert!(card.arriving.is_none() && card.ended.is_none());
    }

    #[test]
    fn a_stopped_download_is_no_fault_and_says_what_is_left() {
        let (mut card, control) = (card(""), Control::default());
        card.stop();
        card.begins("org/new", control.clone());
        card.stop();
        assert_eq!(control.wish(), Wish::Stop);
        card.note(HubNews::Arrived(control.clone(), pace(1536, 4096)));
        assert_eq!(card.note(HubNews::Ended(control.clone(), Ok(None))), None);
        let (is_fault, words) = card.ended.clone().unwrap();
        assert!(!is_fault && words.contains("org/new") && words.contains("1.50 KiB are there"), "{words}");
        // The next begins without the words of the last.
        card.begins("org/new", Control::default());
        assert!(card.ended.is_none());
        assert_eq!(card.note(HubNews::Ended(control, Err("gone".into()))), None);
        assert!(card.ended.is_none());
    }
}
