//! A model in several files, as llama-gguf-split of llama.cpp makes them: `NAME-00001-of-00003.gguf`. The first has
//! the keys, each has tensors of its own.

use super::header::refuse_twice;
use super::{GgufError, Header, TensorInfo};

/// How many files a model was split into.
const COUNT: &str = "split.count";
/// Which of them a file is, counted from 0.
const NUMBER: &str = "split.no";
/// How many tensors all of them have together.
const TENSORS: &str = "split.tensors.count";

/// The names of the files of a model, the first one first, where `name` is one of several by its form.
#[cfg(not(target_arch = "wasm32"))]
fn names(name: &str) -> Option<impl Iterator<Item = String>> {
    // llama.cpp finds the others by exactly this form.
    const DIGITS: usize = 5;
    let number = |digits: &str| digits.parse::<u32>().ok().filter(|_| digits.len() == DIGITS);
    let (numbered, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (stem, own) = numbered.rsplit_once('-')?;
    let count = number(count)?;
    let is_one = (1..=count).contains(&number(own)?);
    is_one.then(move || (1..=count).map(move |i| format!("{stem}-{i:05}-of-{count:05}.gguf")))
}

/// The files of the model that the file `path` is one of, by its name, the first one first; itself alone where its
/// name says nothing of others.
#[cfg(not(target_arch = "wasm32"))]
pub fn parts(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match names(&name) {
        Some(all) => all.map(|name| path.with_file_name(name)).collect(),
        None => vec![path.to_owned()],
    }
}

impl Header {
    /// How many files the model is in.
    ///
    /// # Errors
    /// When the key is not a whole number.
    pub fn parts(&self) -> Result<u64, GgufError> {
        // A model in one file has no such key.
        Ok(self.whole(COUNT)?.unwrap_or(1).max(1))
    }

    /// The header of a whole model, of whose files this is the first and `others` are the rest, in their order.
    ///
    /// # Errors
    /// When they are not the files of one model, or not in this order.
    pub fn join(mut self, others: Vec<Self>) -> Result<Self, GgufError> {
        let count = others.len() as u64 + 1;
        self.is_part(0, count)?;
        for (part, other) in (1..).zip(others) {
            other.is_part(part, count)?;
            let part = part as usize;
            // Where a tensor begins is counted in its own file.
            self.tensors.extend(other.tensors.into_iter().map(|tensor| TensorInfo { part, ..tensor }));
        }
        let found = self.tensors.len() as u64;
        if let Some(told) = self.whole(TENSORS)?.filter(|&told| told != found) {
            return Err(GgufError::key(
                TENSORS,
                format!("is {told}, and the files have {found}: they are of two models"),
            ));
        }
        refuse_twice(&self.tensors)?;
        Ok(self)
    }

    fn is_part(&self, part: u64, count: u64) -> Result<(), GgufError> {
        let (number, of) = (self.whole(NUMBER)?, self.whole(COUNT)?);
        if (number, of) == (Some(part), Some(count)) {
            return Ok(());
        }
        let shown = |number: Option<u64>| number.map_or("missing".to_owned(), |number| number.to_string());
        let (number, of) = (shown(number), shown(of));
        Err(GgufError::key(NUMBER, format!("is {number} of {of} in what should be file {part} of {count}, from 0 on")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_tells_the_others() {
        let of = |path: &str| parts(Path::new(path)).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(of("/m/a-b-00002-of-00002.gguf"), ["/m/a-b-00001-of-00002.gguf", "/m/a-b-00002-of-00002.gguf"]);
        for alone in ["m.gguf", "m-00003-of-00002.gguf", "m-00000-of-00002.gguf", "m-1-of-2.gguf", "m-00001-of-00002"] {
            assert_eq!(of(alone), [alone]);
        }
    }
}
