//! Models of the Hugging Face hub: what its cache holds, and downloads, before which nobody is asked anything.

use std::path::PathBuf;

use slimgpt::checkpoint::read_config;
use slimgpt::export::huggingface::may_belong;
use slimgpt::hub::{Event, Hub, Name, Need, Settings};

use crate::findings::HubNews;
use crate::mail::{Mail, Message};
use crate::platform;
use crate::remedy::told;

/// Parts of a download after each of which the window is told.
const PARTS: u64 = 200;

/// The hub with this machine's settings, and the cache in another folder if one is given.
fn hub(cache: Option<PathBuf>) -> Hub {
    let usual = Settings::of_environment();
    Hub::new(Settings { cache: cache.unwrap_or_else(|| usual.cache.clone()), ..usual })
}

/// Looks which models the cache holds.
pub fn list(mail: &Mail, cache: Option<PathBuf>) {
    let ended = |found| Message::Hub(HubNews::Cached(found));
    platform::spawn(mail, ended, move || async move { Ok(hub(cache).models()) });
}

/// Downloads a model into the cache.
pub fn download(mail: &Mail, name: String, cache: Option<PathBuf>) {
    let (of, teller) = (name.clone(), mail.clone());
    let ended = move |done| Message::Hub(HubNews::Ended(of, done));
    platform::spawn(mail, ended, move || async move { fetched(&teller, &name, cache) });
}

fn fetched(mail: &Mail, name: &str, cache: Option<PathBuf>) -> Result<PathBuf, String> {
    let wanted = Name::of_model(name).ok_or_else(|| format!("{name} is no name of a model: such is org/name"))?;
    let mut part = 0;
    let mut tell = |event: Event<'_>| {
        let Event::Arrived { done, total } = event else { return };
        // Every message draws the window anew, and pieces are small.
        let now = done / (total / PARTS).max(1);
        if std::mem::replace(&mut part, now) != now {
            mail.send(Message::Hub(HubNews::Arrived(name.to_owned(), done, total)));
        }
    };
    let hub = hub(cache);
    // Its sizes first: of a model that is not supported no weights are downloaded.
    let folder = hub.model(&wanted, Need::Config, &may_belong, &mut tell).map_err(told)?;
    read_config(&folder).map_err(told)?;
    hub.model(&wanted, Need::Whole, &may_belong, &mut tell).map_err(told)
}
