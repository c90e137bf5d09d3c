//! Models of the Hugging Face hub: what its cache holds, and downloads, before which nobody is asked anything.

use std::path::PathBuf;

use slimgpt::format;
use slimgpt::hub::{Event, HubError, Name, Need, Pace};
use slimgpt::session::{FindError, fetched};
use web_time::Instant;

use crate::control::{Control, Wish};
use crate::findings::HubNews;
use crate::mail::{Mail, Message};
use crate::places::Places;
use crate::platform;
use crate::remedy::told;

/// Parts of a download after each of which the window is told.
const PARTS: u64 = 200;

/// Looks which models the cache holds.
pub fn list(mail: &Mail, places: Places) {
    let ended = |found| Message::Hub(HubNews::Cached(found));
    platform::spawn(mail, ended, move || async move { Ok(places.hub().models()) });
}

/// Downloads a model into the cache, until the control says stop.
pub fn download(mail: &Mail, name: String, places: Places, control: Control) {
    let (of, teller) = (control.clone(), mail.clone());
    let ended = move |done| Message::Hub(HubNews::Ended(of, done));
    platform::spawn(mail, ended, move || async move { brought(&teller, &name, &places, &control) });
}

/// The folder of the model; `None` if it was stopped.
fn brought(mail: &Mail, name: &str, places: &Places, control: &Control) -> Result<Option<PathBuf>, String> {
    let wanted = Name::of_model(name).ok_or_else(|| format!("{name} is no name of a model: such is org/name"))?;
    let stopped = control.clone();
    let hub = places.hub().until(move || stopped.wish() == Wish::Stop);
    let mut teller = Teller { mail, control, began: Instant::now(), pace: Pace::default(), part: 0 };
    match fetched(&hub, &wanted, Need::Whole, &mut |event| teller.tell(&event)) {
        Ok(folder) => Ok(Some(folder)),
        Err(FindError::Hub(HubError::Stopped)) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

/// Tells the window how far a download is.
struct Teller<'a> {
    mail: &'a Mail,
    control: &'a Control,
    began: Instant,
    pace: Pace,
    part: u64,
}

impl Teller<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        self.pace.note(event, self.began.elapsed().as_secs_f64());
        match event {
            Event::Arrived { done, total } => {
                // Every message draws the window anew, and pieces are small.
                let part = done / (total / PARTS).max(1);
                if std::mem::replace(&mut self.part, part) != part {
                    self.send(HubNews::Arrived(self.control.clone(), self.pace));
                }
            }
            Event::Begins { .. } => self.send(HubNews::Arrived(self.control.clone(), self.pace)),
            Event::Waiting { .. } => self.held_up("Another program downloads the same file: waiting for it".into()),
            Event::Again { reason, seconds, .. } => {
                self.held_up(format!("{reason}; trying again in {}", format::seconds(*seconds)));
            }
        }
    }

    fn held_up(&self, words: String) {
        self.send(HubNews::HeldUp(self.control.clone(), words));
    }

    fn send(&self, news: HubNews) {
        self.mail.send(Message::Hub(news));
    }
}
