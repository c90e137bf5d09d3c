//! What is heard of the Hugging Face hub, and what is wanted of it.

use super::App;
use crate::control::Control;
use crate::findings::HubNews;
use crate::model::Origin;
use crate::screens::Action;
use crate::work;

impl App {
    /// Takes note of what is heard; a model that was downloaded is opened.
    pub(super) fn heard_of_hub(&mut self, news: HubNews) {
        if let Some(folder) = self.start.hub.note(news) {
            self.list_cached();
            self.act(Action::Open(Origin::Folder(folder)));
        }
    }

    /// Has a look at what the cache holds.
    pub(super) fn list_cached(&self) {
        work::hub::list(&self.mail, self.places.clone());
    }

    /// Downloads what somebody pressed "Download" for.
    pub(super) fn download(&mut self, name: String) {
        // A stop is for good, so every download has a control of its own.
        let control = Control::default();
        self.start.hub.begins(&name, control.clone());
        work::hub::download(&self.mail, name, self.places.clone(), control);
    }
}
