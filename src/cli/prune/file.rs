//! `prune --out FILE.gguf`: a folder is made beside the file, written as the file, and removed.
//!
//! ```text
//! slim.gguf.partial/slim.partial   finished layers, as of any pruning
//! slim.gguf.partial/slim           the pruned folder, until the file is whole
//! slim.gguf, slim.html             the result, and the page about it
//! ```

use std::path::{Path, PathBuf};

use anyhow::Result;
use slimgpt::checkpoint::{Checkpoint, ModelFile};
use slimgpt::disk;
use slimgpt::export::gguf::{self, FileType};
use slimgpt::pipeline::Plan;
use slimgpt::place::{Kind, Place, PlaceError};
use slimgpt::report;

use crate::cli::exit::Usage;
use crate::cli::progress::counting;
use crate::cli::{export, out};

/// A result that is one GGUF file.
pub struct GgufFile<'a> {
    out: &'a Path,
    dtype: Option<FileType>,
    overwrite: bool,
}

impl<'a> GgufFile<'a> {
    /// The file, if `out` is the name of one.
    pub fn asked(out: &'a Path, dtype: Option<FileType>, overwrite: bool) -> Result<Option<Self>> {
        let is_file = ModelFile::of(out) == Some(ModelFile::Gguf) && !out.is_dir();
        match (is_file, dtype) {
            (true, dtype) => Ok(Some(Self { out, dtype, overwrite })),
            (false, Some(_)) => Err(Usage("--gguf-dtype needs an --out that ends with .gguf".into()).into()),
            (false, None) => Ok(None),
        }
    }

    /// The folder that is pruned into. Its name becomes the model's.
    pub fn folder(&self) -> PathBuf {
        self.around().join(self.out.file_stem().unwrap_or_default())
    }

    fn around(&self) -> PathBuf {
        self.out.with_added_extension("partial")
    }

    /// The page about the file.
    pub fn page(&self) -> PathBuf {
        self.out.with_extension("html")
    }

    /// Asks what would be refused at the end, before any work.
    pub fn ask(&self, reads: &[PathBuf]) -> Result<()> {
        Place::new(self.out, Kind::Gguf, self.overwrite).ask(reads)?;
        beside(Place::new(&self.page(), Kind::Page, true).ask(reads))?;
        Ok(())
    }

    /// Refuses what llama.cpp would not open, and says which matrices get other blocks than they should have.
    pub fn check(&self, plan: &Plan, checkpoint: &Checkpoint) -> Result<()> {
        let pruned = plan.pruned_config(checkpoint.config());
        checkpoint.folder().map_or(Ok(()), |folder| gguf::check_tokenizer(folder, &pruned))?;
        let dtype = self.dtype.unwrap_or(FileType::of(checkpoint.types(plan.request.dtype).bulk()));
        export::hint_at_fallbacks(&pruned, dtype)
    }

    /// Makes room for the folder.
    pub fn begin(&self) -> Result<()> {
        Ok(disk::make_folder(&self.around())?)
    }

    /// Writes the finished folder as the file, and its page beside it; then the folder goes.
    pub fn write(&self, json: bool) -> Result<gguf::Summary> {
        let folder = self.folder();
        let options = gguf::Options { dtype: self.dtype, overwrite: self.overwrite };
        let checkpoint = Checkpoint::open(&folder)?;
        let written = gguf::export(&checkpoint, self.out, options, &mut counting("writing", json))?;
        // Where open files cannot be removed, they are closed first.
        drop(checkpoint);
        let page = disk::read_within(&folder.join(report::FILE), disk::REPORT)?;
        beside(Place::new(&self.page(), Kind::Page, true).write(&page))?;
        disk::discard(&folder);
        Ok(written)
    }

    /// Says what was written.
    pub fn show(&self, written: &gguf::Summary) -> Result<()> {
        out::line(export::told(self.out, written))?;
        Ok(out::line(format_args!("what went is shown by {}", self.page().display()))?)
    }
}

/// What may not be put beside the file, in words that fit it.
fn beside<T>(done: Result<T, PlaceError>) -> Result<T> {
    done.map_err(|error| match error {
        PlaceError::Disk(error) => error.into(),
        refused => Usage(format!("{refused}, and the page about the file goes there; choose another --out")).into(),
    })
}

impl Drop for GgufFile<'_> {
    /// What an interrupted run has made stays, for the next to go on with.
    fn drop(&mut self) {
        if disk::is_empty(&self.around()) {
            // An empty folder is in nobody's way.
            let _ = disk::remove_folder(&self.around());
        }
    }
}
