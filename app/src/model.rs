//! An open checkpoint: its weights, its tokenizer, and, where this program made it, its report.

use std::path::{Path, PathBuf};

use slimgpt::checkpoint::{Checkpoint, ModelFile};
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::disk;
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::export::compat::{Client, clients};
use slimgpt::pipeline::Report;
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::session::Found;
use slimgpt::shipped;
use slimgpt::text::Tokenizer;
#[cfg(not(target_arch = "wasm32"))]
use slimgpt::text::TokenizerSettings;

use slimgpt::format::{bytes, count, percent};

use crate::remedy::told;

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Origin {
    /// A folder of this machine, or what stands for one: a GGUF, one of its files, an archive, low-rank factors.
    Folder(PathBuf),
    /// Compiled into the program.
    Shipped,
}

/// An open checkpoint, with what stands beside its weights.
pub struct Model {
    /// Where it comes from.
    pub origin: Origin,
    /// Its sizes; weights are read when they are needed.
    pub checkpoint: Checkpoint,
    /// The tokenizer, or why there is none.
    pub tokenizer: Result<Tokenizer, String>,
    /// What was pruned, for a folder of this program.
    pub report: Option<Report>,
    /// The token that a text begins with, if the model wants one.
    pub begin: Option<u32>,
    /// The folder of low-rank factors that are added to its weights.
    pub adapter: Option<PathBuf>,
    /// Which programs open it; found once, because the tokenizer is read for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub clients: Vec<Client>,
}

impl Model {
    /// Opens a model that was found, also one without a usable tokenizer.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the library.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(found: &Found) -> Result<Self, String> {
        let (checkpoint, folder) = (found.open().map_err(told)?, found.model.as_path());
        // Its error is kept: a model without a tokenizer can still be inspected.
        let tokenizer = Tokenizer::open(folder, checkpoint.config().vocab_size).map_err(told);
        let report = disk::read_within(&folder.join(Report::FILE), disk::REPORT).ok();
        // A report of another version is as good as none.
        let report = report.and_then(|json| serde_json::from_slice(&json).ok());
        let begin = tokenizer.as_ref().ok().and_then(|tokenizer| begin(folder, tokenizer));
        let clients = clients(checkpoint.config(), Some(folder));
        let (origin, adapter) = (Origin::Folder(found.given.clone()), found.adapter.clone());
        Ok(Self { origin, checkpoint, tokenizer, report, begin, adapter, clients })
    }

    /// Opens the shipped model from a folder it is written to, so that pruning it leaves a whole folder.
    ///
    /// # Errors
    /// When it cannot be written.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn shipped(data: &Path) -> Result<Self, String> {
        let folder = data.join("shipped-model");
        shipped::write(&folder).map_err(told)?;
        Ok(Self { origin: Origin::Shipped, ..Self::open(&Found::at(folder))? })
    }

    /// Opens the shipped model in memory.
    ///
    /// # Errors
    /// Never, for the model that was tested.
    pub fn shipped_in_memory() -> Result<Self, String> {
        let (checkpoint, tokenizer) = shipped::open().map_err(told)?;
        let begin = checkpoint.config().bos_token;
        Ok(Self {
            origin: Origin::Shipped,
            #[cfg(not(target_arch = "wasm32"))]
            clients: clients(checkpoint.config(), None),
            checkpoint,
            tokenizer: Ok(tokenizer),
            report: None,
            begin,
            adapter: None,
        })
    }

    /// The folder its weights are read from.
    pub fn folder(&self) -> Option<&Path> {
        self.checkpoint.folder()
    }

    /// The folders and files that it is read from, which are not to be written over.
    pub fn reads(&self) -> impl Iterator<Item = PathBuf> {
        let given = match &self.origin {
            Origin::Folder(given) => Some(given.clone()),
            Origin::Shipped => None,
        };
        given.into_iter().chain(self.folder().map(PathBuf::from)).chain(self.adapter.clone())
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Shipped => "Shipped model".into(),
            Origin::Folder(path) => called(path),
        }
    }

    /// Where something that is made of it goes unless somebody says where: beside what was opened.
    pub fn beside(&self, made: &str) -> PathBuf {
        let given = match &self.origin {
            Origin::Folder(given) => given.clone(),
            Origin::Shipped => self.folder().map_or_else(|| "model".into(), PathBuf::from),
        };
        // Other programs clear the hub's cache, and know nothing of what else lies there.
        if let Some(name) = name_of_snapshot(&given) {
            let name = name.rsplit('/').next().unwrap_or(&name);
            return std::env::home_dir().unwrap_or_default().join(format!("{name}-{made}"));
        }
        // A folder is made, which has no ending of a file.
        let name = if ModelFile::of(&given).is_some() { given.file_stem() } else { given.file_name() };
        given.with_file_name(format!("{}-{made}", name.unwrap_or_default().to_string_lossy()))
    }

    /// The tokenizer, where the folder has a usable one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn tokenizer(&self) -> Result<&Tokenizer, String> {
        self.tokenizer.as_ref().map_err(Clone::clone)
    }

    /// What it is, line by line: (name, value).
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let config = self.checkpoint.config();
        // The sizes that a layer began with: those of a pruned model differ from layer to layer.
        let dense = config.dense;
        let grouped = match dense.heads_per_group() {
            1 => "each with keys and values of its own".to_owned(),
            n => format!("in {} K/V groups of {n}", dense.kv_heads),
        };
        let mut facts = vec![
            ("Family", format!("{:?}", config.family)),
            ("Layers", config.layers.len().to_string()),
            ("Query heads", format!("{} of width {}, {grouped}", dense.heads, config.head_dim)),
            ("Width", format!("{}, feed-forward {}", config.hidden_size, dense.channels)),
            ("Vocabulary", format!("{}, context {} tokens", count(config.vocab_size), count(config.max_positions))),
            ("Parameters", self.parameters()),
            ("Size", format!("{} in {}", bytes(self.checkpoint.bytes()), self.checkpoint.dtype())),
        ];
        facts.extend(
            self.adapter.iter().map(|adapter| ("With", format!("the low-rank factors in {}", adapter.display()))),
        );
        facts
    }

    fn parameters(&self) -> String {
        let config = self.checkpoint.config();
        let (now, dense) = (config.parameters(), config.unpruned().parameters());
        let gone = 1.0 - now as f64 / dense as f64;
        if now == dense { count(now) } else { format!("{}, {} less than before pruning", count(now), percent(gone)) }
    }

    /// What keeps it from being pruned.
    pub fn problem(&self) -> Option<String> {
        let tokenizer = self.tokenizer.as_ref().err()?;
        Some(format!("It cannot be calibrated or compared, because it has no usable tokenizer: {tokenizer}"))
    }

    /// Whether it has fewer parameters than it was made with.
    pub fn is_pruned(&self) -> bool {
        let config = self.checkpoint.config();
        config.parameters() < config.unpruned().parameters()
    }
}

/// What a model's folder or file is called: by its name on the hub where it lies in the cache.
pub fn called(path: &Path) -> String {
    let name = || path.file_name().map_or("/".into(), |name| name.to_string_lossy().into_owned());
    name_of_snapshot(path).unwrap_or_else(name)
}

/// The name on the hub of the model that lies in its cache.
#[cfg(not(target_arch = "wasm32"))]
fn name_of_snapshot(folder: &Path) -> Option<String> {
    slimgpt::hub::model_of_snapshot(folder)
}

/// A page has no cache.
#[cfg(target_arch = "wasm32")]
fn name_of_snapshot(_: &Path) -> Option<String> {
    None
}

/// The token before a text, where the folder has a usable tokenizer that puts one there.
#[cfg(not(target_arch = "wasm32"))]
fn begin(folder: &Path, tokenizer: &Tokenizer) -> Option<u32> {
    tokenizer.begin(&TokenizerSettings::open(folder).ok()?).ok()?
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// Where something goes that is made of what was opened by this path.
    fn beside(given: &str) -> PathBuf {
        let shipped = Model::shipped_in_memory().unwrap();
        Model { origin: Origin::Folder(given.into()), ..shipped }.beside("slim-20")
    }

    #[test]
    fn what_is_made_lies_beside_what_was_opened_and_never_in_a_cache() {
        assert_eq!(beside("/models/Llama-3.2-1B"), Path::new("/models/Llama-3.2-1B-slim-20"));
        assert_eq!(beside("/models/m.Q4_K_M.gguf"), Path::new("/models/m.Q4_K_M-slim-20"));
        assert_eq!(beside("/models/tiny.zip"), Path::new("/models/tiny-slim-20"));
        let snapshot = format!("/hub/models--org--tiny/snapshots/{}", "c".repeat(40));
        let out = beside(&snapshot);
        assert!(out.ends_with("tiny-slim-20") && !out.starts_with("/hub"), "{}", out.display());
    }
}
