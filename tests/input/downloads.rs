//! Downloads that somebody stops: they end at once, whatever is waited for, and the next goes on from what has arrived.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use slimgpt::export::huggingface::may_belong;
use slimgpt::hub::{Event, Hub, HubError, Name, Need, Settings};
use tempfile::tempdir;

use crate::support::hub::{Answer, Asked, COMMIT, Server, git_hash, sha256};
use crate::support::shipped;

/// How long a server says nothing: far longer than any test may take.
const LONG: Duration = Duration::from_secs(120);
/// At once, on a machine with much else to do.
const SOON: Duration = Duration::from_secs(20);
/// Until it is stopped, where nothing tells that it waits.
const A_MOMENT: Duration = Duration::from_millis(300);

fn of_shipped(file: &str) -> Vec<u8> {
    fs::read(shipped().join(file)).unwrap()
}

fn tiny() -> BTreeMap<String, Vec<u8>> {
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    files.map(|file| (format!("models/org/tiny/{file}"), of_shipped(file))).into()
}

fn settings(server: &Server, home: &Path) -> Settings {
    let endpoint = server.address().into();
    Settings { cache: home.join("hub"), endpoint, token: None, offline: false, ..Settings::of(&|_| None) }
}

/// Downloads the model; `told` of every event.
fn downloaded(hub: &Hub, told: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf, HubError> {
    hub.model(&Name::of_model("org/tiny").unwrap(), Need::Whole, &may_belong, told)
}

/// Fails unless a download from `server` is stopped soon once `is_stopped` says so, or an event for which `stops` does.
#[track_caller]
fn ends(server: &Server, pause: Duration, is_stopped: impl Fn() -> bool + 'static, stops: impl Fn(&Event<'_>) -> bool) {
    let home = tempdir().unwrap();
    ends_in(home.path(), server, pause, is_stopped, stops);
}

#[track_caller]
fn ends_in(
    home: &Path,
    server: &Server,
    pause: Duration,
    is_stopped: impl Fn() -> bool + 'static,
    stops: impl Fn(&Event<'_>) -> bool,
) {
    let pressed = Rc::new(Cell::new(false));
    let seen = pressed.clone();
    let hub = Hub::new(Settings { pause, ..settings(server, home) }).until(move || seen.get() || is_stopped());
    let began = Instant::now();
    let ended = downloaded(&hub, &mut |event| pressed.set(pressed.get() || stops(&event)));
    assert!(matches!(ended, Err(HubError::Stopped)), "{ended:?}");
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
}

/// Says yes a moment after it was made.
fn after_a_moment() -> impl Fn() -> bool {
    let began = Instant::now();
    move || began.elapsed() > A_MOMENT
}

#[test]
fn in_the_middle_of_a_file_what_has_arrived_stays_and_is_gone_on_from() {
    let weights = of_shipped("model.safetensors");
    let half = weights.len() / 2;
    let (home, server) = (tempdir().unwrap(), Server::halting(tiny(), half));
    let repository = home.path().join("hub/models--org--tiny");
    let part = repository.join("blobs").join(format!("{}.incomplete", sha256(&weights)));
    let len = |part: &Path| part.metadata().map_or(0, |data| data.len());
    let arriving = part.clone();
    ends_in(home.path(), &server, LONG, move || len(&arriving) >= half as u64, |_| false);
    assert_eq!(len(&part), half as u64);
    let snapshot = repository.join("snapshots").join(COMMIT);
    assert!(!snapshot.join("model.safetensors").exists(), "a snapshot has whole weights or none");
    let folder = downloaded(&Hub::new(settings(&server, home.path())), &mut |_| {}).unwrap();
    assert_eq!((&folder, server.ranges()), (&snapshot, vec![0, half]));
    assert_eq!(fs::read(snapshot.join("model.safetensors")).unwrap(), weights);
}

#[test]
fn while_the_hub_does_not_answer() {
    for path in ["/api/", "/org/tiny/resolve/"] {
        let twist = move |asked: &Asked, _: &mut Answer| {
            if asked.path.starts_with(path) {
                thread::sleep(LONG);
            }
        };
        ends(&Server::with(tiny(), twist), LONG, after_a_moment(), |_| false);
    }
}

#[test]
fn in_a_pause_before_another_try() {
    let unwell = |asked: &Asked, answer: &mut Answer| {
        if asked.is_hub {
            *answer = Answer::of(503, &[]);
        }
    };
    ends(&Server::with(tiny(), unwell), LONG, after_a_moment(), |_| false);
    let breaking = |asked: &Asked, answer: &mut Answer| {
        if !asked.is_hub {
            answer.cut = Some(0);
        }
    };
    ends(&Server::with(tiny(), breaking), LONG, || false, |event| matches!(event, Event::Again { .. }));
}

#[test]
fn while_another_process_downloads_the_same() {
    let (home, server) = (tempdir().unwrap(), Server::of(tiny()));
    let locks = home.path().join("hub/.locks/models--org--tiny");
    fs::create_dir_all(&locks).unwrap();
    let lock = locks.join(format!("{}.lock", git_hash(&of_shipped("config.json"))));
    let held = slimgpt::disk::lock(&lock).unwrap();
    assert!(held.is_some());
    ends_in(home.path(), &server, LONG, || false, |event| matches!(event, Event::Waiting { .. }));
    drop(held);
    downloaded(&Hub::new(settings(&server, home.path())), &mut |_| {}).unwrap();
}
