//! Documents one after the other in windows of one length, so that no place is wasted; a token sees only its
//! own document.

use super::encode::Encoder;
use super::{Example, Source};
use crate::recover::{RecoverError, Settings};

/// Reads the documents of the files into windows.
pub(super) fn read(source: &Source<'_>, _: &Settings, encoder: &mut Encoder<'_>) -> Result<Vec<String>, RecoverError> {
    let documents = source.files.read()?;
    pack(&documents.texts, encoder)?;
    Ok(documents.notes)
}

/// Packs texts into windows; what is left over at the end is a shorter one.
pub(super) fn pack(texts: &[String], encoder: &mut Encoder<'_>) -> Result<(), RecoverError> {
    let (mut tokens, mut documents) = (Vec::new(), Vec::new());
    for (number, text) in texts.iter().enumerate() {
        let document = encoder.document(text)?;
        documents.extend(std::iter::repeat_n(number as u32, document.len()));
        tokens.extend(document);
    }
    let window = encoder.window();
    for (tokens, documents) in tokens.chunks(window).zip(documents.chunks(window)) {
        if tokens.len() > 1 {
            encoder.keep(example(tokens, documents));
        }
    }
    Ok(())
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
