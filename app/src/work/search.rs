//! A search for sizes: what cutting each site costs.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::device::DeviceChoice;
use slimgpt::pipeline::Request;
use slimgpt::search::{Bounds, SearchPlan};

use crate::control::Control;
use crate::findings::Key;
use crate::mail::{Mail, Message};
use crate::model::Model;
use crate::platform;

/// Everything a search needs.
pub struct Order {
    /// The model whose sizes are searched for.
    pub model: Arc<Model>,
    /// Calibration windows, as token ids.
    pub windows: Arc<Vec<Vec<u32>>>,
    /// How they were cut: the probe is other windows of the same text.
    pub key: Key,
    /// The pruning that it is for, with a target.
    pub request: Request,
    /// What sizes must keep to.
    pub bounds: Bounds,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// The folder in which it is kept, so that it goes on after a restart.
    pub folder: Option<PathBuf>,
    /// What it looks at to pause or to stop.
    pub control: Control,
}

/// Begins; its events and its end arrive as messages.
pub fn start(mail: &Mail, order: Order) {
    let (of, back) = (order.control.clone(), mail.clone());
    let ended = move |found| Message::Searched(of, found);
    platform::spawn(mail, ended, move || async move { run(&back, &order).await });
}

/// `None` if it was stopped.
#[cfg(not(target_arch = "wasm32"))]
async fn run(mail: &Mail, order: &Order) -> Result<Option<Box<SearchPlan>>, String> {
    use slimgpt::disk;
    use slimgpt::pipeline::Limits;
    use slimgpt::search::{Event, SearchError};
    use slimgpt::session::{SearchJob, probe_size, search_for};
    use slimgpt::text::{Bos, Windows, apart};
    use web_time::Instant;

    use crate::remedy::told;

    let device = super::open::device(&order.device).await?;
    let (count, length) = probe_size(order.key.which.length);
    // Another seed draws other windows, a few to spare for those that overlap the calibration's.
    let seed = order.key.which.seed.wrapping_add(1);
    let cut = |count: usize| {
        let which = Windows { count: Some(count), length, seed, ..order.key.which.clone() };
        super::calibrate::windows_of(&order.model, &Key { which, ..order.key.clone() })
    };
    let drawn = cut(2 * count + 4).or_else(|_| cut(count))?;
    let begin = usize::from(order.key.which.bos == Bos::Each);
    let (probe, _) = apart(drawn, &[order.windows.as_slice()], begin, count);
    let folder = order.folder.clone().ok_or("there is no folder to keep a search in")?.join("searches");
    disk::make_folder(&folder).map_err(told)?;
    let file = folder.join(file_name(&order.model.name()));
    let state = file.with_added_extension("partial");
    let job = SearchJob {
        checkpoint: &order.model.checkpoint,
        request: &order.request,
        calibration: &order.windows,
        probe: &probe,
        bounds: &order.bounds,
        limits: &Limits::of(&device, None),
        device: &device,
        state: &state,
        earlier: &file,
    };
    let started = Instant::now();
    let mut observe = |event: Event| {
        // Told before a pause, so that the screen shows where it waits.
        let second = started.elapsed().as_secs_f64();
        mail.send(Message::Searching(order.control.clone(), Box::new(event), second));
        order.control.flow()
    };
    let target = order.request.allocation.target.into_iter().collect::<Vec<_>>();
    match search_for(&job, &target, &mut observe).await {
        Ok(plan) => {
            disk::write_json(&file, &plan).map_err(told)?;
            disk::remove_file(&state).map_err(told)?;
            Ok(Some(Box::new(plan)))
        }
        Err(SearchError::Stopped { .. }) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

#[cfg(target_arch = "wasm32")]
async fn run(_: &Mail, _: &Order) -> Result<Option<Box<SearchPlan>>, String> {
    Err("a page cannot keep a search; the desktop program can".into())
}

/// One file for each name of a model: whose search lies in it, the file says itself.
#[cfg(not(target_arch = "wasm32"))]
fn file_name(model: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}.json", model.chars().map(plain).collect::<String>().trim_start_matches('.'))
}
