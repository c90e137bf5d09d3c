//! Windows that share nothing with those that serve already: what is measured on text that was fitted to looks better than
//! it is.

/// Tokens by which the beginning of a window is found in another: fewer are alike by chance.
const TOLD_BY: usize = 4;

/// `count` of the windows that were `drawn`, as far as there are such as overlap none of the `used` ones, which were cut
/// from the same text; and how many do overlap, which fill the number up. `begin` tokens at the head of each window are no
/// part of the text.
pub fn apart(drawn: Vec<Vec<u32>>, used: &[&[Vec<u32>]], begin: usize, count: usize) -> (Vec<Vec<u32>>, usize) {
    let overlap = |a: &[u32], b: &[u32]| begins_in(a, b) || begins_in(b, a);
    let is_apart = |window: &Vec<u32>| {
        let own = window.get(begin..).unwrap_or_default();
        let mut others = used.iter().flat_map(|windows| windows.iter());
        !others.any(|other| overlap(own, other.get(begin..).unwrap_or_default()))
    };
    let (mut windows, others): (Vec<_>, Vec<_>) = drawn.into_iter().partition(is_apart);
    windows.truncate(count);
    let overlapping = others.len().min(count - windows.len());
    windows.extend(others.into_iter().take(overlapping));
    (windows, overlapping)
}

/// Whether `window` begins in `other`, and is the same from there to the end of one of them.
fn begins_in(window: &[u32], other: &[u32]) -> bool {
    (0..other.len()).any(|at| {
        let both = window.len().min(other.len() - at);
        both >= TOLD_BY.min(window.len()) && both > 0 && window[..both] == other[at..at + both]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text in which no token comes twice.
    fn window(from: u32, length: u32) -> Vec<u32> {
        (from..from + length).collect()
    }

    #[test]
    fn windows_that_overlap_come_last() {
        let used = [window(100, 50), window(300, 20)];
        let drawn: Vec<Vec<u32>> = [60, 150, 140, 95, 330, 110, 310].into_iter().map(|from| window(from, 40)).collect();
        // 60..100 and 150..190 touch what serves already, and share nothing.
        let (found, overlapping) = apart(drawn.clone(), &[&used], 0, 3);
        assert_eq!(found, [window(60, 40), window(150, 40), window(330, 40)]);
        assert_eq!(overlapping, 0);
        let (found, overlapping) = apart(drawn.clone(), &[&used[..1], &used[1..]], 0, 5);
        assert_eq!((found.len(), overlapping), (5, 2));
        assert_eq!(found[3..], [window(140, 40), window(95, 40)]);
        let (found, overlapping) = apart(drawn, &[&used], 0, 20);
        assert_eq!((found.len(), overlapping), (7, 4));
    }

    #[test]
    fn windows_of_other_lengths_and_with_a_begin_overlap_too() {
        let with_begin = |from, length| [vec![7], window(from, length)].concat();
        let used = [with_begin(100, 10)];
        let drawn = vec![with_begin(105, 100), with_begin(40, 100), with_begin(110, 8)];
        let (found, overlapping) = apart(drawn, &[&used], 1, 3);
        assert_eq!((found[0].clone(), overlapping), (with_begin(110, 8), 2));
    }

    #[test]
    fn few_tokens_that_are_alike_by_chance_are_no_overlap() {
        // Ends with the three tokens that the other begins with.
        let used = [vec![1, 2, 3, 4, 5, 6]];
        assert_eq!(apart(vec![vec![4, 5, 6, 9, 9, 9]], &[&used], 0, 1).1, 0);
        assert_eq!(apart(vec![vec![3, 4, 5, 6, 9, 9]], &[&used], 0, 1).1, 1);
    }
}
