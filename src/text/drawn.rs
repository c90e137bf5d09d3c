//! Random windows of a long text. Places are drawn first, and only what stands around them is held and cut
//! into tokens.
//!
//! All bytes of the text are equally likely, documents with the empty line after each: so a document is
//! drawn with a probability that is its share of the text, and no window is more likely than another of as
//! many bytes. A window begins with the first token at its place or after it, and goes on into the documents
//! that follow. What is further away than [`OVERLAP`] changes no token, so windows have the tokens of the whole.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::piece::{Passing, Piece};
use super::windows::{AFTER_DOCUMENT, Sampling, Windows, begin, own_tokens, with_begin};
use super::{TextError, Tokenizer};
use crate::parallel;

/// Bytes up to which a text is cut into tokens as a whole, which takes a second or two.
const LONG: usize = 8 << 20;
/// Bytes of the text for each token that is wanted, up to which there is nothing to be saved; and as far as a
/// window reaches: three times as far as in any language.
const BYTES_A_TOKEN: usize = 16;
/// Bytes for each token that are tried first, since nearly always they are enough.
const FEW_BYTES_A_TOKEN: usize = 6;
/// Bytes before a window, and behind it, that its tokens may depend on.
const OVERLAP: usize = 1 << 12;
/// Places that are drawn beside those that are wanted, for those near the end and those that share a token:
/// a share, and a number.
const SPARE: (usize, usize) = (8, 16);
/// Windows that are cut at once.
const BATCH: usize = 32;

/// How long a text is.
#[derive(Clone, Copy, Default)]
struct Size {
    bytes: usize,
    documents: usize,
}

/// A part of one document around a place.
struct Part {
    /// Where it begins, in bytes of the text.
    at: usize,
    text: String,
}

/// A place, and the text around it.
struct Around {
    place: usize,
    /// What is held of the text.
    bytes: Range<usize>,
    parts: Vec<Part>,
}

/// Windows at drawn places of a text; `None` where it is to be cut into tokens as a whole, being short or hardly
/// longer than the windows.
///
/// # Errors
/// When the text cannot be read or cut, or the model has no begin-of-sequence token that is asked for.
pub(super) fn windows(
    tokenizer: &Tokenizer,
    text: &impl Passing,
    bos: Option<u32>,
    which: &Windows,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Vec<Vec<u32>>>, TextError> {
    let bos = begin(tokenizer, bos, which)?;
    // By the second window: the first may be one token shorter, and then loses its last.
    let windows = windows_of_longer(LONG, text, tokenizer, own_tokens(which, 1), which, progress)?;
    let finished = |(i, tokens): (usize, Vec<u32>)| with_begin(bos, &tokens[..own_tokens(which, i)], which);
    Ok(windows.map(|windows| windows.into_iter().enumerate().map(finished).collect()))
}

/// The tokens of windows of a text of more than `long` bytes, `own` tokens of each.
fn windows_of_longer(
    long: usize,
    text: &impl Passing,
    tokenizer: &Tokenizer,
    own: usize,
    which: &Windows,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Vec<Vec<u32>>>, TextError> {
    let (Sampling::Random, Some(count)) = (which.sampling, which.count) else { return Ok(None) };
    let size = size(text)?;
    let saved_from = count.saturating_mul(own).saturating_mul(BYTES_A_TOKEN);
    if size.bytes <= long.max(saved_from) {
        return Ok(None);
    }
    // Not `StdRng`, whose stream may change from one release of rand to the next.
    let mut rng = ChaCha8Rng::seed_from_u64(which.seed);
    let places = index::sample(&mut rng, size.bytes, count + count / SPARE.0 + SPARE.1).into_vec();
    let around = collect(text, size, &places, own)?;
    let (mut starts, mut windows) = (HashSet::new(), Vec::new());
    for batch in around.chunks(BATCH) {
        let cut = parallel::map(batch, |around| around.window(tokenizer, own, size));
        for found in cut {
            // No start twice; and in the order in which they were drawn, however many work at it.
            match found? {
                Some((start, tokens)) if windows.len() < count && starts.insert(start) => windows.push(tokens),
                _ => {}
            }
        }
        progress(windows.len(), count);
        if windows.len() == count {
            return Ok(Some(windows));
        }
    }
    Ok(None)
}

fn size(text: &impl Passing) -> Result<Size, TextError> {
    let mut size = Size::default();
    text.pass(&mut |piece| {
        size.documents += usize::from(piece.begins);
        size.bytes += piece.text.len();
        ControlFlow::Continue(())
    })?;
    if size.documents > 1 {
        size.bytes += size.documents * AFTER_DOCUMENT.len();
    }
    Ok(size)
}

/// The text around each place, in their order.
fn collect(text: &impl Passing, size: Size, places: &[usize], own: usize) -> Result<Vec<Around>, TextError> {
    let mut all: Vec<Around> = places.iter().map(|&place| Around::new(place, own, size)).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&i| all[i].place);
    // Of those in order, the first that the text has not passed.
    let (mut first, mut at) = (0, 0);
    let mut take = |piece: Piece<'_>| {
        let here = at..at + piece.text.len();
        at = here.end;
        first += order[first..].iter().take_while(|&&i| all[i].bytes.end <= here.start).count();
        for &i in &order[first..] {
            if all[i].bytes.start >= here.end {
                break;
            }
            all[i].take(piece, here.start);
        }
        if first == order.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut is_open = false;
    let after = Piece { text: AFTER_DOCUMENT, begins: false };
    text.pass(&mut |piece| {
        // A single document has nothing after it.
        if piece.begins && is_open && size.documents > 1 {
            take(after)?;
        }
        is_open = true;
        take(piece)
    })?;
    if size.documents > 1 {
        let _ = take(after);
    }
    Ok(all)
}

impl Around {
    fn new(place: usize, own: usize, size: Size) -> Self {
        let reach = own.saturating_mul(BYTES_A_TOKEN).saturating_add(OVERLAP);
        let bytes = place.saturating_sub(OVERLAP)..place.saturating_add(reach).min(size.bytes);
        Self { place, bytes, parts: Vec::new() }
    }

    /// Takes what is to be held of a piece that begins at `at`.
    fn take(&mut self, piece: Piece<'_>, at: usize) {
        let from = piece.text.floor_char_boundary(self.bytes.start.saturating_sub(at));
        let to = piece.text.ceil_char_boundary((self.bytes.end - at).min(piece.text.len()));
        let text = &piece.text[from..to];
        match self.parts.last_mut().filter(|_| !piece.begins || from > 0) {
            Some(part) => part.text.push_str(text),
            None => self.parts.push(Part { at: at + from, text: text.to_owned() }),
        }
    }

    /// The tokens from the place on with the byte where they begin; `None` where the text ends before.
    fn window(&self, tokenizer: &Tokenizer, own: usize, size: Size) -> Result<Option<(usize, Vec<u32>)>, TextError> {
        let few = self.place + own.saturating_mul(FEW_BYTES_A_TOKEN) + OVERLAP;
        for end in [few, self.bytes.end] {
            let found = self.window_within(end.min(self.bytes.end), tokenizer, own, size)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The same of the text up to `end`.
    fn window_within(
        &self,
        end: usize,
        tokenizer: &Tokenizer,
        own: usize,
        size: Size,
    ) -> Result<Option<(usize, Vec<u32>)>, TextError> {
        // Where the text is cut off, what follows may change the last tokens.
        let sure = if end < size.bytes { end.saturating_sub(OVERLAP) } else { usize::MAX };
        let (mut start, mut tokens) = (None, Vec::with_capacity(own));
        for part in self.parts.iter().take_while(|part| part.at < end) {
            let text = &part.text[..part.text.ceil_char_boundary((end - part.at).min(part.text.len()))];
            for (token, begin) in tokenizer.placed(text)? {
                let at = part.at + begin;
                if at < self.place {
                    continue;
                }
                if at >= sure {
                    return Ok(None);
                }
                start.get_or_insert(at);
                tokens.push(token);
                if tokens.len() == own {
                    return Ok(start.map(|start| (start, tokens)));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Bos;

    const TOKENIZER: &[u8] = include_bytes!("../../examples/tiny_model/tokenizer.json");
    const STORIES: &str = include_str!("../../examples/tiny_model/eval.txt");

    fn drawn(documents: &[String], count: usize, seed: u64) -> Option<Vec<Vec<u32>>> {
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, 4096).unwrap();
        let which = Windows { count: Some(count), length: 24, sampling: Sampling::Random, bos: Bos::None, seed };
        windows_of_longer(0, &documents, &tokenizer, 24, &which, &mut |_, _| {}).unwrap()
    }

    /// The tokens of the whole, as sequential windows have them.
    fn whole(documents: &[String]) -> Vec<u32> {
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, 4096).unwrap();
        match documents {
            [one] => tokenizer.encode(one).unwrap(),
            several => {
                several.iter().flat_map(|d| tokenizer.encode(&format!("{d}{AFTER_DOCUMENT}")).unwrap()).collect()
            }
        }
    }

    fn starts(documents: &[String], count: usize, seed: u64) -> Vec<usize> {
        let all = whole(documents);
        let found = drawn(documents, count, seed).unwrap();
        let place = |window: &Vec<u32>| all.windows(24).position(|w| w == window).expect("tokens of the whole");
        found.iter().map(place).collect()
    }

    #[test]
    fn windows_have_the_tokens_of_the_whole() {
        let stories: Vec<String> = STORIES.split("\n\n").filter(|s| !s.is_empty()).map(str::to_owned).collect();
        let one = vec![STORIES.to_owned()];
        let umlauts = vec!["Grüße an die 😀 süße Möwe. ".repeat(2000)];
        for documents in [one, stories, umlauts] {
            assert_eq!(starts(&documents, 50, 1).len(), 50);
        }
    }

    #[test]
    fn no_start_is_drawn_twice_and_all_parts_of_a_text_are_drawn_alike() {
        let documents: Vec<String> = STORIES.split_inclusive('\n').map(str::to_owned).collect();
        let (mut all, total) = (Vec::new(), whole(&documents).len());
        for seed in 0..8 {
            let mut starts = starts(&documents, 50, seed);
            starts.sort_unstable();
            assert!(starts.windows(2).all(|two| two[0] < two[1]));
            all.extend(starts);
        }
        // Of 400 starts each tenth of the text has 40, give or take the root of that.
        for tenth in 0..10 {
            let part = tenth * total / 10..(tenth + 1) * total / 10;
            let found = all.iter().filter(|start| part.contains(start)).count();
            assert!((15..70).contains(&found), "{found} of 400 starts in tenth {tenth}");
        }
    }

    #[test]
    fn what_is_hardly_longer_than_the_windows_is_not_drawn_from() {
        assert!(drawn(&["the cat sat ".repeat(40)], 2, 0).is_none());
        assert!(drawn(&["the cat sat ".repeat(400)], 2, 0).is_some());
        // Tokens without an end are no windows.
        assert!(drawn(&[], 1, 0).is_none());
    }
}
