//! Models by name, where nothing goes wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::server::{Answer, Asked, COMMIT, Server, git_hash, sha256};
use super::{TOKEN, asking, names, repository, snapshot, tiny, weights};
use crate::{ended, path, run, shipped, temporary};

/// `inspect --json` without the place that the model was found at.
fn inspected(command: &mut std::process::Command) -> Value {
    ended(command).with(0).json()
}

#[test]
fn a_model_is_downloaded_once_into_the_cache_of_huggingface_hub() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let inspect = ["inspect", "org/tiny", "--json"];
    let first = ended(&mut asking(&server, folder.path(), &inspect)).with(0);
    assert_eq!(first.json(), run(&["inspect", &shipped(), "--json"]).json());
    assert!(
        first.err.contains("downloading org/tiny from http://127.0.0.1") && first.err.contains("4 files"),
        "{}",
        first.err
    );

    // The layout, by hand.
    let home = folder.path();
    assert_eq!(std::fs::read_to_string(repository(home).join("refs/main")).unwrap(), COMMIT);
    let kept =
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(names(&snapshot(home)), kept);
    let hashes: BTreeMap<&str, String> = kept
        .into_iter()
        .map(|file| {
            let bytes = std::fs::read(Path::new(&shipped()).join(file)).unwrap();
            (file, if file.ends_with(".safetensors") { sha256(&bytes) } else { git_hash(&bytes) })
        })
        .collect();
    for (file, hash) in &hashes {
        let pointer = snapshot(home).join(file);
        assert_eq!(
            std::fs::read(&pointer).unwrap(),
            std::fs::read(Path::new(&shipped()).join(file)).unwrap(),
            "{file}"
        );
        #[cfg(unix)]
        assert_eq!(std::fs::read_link(&pointer).unwrap(), Path::new(&format!("../../blobs/{hash}")), "{file}");
    }
    let mut blobs: Vec<String> = hashes.into_values().collect();
    blobs.sort();
    #[cfg(unix)]
    assert_eq!(names(&repository(home).join("blobs")), blobs);

    // What the cache has is asked of nobody.
    let asked = server.asked().len();
    assert_eq!(inspected(&mut asking(&server, home, &inspect)), first.json());
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(0);
    let asked = server.asked();
    let (hub, storage): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.is_hub);
    assert!(
        hub.len() > 5 && hub.iter().all(|asked| asked.token.as_deref() == Some(&format!("Bearer {TOKEN}"))),
        "{hub:?}"
    );
    assert!(storage.len() == 1 && storage.iter().all(|asked| asked.token.is_none()), "{storage:?}");
}

/// A cache as another program leaves it: files without links, as on Windows.
fn by_hand(home: &Path, revision: &str) {
    std::fs::create_dir_all(snapshot(home)).unwrap();
    std::fs::create_dir_all(repository(home).join("refs")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(Path::new(&shipped()).join(file), snapshot(home).join(file)).unwrap();
    }
    std::fs::write(repository(home).join("refs").join(revision), COMMIT).unwrap();
}

#[test]
fn what_another_program_left_in_the_cache_is_used() {
    let (folder, server) = (temporary(), Server::of(BTreeMap::new()));
    by_hand(folder.path(), "v1.0");
    let want = run(&["inspect", &shipped(), "--json"]).json();
    for name in ["org/tiny@v1.0".to_owned(), format!("org/tiny@{COMMIT}")] {
        assert_eq!(inspected(&mut asking(&server, folder.path(), &["inspect", &name, "--json"])), want);
        let mut offline = asking(&server, folder.path(), &["inspect", &name, "--json", "--offline"]);
        assert_eq!(inspected(&mut offline), want);
        // The folder of repositories by its own variable.
        offline.env("HF_HOME", "/none").env("HF_HUB_CACHE", folder.path().join("hub"));
        assert_eq!(inspected(&mut offline), want);
    }
    assert!(server.asked().is_empty());
    // main is another revision, and nobody knows which.
    let refused = ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny", "--offline"])).with(1);
    refused.saying(&["org/tiny", "not in the cache", "--offline"]);
    // Nor is there anything of another commit.
    let other = format!("org/tiny@{}", COMMIT.replace('f', "0"));
    let refused = ended(&mut asking(&server, folder.path(), &["inspect", &other, "--offline"])).with(1);
    assert!(refused.err.contains("not in the cache") && !refused.err.contains("in part"), "{}", refused.err);
    assert!(server.asked().is_empty());
}

#[test]
fn a_folder_of_that_name_goes_before_the_hub() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let here = folder.path().join("org/tiny");
    std::fs::create_dir_all(&here).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(Path::new(&shipped()).join(file), here.join(file)).unwrap();
    }
    let mut command = asking(&server, folder.path(), &["inspect", "org/tiny"]);
    ended(command.current_dir(folder.path())).with(0);
    assert!(server.asked().is_empty());
}

#[test]
fn a_plan_downloads_no_weights() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let plan =
        |model: &str| ended(&mut asking(&server, folder.path(), &["plan", model, "--target", "0.2", "--json"])).with(0);
    assert_eq!(plan("org/tiny").json(), plan(&shipped()).json());
    assert_eq!(names(&snapshot(folder.path())), ["config.json"]);
    assert_eq!(server.ranges(), [] as [usize; 0]);
    let recover = ["plan", "org/tiny", "--recover", "--teacher", "org/tiny"];
    ended(&mut asking(&server, folder.path(), &recover)).with(0);
    assert_eq!(names(&snapshot(folder.path())), ["config.json"]);
    // What a plan left is no model yet.
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(0);
    assert_eq!(server.ranges(), [0]);
}

#[test]
fn weights_in_several_files_are_those_of_the_index() {
    let mut files = tiny();
    let whole = files.remove("models/org/tiny/model.safetensors").unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    let mut map = serde_json::Map::new();
    for part in 0..2 {
        let file = format!("model-0000{}-of-00002.safetensors", part + 1);
        let own = tensors.tensors().into_iter().enumerate().filter(|(i, _)| i % 2 == part).map(|(_, tensor)| tensor);
        let own: Vec<_> = own.collect();
        map.extend(own.iter().map(|(name, _)| (name.clone(), file.clone().into())));
        files.insert(format!("models/org/tiny/{file}"), safetensors::serialize(own, None).unwrap());
    }
    let index = serde_json::json!({ "weight_map": map }).to_string().into_bytes();
    files.insert("models/org/tiny/model.safetensors.index.json".into(), index);
    files.insert("models/org/tiny/consolidated.safetensors".into(), whole);
    let (folder, server) = (temporary(), Server::of(files));
    ended(&mut asking(&server, folder.path(), &["inspect", "org/tiny"])).with(0);
    assert_eq!(server.ranges(), [0, 0]);
    assert!(!names(&snapshot(folder.path())).contains(&"consolidated.safetensors".into()));
}

#[test]
fn two_processes_download_a_file_once() {
    for without_links in ["0", "1"] {
        // Slow enough for the second to come while the first downloads.
        let twist = |asked: &Asked, _: &mut Answer| {
            if !asked.is_hub {
                std::thread::sleep(Duration::from_millis(500));
            }
        };
        let (folder, server) = (temporary(), Server::with(tiny(), twist));
        let start = || {
            let mut command = asking(&server, folder.path(), &["inspect", "org/tiny"]);
            command.env("HF_HUB_DISABLE_SYMLINKS", without_links);
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let mut both = [start(), start()];
        both.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
        assert_eq!(server.ranges(), [0]);
        assert_eq!(std::fs::read(snapshot(folder.path()).join("model.safetensors")).unwrap(), weights());
    }
}

#[test]
fn without_links_the_files_themselves_are_there() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let inspect = |arguments: &[&str]| {
        let mut command = asking(&server, folder.path(), arguments);
        ended(command.env("HF_HUB_DISABLE_SYMLINKS", "1")).with(0)
    };
    inspect(&["inspect", "org/tiny"]);
    let file = snapshot(folder.path()).join("model.safetensors");
    assert!(file.symlink_metadata().unwrap().is_file());
    assert_eq!(names(&repository(folder.path()).join("blobs")), [] as [String; 0]);
    inspect(&["inspect", "org/tiny", "--offline"]);
}

#[test]
fn what_is_made_of_a_name_is_called_by_it() {
    let (folder, server) = (temporary(), Server::of(tiny()));
    let out = path(&folder.path().join("slim"));
    let prune =
        ["prune", "org/tiny", "--out", &out, "--target", "0.2", "--device", "cpu", "--samples", "4", "--seq-len", "64"];
    ended(&mut asking(&server, folder.path(), &prune)).with(0);
    let card = std::fs::read_to_string(Path::new(&out).join("README.md")).unwrap();
    assert!(card.contains("# tiny, pruned by"), "{card}");
    assert!(Path::new(&out).join("tokenizer_config.json").is_file());
    let bench =
        ["bench", "org/tiny", &out, "--prompt-tokens", "4", "--new-tokens", "2", "--repeats", "1", "--device", "cpu"];
    let shown = ended(&mut asking(&server, folder.path(), &bench)).with(0);
    assert!(shown.out.contains("org/tiny"), "{}", shown.out);
}
