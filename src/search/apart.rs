//! Windows that share no text with others, so that what is measured on them was seen by nothing before.

use std::collections::HashSet;

/// Tokens in a row that two windows of one text have in common where they overlap by twice as many, and that windows of
/// different texts hardly ever share.
const RUN: usize = 16;

/// Those of `windows` that share no text with any of `used`. An overlap of fewer than about twice 16 tokens may go
/// unseen, which is a small part of a window and tells nothing of the rest.
pub fn apart(windows: Vec<Vec<u32>>, used: &[&[Vec<u32>]]) -> Vec<Vec<u32>> {
    let shortest = windows.iter().chain(used.iter().copied().flatten()).map(Vec::len).min().unwrap_or(0);
    // Windows of less than two runs are told apart by runs that fit into them.
    let run = RUN.min(shortest / 2).max(1);
    // One after the other of what was used, and every one of what may be: whoever overlaps by two runs has a whole one.
    let seen: HashSet<&[u32]> = used.iter().copied().flatten().flat_map(|window| window.chunks_exact(run)).collect();
    let mut free = windows;
    free.retain(|window| !window.windows(run).any(|tokens| seen.contains(tokens)));
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text without repetition.
    fn text() -> Vec<u32> {
        (0..1000).collect()
    }

    fn window(at: usize, length: usize) -> Vec<u32> {
        text()[at..at + length].to_vec()
    }

    #[test]
    fn what_overlaps_is_left_out() {
        let used = [window(100, 64), window(300, 64)];
        let probe = [window(500, 40)];
        for (at, is_free) in
            [(0, true), (36, true), (100, false), (68, false), (132, false), (164, true), (310, false), (505, false)]
        {
            let left = apart(vec![window(at, 64)], &[&used, &probe]);
            assert_eq!(left.len(), usize::from(is_free), "{at}");
        }
    }

    #[test]
    fn order_and_all_that_is_free_stay() {
        let free = vec![window(700, 50), window(0, 50), window(640, 50)];
        assert_eq!(apart(free.clone(), &[&[window(200, 100)]]), free);
        assert_eq!(apart(free.clone(), &[]), free);
        assert!(apart(Vec::new(), &[&free]).is_empty());
    }

    #[test]
    fn short_windows_are_told_apart_too() {
        assert!(apart(vec![vec![1, 2]], &[&[vec![2, 3]]]).is_empty());
        assert_eq!(apart(vec![vec![1, 2]], &[&[vec![3, 4]]]).len(), 1);
        assert!(apart(vec![window(10, 8)], &[&[window(10, 8)]]).is_empty());
    }
}
