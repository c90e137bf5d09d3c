//! Why something of the hub cannot be had, and what to do about it.

use std::path::PathBuf;

use crate::disk::DiskError;
use crate::format;
use crate::remedy::{Remedied, Remedy};

/// Why something of the hub cannot be had. Whatever was downloaded stays, and the next try goes on from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// It is not in the cache, and nothing may be downloaded.
    #[error("{name} is not in the cache {}{}, and nothing is to be downloaded", cache.display(), without(lacks))]
    Offline {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        cache: PathBuf,
        /// What the cache does not have of it; nothing where it has nothing.
        lacks: String,
    },
    /// The hub cannot be reached.
    #[error(
        "{name} is not in the cache, and {endpoint} cannot be reached ({reason}); check the connection (HTTPS_PROXY names \
         a proxy, HF_ENDPOINT another hub)"
    )]
    Unreachable {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// What went wrong.
        reason: String,
    },
    /// Whoever waited for it did not want to wait any more. Not a fault.
    #[error("the download was stopped; what has arrived is kept, and the next one goes on from there")]
    Stopped,
    /// The connection broke, again and again.
    #[error(
        "{file} of {name} arrived only in part: {done} of {size} bytes ({reason}); the same command goes on from there"
    )]
    Broken {
        /// What was asked for.
        name: String,
        /// The file.
        file: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes that it has.
        size: u64,
        /// What went wrong.
        reason: String,
    },
    /// There is no such repository, or not for this person.
    #[error(
        "there is no {name} on {endpoint}, or it is private{}; check the name, and for one that is private set HF_TOKEN to a \
         token that may read it ({endpoint}/settings/tokens)",
        if *has_token { " and the token in use may not see it" } else { "" }
    )]
    NotFound {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The repository has no such revision or file.
    #[error("{name} on {endpoint} has no {what}; {endpoint}/{page} shows what it has")]
    NoSuch {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// The revision or the file, in words.
        what: String,
        /// Where its files are shown, below the hub's address.
        page: String,
    },
    /// The owners want to be asked first.
    #[error(
        "{name} is given only to those who asked for it: accept its conditions at {endpoint}/{page} and set HF_TOKEN to a token of \
         that account ({endpoint}/settings/tokens){}",
        if *has_token { "; the account of the token in use has no access yet" } else { "" }
    )]
    Gated {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// Its page, below the hub's address.
        page: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The hub does not know the token.
    #[error("{endpoint} refuses the token; set HF_TOKEN to another ({endpoint}/settings/tokens), or remove {}", file.display())]
    Token {
        /// The hub.
        endpoint: String,
        /// Where a token is kept.
        file: PathBuf,
    },
    /// The repository has another name now.
    #[error("{name} is called {now} today: use that name")]
    Renamed {
        /// What was asked for.
        name: String,
        /// `org/name`.
        now: String,
    },
    /// The hub wants to be asked less.
    #[error(
        "{endpoint} answers no more for now (429, too many requests): try again {}{}", wait(*seconds),
        if *has_token { "" } else { "; with a token in HF_TOKEN it answers more" }
    )]
    TooMany {
        /// The hub.
        endpoint: String,
        /// Seconds that it wants to be left alone, if it says so.
        seconds: Option<u64>,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// The hub answers something that has no name here.
    #[error("{name}: {endpoint} answers {status}{}; try again later", said(message))]
    Status {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// The number of its answer.
        status: u16,
        /// What it says.
        message: String,
    },
    /// What the hub answers makes no sense.
    #[error("{name}: {endpoint} answers what no hub does: {what}; HF_ENDPOINT names the hub that is asked")]
    Answer {
        /// What was asked for.
        name: String,
        /// The hub.
        endpoint: String,
        /// What is wrong with it.
        what: String,
    },
    /// The bytes are not those that the hub tells of.
    #[error(
        "{file} of {name} has the hash {found}, not {wanted}: what arrived is not the file, and was removed; try again"
    )]
    Hash {
        /// What was asked for.
        name: String,
        /// The file.
        file: String,
        /// Its hash.
        wanted: String,
        /// What the bytes have.
        found: String,
    },
    /// A repository without weights in a format that is read.
    #[error("{name} has no .safetensors{}", instead.as_deref().map_or(String::new(), |file| format!(", but {file}; choose a repository of the same \
         model with safetensors, or convert it with transformers (save_pretrained)")))]
    NoWeights {
        /// What was asked for.
        name: String,
        /// What it has instead.
        instead: Option<String>,
    },
    /// A data set without one file that is meant.
    #[error("{name} has {}: name the one that is meant, as in {name}/{}", files_in(files), files.first().map_or("FILE", String::as_str))]
    WhichFile {
        /// What was asked for.
        name: String,
        /// Its files that can be read.
        files: Vec<String>,
    },
    /// A data set without a text.
    #[error("{name} has no file with a text that is read here; name one of its files, as in {name}/FILE")]
    NoText {
        /// What was asked for.
        name: String,
    },
    /// What begins as a name is none.
    #[error("{0} is no name of a data set: such is dataset:org/name or dataset:org/name/file")]
    NoName(String),
    /// The cache's disk has too little room.
    #[error(
        "{name} needs {} more in {}, and {} are free; free some space there, or put the cache elsewhere with HF_HOME or HF_HUB_CACHE",
        format::bytes(*needed), cache.display(), format::bytes(*free)
    )]
    Room {
        /// What was asked for.
        name: String,
        /// The cache.
        cache: PathBuf,
        /// Bytes that are still to come.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The disk refused something.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Remedied for HubError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Offline { .. } => Some(Remedy::Online),
            _ => None,
        }
    }
}

impl HubError {
    /// Whether the same request may succeed in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

fn without(lacks: &str) -> String {
    if lacks.is_empty() { String::new() } else { format!(" but in part: it lacks {lacks}") }
}

fn wait(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "in some minutes".into(), |seconds| format!("in {}", format::seconds(seconds as f64)))
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn files_in(files: &[String]) -> String {
    format!("{} files with texts ({})", files.len(), format::few(files))
}
