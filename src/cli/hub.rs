//! Names of the hub where models and texts are taken: before a command begins, each becomes the path of what it
//! stands for, and so does what is no folder yet.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use slimgpt::format;
use slimgpt::hub::{Event, Hub, HubError, Name, Need, Pace, Settings, model_of_snapshot};
use slimgpt::session::{FindError, fetched};
use slimgpt::text::is_readable;

use super::interrupt::Interrupt;
use super::located::located;
use super::{out, progress};

/// What is said when a download is asked to end.
const KEPT: &str = "stopping; what has arrived is kept";

/// Whether anything may be downloaded.
#[derive(Args, Clone, Copy)]
pub struct Online {
    /// Download nothing: names of the hub are looked for in the cache only
    #[arg(long, hide_short_help = true)]
    offline: bool,
}

/// What of a command's arguments may be a name in place of a path.
pub struct Given<'a> {
    /// Whether anything may be downloaded.
    pub online: Online,
    /// How much of the models is needed.
    pub need: Need,
    /// Models: `org/name`.
    pub models: Vec<&'a mut PathBuf>,
    /// Texts: `dataset:org/name/file`.
    pub texts: Vec<&'a mut PathBuf>,
    /// Where the command takes a folder of low-rank factors, which the first model may be.
    pub adapter: Option<&'a mut Option<PathBuf>>,
    /// Whether standard output is for a program, so that no bar is shown.
    pub json: bool,
    /// Whether it gets events, of which a failure is one.
    pub events: bool,
}

impl<'a> Given<'a> {
    /// Models that are needed whole, and nothing else.
    pub fn of(online: Online, models: Vec<&'a mut PathBuf>, json: bool) -> Self {
        Self { online, need: Need::Whole, models, texts: Vec::new(), adapter: None, json, events: false }
    }

    /// Puts a path in the place of each name: of what the cache has, or of what is downloaded now.
    pub fn found(mut self) -> Result<()> {
        let source = Source::new(self.online, self.json);
        // Small ones first: a name that is wrong is told before gigabytes come.
        for text in self.texts {
            if let Some(name) = text_name(text)? {
                *text = source.text(&name)?;
            }
        }
        for model in self.models {
            if let Some(name) = model_name(model) {
                let no_folder = || format!("{} is no folder here; as a name on the hub", model.display());
                *model = match source.model(&name, self.need) {
                    // That it is no folder has nothing to do with it.
                    Err(stopped @ FindError::Hub(HubError::Stopped)) => return Err(stopped.into()),
                    found => found.with_context(no_folder)?,
                };
            }
            located(model, self.adapter.take(), &source.hub, self.json)?;
        }
        Ok(())
    }
}

/// A path that stands for itself, or for a name where nothing is there.
fn model_name(path: &Path) -> Option<Name> {
    is_nothing(path).then(|| Name::of_model(path.to_str()?)).flatten()
}

fn text_name(path: &Path) -> Result<Option<Name>> {
    let name = is_nothing(path).then(|| Name::of_dataset(path.to_str()?)).flatten();
    Ok(name.transpose().map_err(HubError::NoName)?)
}

/// Whether nothing has this name on the disk, not even a link that leads nowhere; of what may not be looked at nobody
/// knows.
fn is_nothing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() != ErrorKind::PermissionDenied)
}

/// Where names are looked for.
pub struct Source {
    hub: Hub,
    /// Whether somebody wants a download to end.
    interrupt: Interrupt,
    json: bool,
}

impl Source {
    /// The hub and the cache of this machine's settings.
    pub fn new(online: Online, json: bool) -> Self {
        let settings = Settings::of_environment();
        let offline = settings.offline || online.offline;
        // Nobody listens yet: before a download begins a signal ends the program.
        let interrupt = Interrupt::default();
        let pressed = interrupt.clone();
        let hub = Hub::new(Settings { offline, ..settings }).until(move || pressed.is_pressed());
        Self { hub, interrupt, json }
    }

    /// The folder of a model.
    pub fn model(&self, name: &Name, need: Need) -> Result<PathBuf, FindError> {
        let folder = fetched(&self.hub, name, need, &mut self.shown())?;
        Ok(self.here(name, folder)?)
    }

    /// The file of a data set.
    pub fn text(&self, name: &Name) -> Result<PathBuf, HubError> {
        let file = self.hub.text(name, &is_readable, &mut self.shown())?;
        self.here(name, file)
    }

    /// Says where it is, unless somebody has asked to end in the last moment.
    fn here(&self, name: &Name, path: PathBuf) -> Result<PathBuf, HubError> {
        if self.interrupt.is_pressed() {
            return Err(HubError::Stopped);
        }
        out::detail(format_args!("{name}: {}", path.display()));
        Ok(path)
    }

    /// Says what is downloaded, and shows how far it is. From the first byte to the last a signal ends the download;
    /// before and after, where nothing is to be kept, the program.
    fn shown(&self) -> impl FnMut(Event<'_>) + use<> {
        let (interrupt, json, began) = (self.interrupt.clone(), self.json, Instant::now());
        let (mut pace, mut shown) = (Pace::default(), None);
        move |event| {
            pace.note(&event, began.elapsed().as_secs_f64());
            match event {
                Event::Begins { name, endpoint, cache, files, bytes } => {
                    let files = if files == 1 { "1 file".into() } else { format!("{files} files") };
                    let (size, cache) = (format::bytes(bytes), cache.display());
                    out::note(format_args!("downloading {name} from {endpoint}: {files}, {size}, to {cache}"));
                    // The one before first, or its end would be that of this one too.
                    drop(shown.take());
                    shown = Some((progress::bytes("downloading", json), interrupt.listening(KEPT)));
                }
                Event::Arrived { .. } => {
                    shown.iter_mut().for_each(|(bar, _)| bar(pace.arrived(), pace.to_come));
                }
                Event::Waiting { file } => out::note(format_args!("another process downloads {file}: waiting for it")),
                Event::Again { file, reason, seconds } => {
                    out::note(format_args!("{file}: {reason}; trying again in {}", format::seconds(seconds)));
                }
            }
        }
    }
}

/// What a model is called: by its name on the hub where it lies in the cache, else by its folder.
pub fn model_called(folder: &Path) -> String {
    model_of_snapshot(folder).unwrap_or_else(|| folder.display().to_string())
}
