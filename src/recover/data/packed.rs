//! Documents one after the other in windows of one length, so that no place is wasted; a token sees only its
//! own document.

use super::encode::Encoder;
use super::{Example, Source};
use crate::recover::RecoverError;

/// Reads the documents of the files into windows.
pub(super) fn read(source: &Source<'_>, encoder: &mut Encoder<'_>) -> Result<Vec<String>, RecoverError> {
    let documents = source.files.read()?;
    pack(&documents.texts, encoder)?;
    Ok(documents.notes)
}

/// Packs texts into windows; what is left over at the end is a shorter one. A piece of a document that goes on from
/// the window before begins with the begin token too: models lean on it, and are measured with it.
pub(super) fn pack(texts: &[String], encoder: &mut Encoder<'_>) -> Result<(), RecoverError> {
    let mut window = Window::default();
    for (number, text) in texts.iter().enumerate() {
        let mut left = &encoder.document(text)?[..];
        while !left.is_empty() {
            let room = encoder.window() - window.tokens.len();
            // A begin token alone would teach nothing.
            if room < 2 {
                window.close(encoder);
                continue;
            }
            let begin = encoder.begin();
            let (piece, rest) = left.split_at(left.len().min(room - begin.iter().len()));
            window.take(number as u32, begin.into_iter().chain(piece.iter().copied()));
            left = rest;
        }
    }
    window.close(encoder);
    Ok(())
}

/// A window in the making.
#[derive(Default)]
struct Window {
    tokens: Vec<u32>,
    documents: Vec<u32>,
}

impl Window {
    fn take(&mut self, document: u32, tokens: impl Iterator<Item = u32>) {
        self.tokens.extend(tokens);
        self.documents.resize(self.tokens.len(), document);
    }

    fn close(&mut self, encoder: &mut Encoder<'_>) {
        if self.tokens.len() > 1 {
            encoder.keep(example(&self.tokens, &self.documents));
        }
        *self = Self::default();
    }
}

fn example(tokens: &[u32], documents: &[u32]) -> Example {
    let first = documents[0];
    // Nothing predicts the first token of a document.
    let counts = documents.windows(2).map(|pair| pair[0] == pair[1]).collect();
    let is_one = documents.iter().all(|&number| number == first);
    // Numbered anew: only whether two tokens share one matters.
    let documents = if is_one { Vec::new() } else { documents.iter().map(|number| number - first).collect() };
    Example { tokens: tokens.to_vec(), counts, documents }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_predicted_across_documents() {
        let packed = example(&[5, 6, 7, 8], &[3, 3, 4, 4]);
        assert_eq!((packed.counts, packed.documents), (vec![true, false, true], vec![0, 0, 1, 1]));
        let one = example(&[5, 6], &[9, 9]);
        assert_eq!((one.counts, one.documents), (vec![true], vec![]));
    }
}
