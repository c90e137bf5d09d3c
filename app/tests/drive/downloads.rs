//! Models of the hub: downloaded when somebody presses the button, stopped, gone on with.

use std::collections::BTreeMap;
use std::path::Path;

use crate::hand::Hand;
use crate::hub::{Server, sha256};

const SEARCH: &str = "Search the models on this machine";

fn of_shipped(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/tiny_model").join(file)).unwrap()
}

fn tiny() -> BTreeMap<String, Vec<u8>> {
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    files.map(|file| (format!("models/org/tiny/{file}"), of_shipped(file))).into()
}

#[test]
fn a_download_is_stopped_and_the_next_one_goes_on_from_it() {
    let weights = of_shipped("model.safetensors");
    let half = weights.len() / 2;
    let (data, server) = (tempfile::tempdir().unwrap(), Server::halting(tiny(), half));
    let mut hand = Hand::asking(data.path(), server.address());
    hand.write(SEARCH, "org/tiny");
    assert!(server.asked().is_empty(), "nobody is asked anything before the button is pressed");
    hand.press("Download");
    let part = format!("hub/models--org--tiny/blobs/{}.incomplete", sha256(&weights));
    let part = data.path().join(part);
    let arrived = move || part.metadata().map_or(0, |data| data.len());
    hand.until("half of it", |_| arrived() == half as u64);
    hand.until("a rate", |hand| hand.labels("org/tiny: ").iter().any(|told| told.contains("/s, ")));
    hand.press("Stop the download");
    hand.see("The download of org/tiny was stopped");
    assert_eq!(arrived(), half as u64);

    hand.press("Download");
    assert!(!hand.shows("was stopped"));
    hand.see("Plan the pruning");
    assert_eq!(server.ranges(), [0, half]);
    hand.until("its name in the list of the cache", |hand| hand.pressable("org/tiny"));
}

#[test]
fn a_hub_that_says_no_is_told_where_it_was_asked() {
    let (data, server) = (tempfile::tempdir().unwrap(), Server::of(BTreeMap::new()));
    let mut hand = Hand::asking(data.path(), server.address());
    hand.write(SEARCH, "org/tiny");
    hand.press("Download");
    hand.see("There is no org/tiny on");
    assert!(hand.pressable("Download"), "a name may be private, and asked for with a token");
}
