//! Windows and documents from files: read only as far as the windows reach, where the choice of windows allows it.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{self, Bounds, Documents, How, Listing};
use super::piece::{Passing, Piece};
use super::windows::{Cut, Part, cut, enough};
use super::{ChatTemplate, Join, Message, Sampling, TextError, Tokenizer, TokenizerSettings, Windows, drawn};
use crate::disk;

/// Bytes that are read for each token that is wanted: far more than a token has in any language.
const BYTES_A_TOKEN: usize = 64;
/// Bytes that are read at least.
const LEAST_BYTES: usize = 1 << 16;
/// How much further the next try reads.
const FURTHER: usize = 4;

/// Files with texts.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// Where they are: files, folders, patterns (`data/*.parquet`), or `-` for standard input.
    pub paths: &'a [PathBuf],
    /// Under which key the text of a row stands, or the messages of a conversation; `a.b` is the part `b` of the part
    /// `a`.
    pub key: &'a str,
    /// How many documents of all of them together are used; `None` uses all.
    pub documents: Option<usize>,
}

/// The documents of a file: the whole of a `.txt` (also `.md`, `.raw`), the `key` of every line of a `.jsonl`, every row
/// of a `.json` list (as Alpaca: instruction, input and output joined by line ends), and the column `key` of a `.csv`,
/// `.tsv` or `.parquet`. A `.json` that is no list holds lines, as the shards of C4 do. Any of them may end in `.gz` or
/// `.zst`. Rows whose text is null are left out. Of a folder or a pattern it is all of their files.
///
/// # Errors
/// When the file is unreadable, has another ending or more text than memory holds, or a row lacks
/// its text; rows are counted from 1.
pub fn read_documents(path: &Path, key: &str) -> Result<Vec<String>, TextError> {
    Ok(Files { paths: &[path.to_owned()], key, documents: None }.read()?.texts)
}

impl<'a> Files<'a> {
    /// All documents.
    ///
    /// # Errors
    /// When a file cannot be read, there is more text than memory, or the rows are conversations.
    pub fn read(&self) -> Result<Documents, TextError> {
        self.read_for(None)
    }

    /// All documents for the model in this folder, whose chat template makes texts of conversations.
    ///
    /// # Errors
    /// When a file cannot be read, there is more text than memory, or conversations have no template.
    pub fn read_for(&self, model: Option<&Path>) -> Result<Documents, TextError> {
        let Listing { paths, notes } = files::listing(self.each())?;
        let (found, chats) = (Files { paths: &paths, ..*self }, Chats::of(model));
        let mut read = files::whole(found.each(), found.how(None, &|said| chats.text(said)), found.wanted())?;
        read.notes.splice(0..0, notes);
        Ok(read)
    }

    /// Whether a file among them holds a text and no rows, by its name.
    pub fn have_texts(&self) -> bool {
        // What cannot be listed is told where it is read.
        files::listing(self.each()).is_ok_and(|listing| listing.paths.iter().any(|path| files::is_text(path)))
    }

    /// What stands under the key in a row.
    pub fn part<'v>(&self, row: &'v Value) -> Option<&'v Value> {
        files::under(row, self.key)
    }

    /// The rows as they stand in the files, each with its file's path and its place in it; what `each` finds wrong
    /// with one is told with both. Of tables only these `columns` are read where any are named, or else all that hold
    /// text, numbers or truth values. Returns what is to be said of them.
    ///
    /// # Errors
    /// When a file cannot be read, is no file of rows or holds more than memory does, or with what `each` says.
    pub fn rows(
        &self,
        columns: Option<&[&str]>,
        each: &mut dyn FnMut(&Value, &str) -> Result<(), String>,
    ) -> Result<Vec<String>, TextError> {
        let Listing { paths, mut notes } = files::listing(self.each())?;
        let found = Files { paths: &paths, ..*self };
        // Rows are shown as they are.
        let render = |_: &[Message]| Ok(String::new());
        notes.extend(files::rows(found.each(), found.how(columns, &render), each)?);
        Ok(notes)
    }

    /// Windows of the documents, or of the one text that they are joined to. `progress` is told how
    /// many of how many documents are encoded, or windows where they are drawn.
    ///
    /// # Errors
    /// When a file cannot be read or is too short, or the model has no begin-of-sequence token that
    /// is asked for.
    pub fn windows(
        &self,
        join: Option<Join>,
        tokenizer: &Tokenizer,
        bos: Option<u32>,
        which: &Windows,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Cut, TextError> {
        let Listing { paths, notes } = files::listing(self.each())?;
        let (files, chats) = (Files { paths: &paths, ..*self }, Chats::of(tokenizer.folder()));
        let render = |said: &[Message]| chats.text(said);
        let found = Found { files, how: files.how(None, &render), most: Bounds::of_memory(self.wanted()) };
        let drawn = found.drawn(join, tokenizer, bos, which, progress)?;
        let mut cut = match drawn {
            Some(drawn) => drawn,
            None => found.held(join, tokenizer, bos, which, progress)?,
        };
        // How the files were found is said before what was read in them.
        cut.notes.splice(0..0, notes);
        Ok(cut)
    }

    fn each(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }

    fn wanted(&self) -> usize {
        self.documents.unwrap_or(usize::MAX)
    }

    fn how<'h>(
        &self,
        columns: Option<&'h [&'h str]>,
        render: &'h dyn Fn(&[Message]) -> Result<String, String>,
    ) -> How<'h>
    where
        'a: 'h,
    {
        How { key: self.key, columns, render }
    }
}

/// Files that were found by their names, and how they are read.
struct Found<'a> {
    files: Files<'a>,
    how: How<'a>,
    most: Bounds,
}

impl Found<'_> {
    /// Windows of documents that are held, of which no more is read than they need.
    fn held(
        &self,
        join: Option<Join>,
        tokenizer: &Tokenizer,
        bos: Option<u32>,
        which: &Windows,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Cut, TextError> {
        let most = self.most;
        let mut bytes = self.first_bytes(which, most.bytes);
        loop {
            let mut read = files::read(self.files.each(), self.how, Bounds { bytes, ..most })?;
            if !read.is_part || self.tells_what_it_is(&read) {
                let part = Part { is_cut: read.is_part && (read.is_cut || join.is_some()) };
                let texts = match join {
                    Some(join) => vec![join.text(&read.texts)],
                    None => std::mem::take(&mut read.texts),
                };
                match cut(tokenizer, &texts, part, bos, which, progress) {
                    // More of the text may have enough.
                    Err(TextError::TooShort { .. }) if read.is_part => {}
                    Err(error) => return Err(error),
                    Ok(mut found) => {
                        read.notes.append(&mut found.notes);
                        return Ok(Cut { notes: read.notes, ..found });
                    }
                }
            }
            if bytes >= most.bytes {
                return Err(TextError::TooLarge { limit: most.bytes as u64 });
            }
            bytes = bytes.saturating_mul(FURTHER).min(most.bytes);
        }
    }

    /// Windows at drawn places, of documents that are not held; `None` where the text is to be cut as a whole.
    fn drawn(
        &self,
        join: Option<Join>,
        tokenizer: &Tokenizer,
        bos: Option<u32>,
        which: &Windows,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<Cut>, TextError> {
        // A joined text is another than that of the files, and drawing passes over them twice.
        if join.is_some() || which.sampling != Sampling::Random || !self.can_be_read_again() {
            return Ok(None);
        }
        let text = Unheld { found: self, bounds: self.most.endless(), notes: OnceCell::new() };
        let windows = drawn::windows(tokenizer, &text, bos, which, progress)?;
        let notes = text.notes.into_inner().unwrap_or_default();
        Ok(windows.map(|windows| Cut { windows, notes }))
    }

    /// What comes through a pipe can be read only once.
    fn can_be_read_again(&self) -> bool {
        self.files.each().all(|path| !disk::is_pipe(path) && path.metadata().is_ok_and(|data| data.is_file()))
    }

    /// How far the first try reads.
    fn first_bytes(&self, which: &Windows, most: usize) -> usize {
        match enough(which) {
            usize::MAX => most,
            // What passes by once is read as far as memory holds it.
            _ if !self.can_be_read_again() => most,
            tokens => tokens.saturating_mul(BYTES_A_TOKEN).clamp(LEAST_BYTES.min(most), most),
        }
    }

    /// Whether a part of the files shows already whether they are one document or several, which are
    /// joined differently.
    fn tells_what_it_is(&self, read: &Documents) -> bool {
        read.texts.len() > 1 || read.is_cut && self.files.paths.len() == 1
    }
}

/// Makes conversations texts, by the chat template of the model in a folder, which is opened when the first comes.
struct Chats<'a> {
    folder: Option<&'a Path>,
    template: OnceCell<Result<ChatTemplate, String>>,
}

impl<'a> Chats<'a> {
    fn of(folder: Option<&'a Path>) -> Self {
        Self { folder, template: OnceCell::new() }
    }

    fn text(&self, said: &[Message]) -> Result<String, String> {
        let template = self.template.get_or_init(|| self.open()).as_ref().map_err(Clone::clone)?;
        template.render_whole(said).map_err(|e| e.to_string())
    }

    fn open(&self) -> Result<ChatTemplate, String> {
        let folder =
            self.folder.ok_or("messages need a model's chat template, and here is none; name a key with a text")?;
        let settings = TokenizerSettings::open(folder).map_err(|e| e.to_string())?;
        ChatTemplate::open(folder, &settings, None).map_err(|e| format!("messages need a chat template: {e}"))
    }
}

/// Documents of files that pass by and are not held.
struct Unheld<'a> {
    found: &'a Found<'a>,
    bounds: Bounds,
    /// What is to be said of the first pass, which sees all of them.
    notes: OnceCell<Vec<String>>,
}

impl Passing for Unheld<'_> {
    fn pass(&self, each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> Result<(), TextError> {
        let found = files::pass(self.found.files.each(), self.found.how, self.bounds, each)?;
        if found.is_part {
            return Err(TextError::TooLarge { limit: self.bounds.held as u64 });
        }
        self.notes.get_or_init(|| found.notes);
        Ok(())
    }
}
