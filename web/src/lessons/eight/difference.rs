//! What two texts have in common, word by word.

/// Words that both texts have at this place, or that only one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The words, with spaces between.
    pub words: String,
    /// Whether the other text has them too.
    pub is_shared: bool,
}

/// Both texts in parts: shared are those of a longest common subsequence of their words.
pub fn between(one: &str, other: &str) -> [Vec<Part>; 2] {
    let (a, b): (Vec<&str>, Vec<&str>) = (one.split_whitespace().collect(), other.split_whitespace().collect());
    // common[i][j]: the length for the words from i and from j on.
    // The whole table: a prompt and 48 tokens are a hundred words or two.
    let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    // From the end, so that the walk below goes forward and finds the words in their order.
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = match a[i] == b[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut parts) = (0, 0, [Vec::new(), Vec::new()]);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            parts[0].push((a[i], true));
            parts[1].push((b[j], true));
            (i, j) = (i + 1, j + 1);
        // Of equals the first text goes on, so that two texts are always parted alike.
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            parts[0].push((a[i], false));
            i += 1;
        } else {
            parts[1].push((b[j], false));
            j += 1;
        }
    }
    parts.map(joined)
}

/// Neighbours of one kind as one part.
fn joined(words: Vec<(&str, bool)>) -> Vec<Part> {
    let runs = words.chunk_by(|a, b| a.1 == b.1);
    let text = |run: &[(&str, bool)]| run.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
    runs.map(|run| Part { words: text(run), is_shared: run[0].1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_text_has_is_told() {
        let part = |words: &str, is_shared| Part { words: words.into(), is_shared };
        let [a, b] = between("The cat sat on the mat.", "The dog sat on the red mat.");
        assert_eq!(a, [part("The", true), part("cat", false), part("sat on the mat.", true)]);
        assert_eq!(
            b,
            [part("The", true), part("dog", false), part("sat on the", true), part("red", false), part("mat.", true)]
        );
        assert_eq!(between("", "a"), [vec![], vec![part("a", false)]]);
        assert_eq!(between("a b", "a b"), [vec![part("a b", true)], vec![part("a b", true)]]);
    }
}
