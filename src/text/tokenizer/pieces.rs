//! A long text cut into tokens piece by piece. A tokenizer without a rule that cuts words takes a text
//! for one word, whose work and memory grow faster than it does.
//!
//! Pieces overlap, and each keeps the tokens that begin in its own part. Where two meet they must
//! agree on the tokens around the place; where they do not, they become one piece. What is further
//! away than an overlap changes no token, so the tokens are those of the whole.

use std::ops::Range;

use super::Tokenizer;
use crate::text::TextError;

/// A token and the byte of the text where it begins.
pub(super) type Placed = (u32, usize);

/// How pieces are cut, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// A piece's own part.
    pub piece: usize,
    /// What it has of the text on both sides.
    pub overlap: usize,
}

/// Long beside the overlap, and short enough to be fast.
pub(super) const USUAL: Lengths = Lengths { piece: 1 << 18, overlap: 1 << 12 };

/// A part of the text with its tokens and those around it.
struct Piece {
    /// Its own part, in bytes of the text.
    own: Range<usize>,
    tokens: Vec<Placed>,
}

/// The tokens of a text.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str, lengths: Lengths) -> Result<Vec<u32>, TextError> {
    let ends = ends(text, lengths.piece);
    let piece = |from: usize, to: usize| Piece::of(tokenizer, text, from..to, lengths.overlap);
    let mut tokens = Vec::new();
    // The open piece ends at `ends[at]` and began after `ends[at - taken]`.
    let (mut at, mut taken) = (0, 1);
    let mut open = piece(0, ends[0])?;
    while at + 1 < ends.len() {
        let next = piece(open.own.end, ends[at + 1])?;
        if open.agrees(&next, lengths.overlap) {
            tokens.extend(open.kept());
            (open, at, taken) = (next, at + 1, 1);
        } else {
            // Twice as long each time, so that a text that never agrees costs a few times the whole.
            (at, taken) = ((at + taken).min(ends.len() - 1), 2 * taken);
            open = piece(open.own.start, ends[at])?;
        }
    }
    tokens.extend(open.kept());
    Ok(tokens)
}

/// Where pieces end: after a line, if there is one in the second half of a piece.
fn ends(text: &str, length: usize) -> Vec<usize> {
    let (mut ends, mut from) = (Vec::new(), 0);
    while text.len() - from > length {
        let most = text.floor_char_boundary(from + length);
        let half = text.floor_char_boundary(from + length / 2);
        let end = text[half..most].rfind('\n').map_or(most, |at| half + at + 1);
        ends.push(end);
        from = end;
    }
    ends.push(text.len());
    ends
}

impl Piece {
    fn of(tokenizer: &Tokenizer, text: &str, own: Range<usize>, overlap: usize) -> Result<Self, TextError> {
        let begin = text.floor_char_boundary(own.start.saturating_sub(overlap));
        let end = text.ceil_char_boundary((own.end + overlap).min(text.len()));
        let mut tokens = tokenizer.placed(&text[begin..end])?;
        tokens.iter_mut().for_each(|(_, at)| *at += begin);
        // What stands behind the last character belongs to the last piece.
        let own = if own.end == text.len() { own.start..usize::MAX } else { own };
        Ok(Self { own, tokens })
    }

    /// The tokens that begin in its own part.
    fn kept(&self) -> impl Iterator<Item = u32> {
        self.within(self.own.clone()).map(|(token, _)| token)
    }

    /// Whether both have the same tokens around the place where one ends and the other begins.
    fn agrees(&self, next: &Self, overlap: usize) -> bool {
        let around = self.own.end.saturating_sub(overlap / 2)..self.own.end + overlap / 2;
        let tokens: Vec<Placed> = self.within(around.clone()).collect();
        !tokens.is_empty() && next.within(around).eq(tokens)
    }

    fn within(&self, bytes: Range<usize>) -> impl Iterator<Item = Placed> {
        self.tokens.iter().copied().filter(move |(_, at)| bytes.contains(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENIZER: &[u8] = include_bytes!("../../../examples/tiny_model/tokenizer.json");
    const STORIES: &str = include_str!("../../../examples/tiny_model/eval.txt");

    fn check(tokenizer: &Tokenizer, text: &str, lengths: &[(usize, usize)]) {
        let whole = tokenizer.tokens(text, false).unwrap();
        for &(piece, overlap) in lengths {
            let found = encode(tokenizer, text, Lengths { piece, overlap }).unwrap();
            assert!(found == whole, "pieces of {piece}: {} tokens, not {}", found.len(), whole.len());
        }
    }

    #[test]
    fn pieces_of_a_text_have_the_tokens_of_the_whole() {
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, 4096).unwrap();
        let text: String = STORIES.chars().take(60_000).collect();
        check(&tokenizer, &text, &[(4096, 256), (1000, 128), (1 << 20, 4096)]);
        check(&tokenizer, &text.replace('\n', " "), &[(4096, 256)]);
        check(&tokenizer, &"é語🙂 \u{1f44d}\u{1f3fd}".repeat(2000), &[(1000, 128)]);
        check(&tokenizer, "", &[(16, 4)]);
    }

    #[test]
    fn runs_on_which_pieces_cannot_agree_are_one_piece() {
        let tokenizer = Tokenizer::from_bytes(TOKENIZER, 4096).unwrap();
        for run in ["a", " ", "\n", "ab", "the"] {
            check(&tokenizer, &run.repeat(9000), &[(1001, 64), (997, 128)]);
        }
    }

    #[test]
    fn a_piece_ends_after_a_line_and_never_within_a_character() {
        assert_eq!(ends("ab\ncd\nefgh", 6), [6, 10]);
        assert_eq!(ends("abcdefgh", 3), [3, 6, 8]);
        assert_eq!(ends("ééé", 3), [2, 4, 6]);
        assert_eq!(ends("", 3), [0]);
    }
}
