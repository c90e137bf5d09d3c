//! The files that a folder has beside its weights, as the keys of a GGUF say them.

use serde_json::Value;

use super::{GgufError, Header, tokenizer};

/// The texts that stand for a folder's files.
pub struct Texts {
    header: Header,
}

impl Texts {
    /// The names of the files that there can be.
    pub const NAMES: [&str; 3] = ["tokenizer.json", "tokenizer_config.json", "generation_config.json"];

    /// Those of the file `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no GGUF.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(path: &std::path::Path) -> Result<Self, GgufError> {
        let file = crate::disk::open(path).map_err(|e| e.cause)?;
        let length = file.metadata()?.len();
        Ok(Self { header: Header::read(std::io::BufReader::new(file), length)? })
    }

    /// The file of this name; `None` where the keys say nothing that stands in it.
    ///
    /// # Errors
    /// When the keys contradict each other, or say what no such file can.
    pub fn get(&self, name: &str) -> Result<Option<String>, GgufError> {
        let header = &self.header;
        let json = match name {
            "tokenizer.json" => Some(tokenizer::tokenizer(header)?),
            "tokenizer_config.json" => Some(tokenizer::settings(header)?),
            "generation_config.json" => tokenizer::generation(header)?,
            _ => None,
        };
        // Only people look at the short ones; indented, a vocabulary would take twice the room.
        let text = |json: Value| if name == "tokenizer.json" { json.to_string() } else { format!("{json:#}\n") };
        Ok(json.map(text))
    }
}

impl From<Header> for Texts {
    fn from(header: Header) -> Self {
        Self { header }
    }
}
