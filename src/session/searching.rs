//! A search that is kept on the way, so that it goes on where it was interrupted.

use std::path::Path;

use super::search_state::SearchState;
use crate::checkpoint::Checkpoint;
use crate::device::caught_async;
use crate::obs::Options;
use crate::pipeline::{Fingerprint, Flow, windows_sha256};
use crate::search::{Event, Map, Search, SearchError, search};

/// What tells a search from others: all that its map follows from.
///
/// # Errors
/// When the model's files cannot be looked at.
pub fn search_id(asked: &Search<'_>) -> Result<String, SearchError> {
    // Curves are of nested removals, from which nothing comes back.
    let options = Options { swaps: 0, ..asked.options };
    let settings = serde_json::to_string(&(options, asked.channel_steps, asked.channel_multiple));
    let mut parts = vec![
        // What a map holds: one without heads of both kinds is not taken for the same.
        "mixed heads".to_owned(),
        searched_model(asked.checkpoint)?,
        windows_sha256(asked.calibration),
        windows_sha256(asked.probe),
        // Numbers and names always have a JSON form.
        settings.unwrap_or_default(),
        asked.batch_windows.to_string(),
        asked.device.name().to_owned(),
    ];
    if asked.whole_sites {
        parts.push("whole sites".to_owned());
    }
    Ok(parts.join(" "))
}

/// What tells a model from others in a plan.
///
/// # Errors
/// When its files cannot be looked at.
pub fn searched_model(checkpoint: &Checkpoint) -> Result<String, SearchError> {
    let model = Fingerprint::source_of(checkpoint)?;
    match checkpoint.adapter() {
        Some(_) => Ok(format!("{model} {}", Fingerprint::files_of(checkpoint)?["adapter"])),
        None => Ok(model),
    }
}

/// Finds out what cutting costs. What is known after each layer lies in the file `state`, from which the same search
/// goes on; whoever has the map removes it.
///
/// # Errors
/// Those of [`search`].
pub async fn searched(
    asked: &Search<'_>,
    state: &Path,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Map, SearchError> {
    let id = search_id(asked)?;
    let mut now = SearchState::known(state, &id);
    let known = now.map.clone();
    let mut keep = |map: &Map| {
        now.map.clone_from(map);
        now.keep(state)
    };
    let work =
        async { with_executor!(asked.device, executor => search(asked, &executor, known, &mut keep, on_event).await) };
    caught_async(work).await?
}
