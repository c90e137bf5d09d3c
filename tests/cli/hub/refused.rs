//! What the hub refuses, by name and with what to do; and nothing else is asked then.

use std::collections::BTreeMap;

use super::server::{Answer, Asked, COMMIT, Server};
use super::{asking, names, snapshot, tiny};
use crate::{Ended, ended, temporary};

/// What comes of a model whose every request to the hub is answered so.
fn answered(status: u16, headers: &[(&'static str, &'static str)]) -> Ended {
    let headers = headers.to_vec();
    let twist = move |_: &Asked, answer: &mut Answer| *answer = Answer::of(status, &headers);
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    let refused = ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1);
    // A server that is not well may be so in a moment.
    assert_eq!(server.asked().len(), if status >= 500 { 3 } else { 1 });
    refused
}

#[test]
fn refusals_say_what_to_do() {
    let gated = [("X-Error-Code", "GatedRepo")];
    answered(403, &gated).saying(&["org/tiny", "accept its conditions at http", "HF_TOKEN", "no access yet"]);
    let disabled = [("X-Error-Message", "Access to this resource is disabled.")];
    let refused = answered(403, &disabled);
    assert!(!refused.err.contains("accept its conditions"), "{}", refused.err);
    refused.saying(&["org/tiny", "403", "Access to this resource is disabled"]);
    answered(401, &gated).saying(&["org/tiny", "accept its conditions at http", "HF_TOKEN"]);
    answered(401, &[]).saying(&["org/tiny is no folder here", "there is no org/tiny", "private", "HF_TOKEN"]);
    let invalid = [("X-Error-Message", "Invalid credentials in Authorization header")];
    answered(401, &invalid).saying(&["refuses the token", "HF_TOKEN"]);
    answered(404, &[("X-Error-Code", "RepoNotFound")]).saying(&["there is no org/tiny", "check the name"]);
    answered(404, &[("X-Error-Code", "RevisionNotFound")]).saying(&["org/tiny", "no revision main"]);
    answered(429, &[("Retry-After", "90")]).saying(&["429", "too many requests", "1 min 30 s"]);
    answered(429, &[]).saying(&["429", "in some minutes"]);
    answered(503, &[("X-Error-Message", "asleep")]).saying(&["503", "asleep", "later"]);
    answered(307, &[("Location", "/api/models/new/home/revision/main")]).saying(&[
        "org/tiny",
        "new/home",
        "use that name",
    ]);
    answered(200, &[]).saying(&["org/tiny", "no list of files", "HF_ENDPOINT"]);
}

#[test]
fn what_the_storage_refuses_is_no_question_of_access() {
    for status in [401, 403, 404] {
        let twist = move |asked: &Asked, answer: &mut Answer| {
            if !asked.is_hub {
                *answer = Answer::of(status, &[]);
            }
        };
        let (folder, server) = (temporary(), Server::with(tiny(), twist));
        let refused = ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1);
        assert!(!refused.err.contains("HF_TOKEN") && !refused.err.contains("check the name"), "{}", refused.err);
        refused.saying(&["org/tiny", &status.to_string(), "later"]);
        assert_eq!(server.ranges(), [0]);
    }
}

#[test]
fn a_refusal_keeps_nobody_from_what_the_cache_has() {
    let mut files = tiny();
    files.remove("models/org/tiny/tokenizer.json");
    let (folder, server) = (temporary(), Server::of(files));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(0);
    for status in [401, 404, 429, 503] {
        let busy = Server::with(BTreeMap::new(), move |_, answer| *answer = Answer::of(status, &[]));
        ended(&mut asking(&busy, folder.path(), &["inspect", "org/tiny"])).with(0);
        // Whether there is a tokenizer by now was asked, and nothing else.
        assert_eq!(busy.asked().len(), 1);
    }
}

#[test]
fn a_list_that_does_not_end_is_not_read() {
    let twist = |_: &Asked, answer: &mut Answer| {
        *answer = Answer { body: vec![b' '; 17 << 20], ..Answer::of(200, &[]) };
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1).saying(&["org/tiny", "does not end"]);
}

#[test]
fn questions_are_asked_again_where_the_hub_is_not_well() {
    // Every address is refused once: the list, the sizes of files, the files.
    let refused = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let twist = move |asked: &Asked, answer: &mut Answer| {
        if asked.is_hub && refused.lock().unwrap().insert((asked.method.clone(), asked.path.clone())) {
            *answer = Answer::of(502, &[]);
        }
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(&server, folder.path(), &["plan", "org/tiny", "--target", "0.2"])).with(0);
    assert!(server.asked().iter().filter(|asked| asked.path.starts_with("/api/")).count() >= 2);
}

#[test]
fn a_password_of_the_endpoint_is_not_told() {
    let (folder, server) = (temporary(), Server::of(BTreeMap::new()));
    let mut command = asking(&server, folder.path(), &["inspect", "org/tiny"]);
    let refused = ended(command.env("HF_ENDPOINT", "http://ada:pa55word@127.0.0.1:1")).with(1);
    assert!(!refused.err.contains("pa55word"), "{}", refused.err);
    refused.saying(&["http://127.0.0.1:1", "cannot be reached"]);
}

#[test]
fn figures_are_not_kept_in_the_cache() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let text = folder.path().join("text.txt");
    std::fs::write(&text, "The cat sat on the mat. ".repeat(40)).unwrap();
    let ppl = ["ppl", "org/tiny", "--text", text.to_str().unwrap(), "--seq-len", "16", "--save"];
    ended(&mut asking(&server, folder.path(), &ppl)).with(2).saying(&["--save", "org/tiny", "cache", "copy it"]);
    assert!(!snapshot(folder.path()).join("slimgpt-eval.json").exists());
}

#[test]
fn redirects_end() {
    let twist = |_: &Asked, answer: &mut Answer| {
        *answer = Answer::of(302, &[("Location", "/api/models/org/tiny/revision/main")])
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1).saying(&["redirect"]);
    assert!(server.asked().len() < 20);
}

#[test]
fn a_hub_that_cannot_be_reached_is_told_apart() {
    let (folder, server) = (temporary(), Server::of(BTreeMap::new()));
    let mut command = asking(&server, folder.path(), &["inspect", "org/tiny"]);
    ended(command.env("HF_ENDPOINT", "http://127.0.0.1:1")).with(1).saying(&[
        "127.0.0.1:1",
        "cannot be reached",
        "connection",
    ]);
}

#[test]
fn a_model_that_is_not_supported_is_not_downloaded() {
    let mut files = tiny();
    files.insert("models/org/tiny/config.json".into(), br#"{"model_type": "mixtral"}"#.to_vec());
    let (folder, server) = (temporary(), Server::of(files));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1).saying(&["org/tiny", "mixtral"]);
    assert_eq!(names(&snapshot(folder.path())), ["config.json"]);
    assert_eq!(server.ranges(), [] as [usize; 0]);
}

#[test]
fn a_model_without_safetensors_says_what_it_has() {
    let mut files = tiny();
    files.remove("models/org/tiny/model.safetensors");
    let (folder, server) = (temporary(), Server::of(files));
    let refused = ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1);
    refused.saying(&["org/tiny has no .safetensors", "model.gguf", "transformers"]);
}

#[test]
fn a_list_that_leads_elsewhere_writes_nothing_there() {
    let twist = |asked: &Asked, answer: &mut Answer| {
        if asked.path.starts_with("/api/") {
            let files = serde_json::json!([{ "rfilename": "config.json" }, { "rfilename": "../../../tokenizer.json" },
                { "rfilename": "/tmp/tokenizer.json" }, { "rfilename": "model.safetensors" }]);
            answer.body = serde_json::json!({ "sha": COMMIT, "siblings": files }).to_string().into_bytes();
        }
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    ended(&mut asking(
        &server,
        folder.path(),
        &["bench", "org/tiny", "--prompt-tokens", "2", "--new-tokens", "2", "--repeats", "1", "--device", "cpu"],
    ))
    .with(0);
    assert_eq!(names(&snapshot(folder.path())), ["config.json", "model.safetensors"]);
    assert_eq!(names(folder.path()), ["hub"]);
}

/// What comes of a model about whose large files the hub tells `header`.
fn told_of_weights(header: &'static str, value: &'static str) -> Ended {
    let twist = move |_: &Asked, answer: &mut Answer| {
        let linked = answer.headers.iter_mut().find(|(name, _)| *name == header);
        linked.into_iter().for_each(|(_, told)| *told = value.to_owned());
    };
    let (folder, server) = (temporary(), Server::with(tiny(), twist));
    let refused = ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(1);
    assert_eq!(server.ranges(), [] as [usize; 0]);
    assert_eq!(names(folder.path()), ["hub"]);
    refused
}

#[test]
fn what_no_disk_holds_is_not_begun() {
    told_of_weights("X-Linked-Size", "4000000000000000000").saying(&["org/tiny needs", "free", "HF_HOME"]);
}

#[test]
fn a_hash_that_is_none_names_no_file() {
    told_of_weights("X-Linked-Etag", "\"../../../../evil\"").saying(&["model.safetensors", "hash"]);
}

#[test]
fn a_failure_is_the_last_event_where_there_are_events() {
    let (folder, server) = (temporary(), Server::of(BTreeMap::new()));
    let out = folder.path().join("slim");
    let prune = ["prune", "org/tiny", "--target", "0.2", "--json", "--out", out.to_str().unwrap()];
    let failed = ended(&mut asking(&server, folder.path(), &prune)).with(1);
    let event: serde_json::Value = serde_json::from_str(failed.out.lines().last().unwrap()).unwrap();
    assert_eq!((&event["event"], &event["exit_code"]), (&"failed".into(), &1.into()));
}
