//! What stands in the place of a model's folder: one of its files, an archive, an adapter.

use std::fs;
use std::path::{Path, PathBuf};

use slimgpt::checkpoint::{Located, locate, unpacked};
use slimgpt::gguf::{Header, Texts};
use slimgpt::hub::{Hub, Settings};
use slimgpt::quant::BlockType;
use slimgpt::session::{FindError, Found, found};
use slimgpt::text::Tokenizer;
use tempfile::{TempDir, tempdir};

use crate::support::assert_says;
use crate::support::gguf::File;
use crate::support::zip::zip;

/// A folder with files of these names, which hold what stands there.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[track_caller]
fn leads_to(path: &Path, to: &Path) {
    assert_eq!(locate(path).unwrap(), Located::Model(to.to_owned()));
}

#[test]
fn a_file_of_a_model_leads_to_its_folder() {
    let model = folder(&[("config.json", "{}"), ("model.safetensors", ""), ("other.safetensors", "")]);
    let at = |name: &str| model.path().join(name);
    leads_to(&at("model.safetensors"), model.path());
    leads_to(&at("config.json"), model.path());
    // Whichever of its settings it is.
    fs::write(at("tokenizer.json"), "{}").unwrap();
    leads_to(&at("tokenizer.json"), model.path());
    leads_to(model.path(), model.path());
    // Which of the two it is opened with is not for the second to say.
    assert_says(locate(&at("other.safetensors")), &["other.safetensors", "model.safetensors", "a folder of their own"]);
    let parts = ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"];
    let set = folder(&[("config.json", "{}"), (parts[0], ""), (parts[1], "")]);
    leads_to(&set.path().join(parts[1]), set.path());
    fs::write(set.path().join("x.safetensors"), "").unwrap();
    assert_says(locate(&set.path().join(parts[1])), &["x.safetensors"]);
    let index = format!(r#"{{"weight_map": {{"a": "{}"}}}}"#, parts[1]);
    fs::write(set.path().join("model.safetensors.index.json"), index).unwrap();
    leads_to(&set.path().join(parts[1]), set.path());
    let alone = folder(&[("model.safetensors", "")]);
    assert_says(locate(&alone.path().join("model.safetensors")), &["model.safetensors", "no config.json beside it"]);
}

#[test]
fn a_part_of_a_gguf_leads_to_the_first() {
    let parts = folder(&[("m-00001-of-00002.gguf", ""), ("m-00002-of-00002.gguf", ""), ("m.gguf", "")]);
    leads_to(&parts.path().join("m-00002-of-00002.gguf"), &parts.path().join("m-00001-of-00002.gguf"));
    leads_to(&parts.path().join("m.gguf"), &parts.path().join("m.gguf"));
    // What is not there is for whoever opens it.
    leads_to(Path::new("no/such"), Path::new("no/such"));
}

#[test]
fn an_adapter_says_what_it_is_for() {
    let settings = r#"{"base_model_name_or_path": "org/base", "revision": "v2"}"#;
    let own = folder(&[("adapter_config.json", settings), ("adapter_model.safetensors", "")]);
    let found = Located::Adapter { folder: own.path().to_owned(), base: "org/base@v2".into() };
    assert_eq!(locate(own.path()).unwrap(), found);
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        assert_eq!(locate(&own.path().join(file)).unwrap(), found, "{file}");
    }
    let silent = folder(&[("adapter_config.json", "{}")]);
    assert_says(locate(silent.path()), &["does not say which model"]);
    // A model's folder may hold one too.
    let both = folder(&[("adapter_config.json", settings), ("config.json", "{}")]);
    leads_to(both.path(), both.path());
}

/// What is opened for the factors in a folder of `place`, where the cache of the hub is too.
fn base_of_factors(place: &Path) -> Result<Found, FindError> {
    let hub = Hub::new(Settings { cache: place.join("hub"), ..Settings::of(&|_| None) });
    found(locate(&place.join("factors")).unwrap(), &hub, &place.join("unpacked"), &mut |_, _| {})
}

#[test]
fn factors_lead_to_the_model_that_they_were_trained_on() {
    let settings = r#"{"base_model_name_or_path": "org/base"}"#;
    let place = folder(&[("factors/adapter_config.json", settings)]);
    let place = place.path();
    let put = |name: &str, content: &str| {
        fs::create_dir_all(place.join(name).parent().unwrap()).unwrap();
        fs::write(place.join(name), content).unwrap();
    };
    let with = |model: PathBuf| Found { given: place.join("factors"), model, adapter: Some(place.join("factors")) };
    assert_says(base_of_factors(place), &["factors", "org/base", "neither beside it nor in the cache"]);
    // Sizes alone are no model that something could be added to.
    let commit = "c".repeat(40);
    let snapshot = format!("hub/models--org--base/snapshots/{commit}");
    put("hub/models--org--base/refs/main", &commit);
    put(&format!("{snapshot}/config.json"), "{}");
    assert_says(base_of_factors(place), &["neither beside it nor in the cache"]);
    put(&format!("{snapshot}/model.safetensors"), "");
    assert_eq!(base_of_factors(place).unwrap(), with(place.join(&snapshot)));
    // What lies beside them was put there for them. Other factors are no model.
    put("base/adapter_config.json", settings);
    assert_eq!(base_of_factors(place).unwrap(), with(place.join(&snapshot)));
    put("base/config.json", "{}");
    assert_eq!(base_of_factors(place).unwrap(), with(place.join("base")));
}

#[test]
fn an_archive_is_what_leads_to_its_folder_again() {
    let place = tempdir().unwrap();
    let archive = place.path().join("m.zip");
    fs::write(&archive, zip(&[("config.json", b"{}")], true)).unwrap();
    let hub = Hub::new(Settings::of(&|_| None));
    let found = found(locate(&archive).unwrap(), &hub, &place.path().join("unpacked"), &mut |_, _| {}).unwrap();
    assert_eq!((found.given, found.adapter), (archive, None));
    assert!(found.model.starts_with(place.path().join("unpacked")) && found.model.join("config.json").is_file());
}

/// What an archive of these files is unpacked into.
fn unpack(files: &[(&str, &[u8])], deflated: bool) -> (TempDir, Result<PathBuf, slimgpt::checkpoint::ReadError>) {
    unpack_bytes(&zip(files, deflated))
}

fn unpack_bytes(bytes: &[u8]) -> (TempDir, Result<PathBuf, slimgpt::checkpoint::ReadError>) {
    let folder = tempdir().unwrap();
    let archive = folder.path().join("m.zip");
    fs::write(&archive, bytes).unwrap();
    let unpacked = unpacked(&archive, &folder.path().join("cache"), &mut |done, total| assert!(done <= total));
    (folder, unpacked)
}

#[test]
fn an_archive_is_unpacked_once_and_whole() {
    let weights = vec![7; 300_000];
    let files: [(&str, &[u8]); 6] = [
        ("model/", b""),
        ("model/config.json", b"{}"),
        ("model/model.safetensors", &weights),
        ("model/original/config.json", b"[]"),
        ("model/../../evil.json", b"x"),
        ("__MACOSX/model/config.json", b"y"),
    ];
    for deflated in [true, false] {
        let (folder, found) = unpack(&files, deflated);
        let found = found.unwrap();
        assert_eq!(slimgpt::disk::names(&found).unwrap(), ["config.json", "model.safetensors"]);
        assert_eq!(fs::read(found.join("model.safetensors")).unwrap(), weights);
        assert_eq!(slimgpt::disk::names(folder.path()).unwrap(), ["cache", "m.zip"]);
        // The second time it is there; a changed archive is another.
        fs::write(found.join("mark"), "").unwrap();
        let again = |archive: &Path| unpacked(archive, &folder.path().join("cache"), &mut |_, _| {}).unwrap();
        let archive = folder.path().join("m.zip");
        assert_eq!(again(&archive), found);
        assert!(found.join("mark").exists());
        fs::write(&archive, zip(&files[..3], deflated)).unwrap();
        assert_ne!(again(&archive), found);
    }
    let (_folder, flat) = unpack(&[("config.json", b"{}"), ("a.txt", b"b")], false);
    assert_eq!(slimgpt::disk::names(&flat.unwrap()).unwrap(), ["a.txt", "config.json"]);
}

#[test]
fn what_is_no_archive_of_a_model_is_refused_and_leaves_nothing() {
    let refused = |bytes: &[u8], words: &[&str]| {
        let (folder, result) = unpack_bytes(bytes);
        assert_says(result, words);
        let left = slimgpt::disk::names(&folder.path().join("cache")).unwrap_or_default();
        assert_eq!(left, [] as [&str; 0]);
    };
    let good: [(&str, &[u8]); 2] = [("config.json", b"{}"), ("model.safetensors", b"0123456789")];
    let whole = zip(&good, false);
    refused(b"", &["m.zip", "no whole zip archive"]);
    refused(b"not a zip at all, however long it may be", &["no whole zip archive"]);
    refused(&whole[..whole.len() - 1], &["no whole zip archive"]);
    refused(&zip(&[("a.txt", b"a")], false), &["no config.json", "whole folder"]);
    refused(&zip(&[("a/config.json", b""), ("b/config.json", b"")], false), &["several models", "a/", "b/"]);
    refused(&zip(&[good[0], good[1], good[1]], false), &["model.safetensors", "twice"]);
    // A byte of the weights, which the checksum finds; then a size that is not theirs, and another method.
    let at = whole.windows(10).position(|bytes| bytes == b"0123456789").unwrap();
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    refused(&changed(at, b'x'), &["model.safetensors in it is damaged"]);
    let list = whole.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    refused(&changed(list + 24, 9), &["model.safetensors in it is longer than it says"]);
    refused(&changed(list + 24, 11), &["model.safetensors in it is damaged"]);
    refused(&changed(list + 23, 1), &["model.safetensors in it ends behind"]);
    refused(&changed(list + 10, 14), &["method 14"]);
    refused(&changed(list + 8, 1), &["is encrypted"]);
    // More than it has: the rest is missing.
    refused(&changed(list + 27, 0x7f), &["model.safetensors in it is damaged"]);
}

#[test]
fn a_tokenizer_beside_a_gguf_stands_for_one_that_is_not_read() {
    let known = File::llama(BlockType::F32);
    let bytes = known.bytes();
    let texts = Texts::from(Header::read(&bytes[..], bytes.len() as u64).unwrap());
    let place = tempdir().unwrap();
    let (own, other) = (place.path().join("own.gguf"), place.path().join("other.gguf"));
    fs::write(&own, &bytes).unwrap();
    fs::write(&other, known.text("tokenizer.ggml.pre", "of-another-day").bytes()).unwrap();
    assert_says(Tokenizer::open(&other, 32).map(drop), &["of-another-day", "beside the file"]);
    let want = Tokenizer::open(&own, 32).unwrap().encode("abcab").unwrap();
    fs::write(place.path().join("tokenizer.json"), texts.get("tokenizer.json").unwrap().unwrap()).unwrap();
    assert_eq!(Tokenizer::open(&other, 32).unwrap().encode("abcab").unwrap(), want);
    let made = slimgpt::beside::made(&other).unwrap();
    assert_eq!(made.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["tokenizer.json"]);
    // In a folder of downloads it may be another model's: what a file says itself goes before it.
    fs::write(place.path().join("tokenizer.json"), "{}").unwrap();
    assert_eq!(Tokenizer::open(&own, 32).unwrap().encode("abcab").unwrap(), want);
    assert!(Tokenizer::open(&other, 32).is_err());
}
