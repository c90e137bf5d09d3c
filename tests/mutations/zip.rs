//! Archives of a model's folder.

use slimgpt::checkpoint::unpacked;

use crate::support::zip::zip;
use crate::{Format, Outcome};

pub fn formats() -> Vec<Format> {
    let files: [(&str, &[u8]); 3] =
        [("m/config.json", b"{}"), ("m/model.safetensors", b"0123456789abcdef"), ("m/tokenizer.json", b"{\"a\": [1]}")];
    vec![Format {
        name: "model.zip",
        share: 3,
        seeds: vec![zip(&files, false), zip(&files, true)],
        is_json: false,
        parts: &["../", "/", "PK", "config.json"],
        read: Box::new(|file| {
            let folder = tempfile::tempdir().unwrap();
            let (archive, cache) = (folder.path().join("model.zip"), folder.path().join("cache"));
            std::fs::write(&archive, file).unwrap();
            let result = unpacked(&archive, &cache, &mut |_, _| {});
            let beside = slimgpt::disk::names(folder.path()).unwrap();
            if beside.iter().any(|name| !["model.zip", "cache"].contains(&name.as_str())) {
                return Outcome::Wrong(format!("something was written beside the cache: {beside:?}"));
            }
            // What is not whole has no name in the cache.
            match (result, slimgpt::disk::names(&cache).unwrap_or_default().len()) {
                (Ok(_), 1) => Outcome::Used,
                (Err(_), 0) => Outcome::Refused,
                (result, there) => Outcome::Wrong(format!("{there} folders are there after {result:?}")),
            }
        }),
    }]
}
