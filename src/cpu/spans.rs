//! Which keys a query sees: from one of them on up to its own.

use std::ops::Range;

use super::QUERIES;

/// Of every query, the keys that it sees. The queries are the last of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// The first key of every query, one row for all sequences or one for each.
    first: Vec<usize>,
    queries: usize,
    /// Keys before those of the queries.
    offset: usize,
}

/// Some queries of a sequence, and the keys that any of them sees.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub queries: Range<usize>,
    pub keys: Range<usize>,
    /// What each query sees, counted from the first of `keys`.
    pub seen: Vec<Range<usize>>,
}

impl Block {
    /// Scores of the block.
    pub fn pairs(&self) -> usize {
        self.queries.len() * self.keys.len()
    }

    /// Where the queries stand, and the keys, in rows of `d` numbers.
    pub fn places(&self, d: usize) -> [Range<usize>; 2] {
        [&self.queries, &self.keys].map(|rows| rows.start * d..rows.end * d)
    }
}

impl Spans {
    /// Queries behind `offset` keys, each of which sees what is not behind it, and of that the last `window` where there is
    /// a number; itself included.
    pub fn new(offset: usize, queries: usize, window: Option<usize>) -> Self {
        let first = |query: usize| window.map_or(0, |window| (offset + query + 1).saturating_sub(window));
        Self { first: (0..queries).map(first).collect(), queries, offset }
    }

    /// The same where a query sees only keys of its own document, for queries that begin a sequence. `documents` has a row
    /// for each sequence, and in it the number of the document that a token is of.
    #[must_use]
    pub fn within(&self, documents: &[Vec<u32>]) -> Self {
        let first = documents.iter().flat_map(|of| {
            let mut begun = 0;
            of.iter().enumerate().map(move |(query, document)| {
                if query > 0 && of[query - 1] != *document {
                    begun = query;
                }
                self.first[query].max(begun)
            })
        });
        Self { first: first.collect(), ..*self }
    }

    /// Those of the first queries alone, for queries that begin a sequence.
    #[must_use]
    pub fn first(&self, queries: usize) -> Self {
        let rows = self.first.chunks_exact(self.queries);
        Self { first: rows.flat_map(|row| &row[..queries]).copied().collect(), queries, ..*self }
    }

    /// Rows of their own: 1 where all sequences see alike.
    pub fn rows(&self) -> usize {
        self.first.len() / self.queries.max(1)
    }

    /// Queries of a sequence.
    pub fn queries(&self) -> usize {
        self.queries
    }

    /// Keys of a sequence.
    pub fn keys(&self) -> usize {
        self.offset + self.queries
    }

    /// The keys that a query of a row sees.
    pub fn seen(&self, row: usize, query: usize) -> Range<usize> {
        self.first[row * self.queries + query]..self.offset + query + 1
    }

    /// Whether every query sees all before it, of which none lies before the first query.
    pub fn sees_all(&self) -> bool {
        self.offset == 0 && self.first.iter().all(|&first| first == 0)
    }

    /// The queries of a sequence, some at a time.
    pub(super) fn blocks(&self, sequence: usize) -> impl Iterator<Item = Block> {
        let row = if self.rows() == 1 { 0 } else { sequence };
        (0..self.queries).step_by(QUERIES).map(move |from| {
            let queries = from..self.queries.min(from + QUERIES);
            let seen: Vec<_> = queries.clone().map(|query| self.seen(row, query)).collect();
            let first = seen.iter().map(|seen| seen.start).min().unwrap_or(0);
            let last = seen.iter().map(|seen| seen.end).max().unwrap_or(0);
            let seen = seen.into_iter().map(|seen| seen.start - first..seen.end - first).collect();
            Block { queries, keys: first..last, seen }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(spans: &Spans, row: usize) -> Vec<Range<usize>> {
        (0..spans.queries()).map(|query| spans.seen(row, query)).collect()
    }

    #[test]
    fn a_window_counts_the_token_itself() {
        let of = |window| Spans::new(0, 6, window).seen(0, 4);
        assert_eq!((of(Some(1)), of(Some(3)), of(Some(99)), of(None)), (4..5, 2..5, 0..5, 0..5));
        assert_eq!(Spans::new(5, 2, Some(3)).seen(0, 1), 4..7);
    }

    #[test]
    fn a_document_begins_where_its_number_changes() {
        let spans = Spans::new(0, 5, Some(2)).within(&[vec![0, 0, 0, 1, 1], vec![7, 8, 8, 8, 8]]);
        assert_eq!(spans.rows(), 2);
        assert_eq!(all(&spans, 0), [0..1, 0..2, 1..3, 3..4, 3..5]);
        assert_eq!(all(&spans, 1), [0..1, 1..2, 1..3, 2..4, 3..5]);
        assert_eq!(all(&spans.first(2), 1), [0..1, 1..2]);
    }

    #[test]
    fn only_what_begins_a_sequence_and_has_no_window_sees_all() {
        assert!(Spans::new(0, 5, None).sees_all() && Spans::new(0, 5, Some(5)).sees_all());
        assert!(!Spans::new(1, 5, None).sees_all() && !Spans::new(0, 5, Some(4)).sees_all());
        assert!(!Spans::new(0, 2, None).within(&[vec![0, 1]]).sees_all());
    }

    #[test]
    fn blocks_leave_out_the_keys_that_none_of_their_queries_sees() {
        let spans = Spans::new(3, QUERIES + 2, Some(4));
        let blocks: Vec<_> = spans.blocks(0).collect();
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].queries.clone(), blocks[0].keys.clone()), (0..QUERIES, 0..QUERIES + 3));
        assert_eq!((blocks[1].queries.clone(), blocks[1].keys.clone()), (QUERIES..QUERIES + 2, QUERIES..QUERIES + 5));
        assert_eq!(blocks[1].seen, [0..4, 1..5]);
    }
}
