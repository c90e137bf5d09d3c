//! How LongBench judges a generated answer against a reference, each between 0 and 1.

use std::collections::{HashMap, HashSet};

/// F1 of the words two texts share, counted with repetition, after [`normalised`].
pub fn qa_f1(prediction: &str, reference: &str) -> f64 {
    let (prediction, reference) = (normalised(prediction), normalised(reference));
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in reference.split_whitespace() {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0;
    for word in prediction.split_whitespace() {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    let share = |of: &str| f64::from(shared) / of.split_whitespace().count() as f64;
    let (precision, recall) = (share(&prediction), share(&reference));
    // Also where a text has no words, and the shares are 0/0.
    if shared == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// Small letters, no ASCII punctuation, no articles, single spaces.
fn normalised(text: &str) -> String {
    let small = text.to_lowercase();
    // In the original's order: without the comma first, so that "the," is an article.
    let bare: String = small.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    without_articles(&bare).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A space for every "a", "an" and "the" that stands alone: between characters that make no word.
fn without_articles(text: &str) -> String {
    // Python's `\w`; `\b`, where an article may begin or end, lies between it and the rest.
    let makes_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !makes_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word);
        kept.push_str(if ["a", "an", "the"].contains(&word) { " " } else { word });
        let between = after.find(makes_word).unwrap_or(after.len());
        kept.push_str(&after[..between]);
        rest = &after[between..];
    }
    kept
}

/// ROUGE-L by summary as the package `rouge` 1.0.1 computes it, which LongBench calls: sentences
/// end with full stops; of every pair of sentences the longest common subsequence is found; the F1
/// is that of the set of words in any of these against the sets of words of the two texts.
pub fn rouge_l(prediction: &str, reference: &str) -> f64 {
    let (prediction, reference) = (sentences(prediction), sentences(reference));
    if prediction.is_empty() || reference.is_empty() {
        return 0.0;
    }
    let mut union = HashSet::new();
    for own in &reference {
        for other in &prediction {
            union.extend(common(&words(own), &words(other)));
        }
    }
    // As the package counts them: a word that is said twice is one.
    let different =
        |sentences: &[String]| sentences.iter().flat_map(|s| s.split(' ')).collect::<HashSet<_>>().len() as f64;
    let (precision, recall) = (union.len() as f64 / different(&prediction), union.len() as f64 / different(&reference));
    // The package's guard against a division by zero moves every score by some 1e-8.
    2.0 * precision * recall / (precision + recall + 1e-8)
}

/// What stands between full stops, with single spaces; a blank piece is a sentence of one empty word.
fn sentences(text: &str) -> Vec<String> {
    let pieces = text.split('.').filter(|piece| !piece.is_empty());
    pieces.map(|piece| piece.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn words(sentence: &str) -> Vec<String> {
    sentence.split(' ').map(str::to_owned).collect()
}

/// The words of a longest common subsequence; of several the one that the package finds, which
/// goes back through `y` where both ways are as long.
fn common(x: &[String], y: &[String]) -> Vec<String> {
    let width = y.len() + 1;
    let mut longest = vec![0u32; (x.len() + 1) * width];
    for (i, a) in x.iter().enumerate() {
        for (j, b) in y.iter().enumerate() {
            let (up, left) = (longest[i * width + j + 1], longest[(i + 1) * width + j]);
            longest[(i + 1) * width + j + 1] = if a == b { longest[i * width + j] + 1 } else { up.max(left) };
        }
    }
    let (mut i, mut j, mut found) = (x.len(), y.len(), Vec::new());
    while i > 0 && j > 0 {
        if x[i - 1] == y[j - 1] {
            found.push(x[i - 1].clone());
            (i, j) = (i - 1, j - 1);
        // Where both are as long the package goes this way, and another way has other words.
        } else if longest[(i - 1) * width + j] > longest[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found
}

/// 1 / n when the right class is among the n classes that the prediction names, else 0; a class
/// whose name is part of the right one's is not counted.
pub fn classification(prediction: &str, reference: &str, classes: &[String]) -> f64 {
    let named = classes.iter().filter(|class| prediction.contains(class.as_str()));
    // Naming "Other location" names "location" too, which is not a second answer.
    let counted: Vec<&String> = named.filter(|c| *c == reference || !reference.contains(c.as_str())).collect();
    match counted.iter().any(|class| *class == reference) {
        true => 1.0 / counted.len() as f64,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-7, "{got} {want}");
    }

    #[test]
    fn articles_punctuation_and_capitals_do_not_count() {
        assert_eq!(normalised("The  quick, brown-ish fox's \"AN\" a!"), "quick brownish foxs");
        assert_eq!(normalised("theme of an_a"), "theme of ana");
        near(qa_f1("The Eiffel Tower.", "eiffel tower"), 1.0);
        near(qa_f1("the", "an"), 0.0);
    }

    #[test]
    fn f1_worked_by_hand() {
        // 2 of 3 words are right, of 2 that were to be found: P = 2/3, R = 1.
        near(qa_f1("in Paris France", "Paris, France"), 0.8);
        // One "b" is counted once only: P = 1/2, R = 1/3.
        near(qa_f1("b b", "b c d"), 0.4);
        near(qa_f1("nothing", "else"), 0.0);
        near(qa_f1("", "else"), 0.0);
    }

    #[test]
    fn rouge_l_worked_by_hand() {
        // "cat sat mat" in common of the words {the cat sat on mat} and {a cat sat by mat}: P = R = 3/5.
        near(rouge_l("a cat sat by mat", "the cat sat on mat"), 0.6);
        // Against "w1 … w5" the two sentences give w1 w2 and w1 w3 w5: a union of 4; 8 different words.
        near(rouge_l("w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", "w1 w2 w3 w4 w5"), 2.0 * 0.5 * 0.8 / 1.3);
        // A repeated word is one word of a set.
        near(rouge_l("so so so", "so"), 1.0);
        near(rouge_l("", "x"), 0.0);
        near(rouge_l("...", "x"), 0.0);
        // The space after the last full stop is a sentence of one empty word: P = 1/2.
        near(rouge_l("x. ", "x"), 2.0 * 0.5 / 1.5);
    }

    #[test]
    fn of_equal_subsequences_the_same_one_is_taken() {
        let list = |text: &str| words(text);
        assert_eq!(common(&list("a b"), &list("b a")), ["b"]);
        assert_eq!(common(&list("a b c d"), &list("a x c d")), ["d", "c", "a"]);
    }

    #[test]
    fn classes_worked_by_hand() {
        let classes = ["City", "Date", "Other location", "location"].map(str::to_owned);
        near(classification("Type: City", "City", &classes), 1.0);
        near(classification("City or Date", "City", &classes), 0.5);
        near(classification("Other location", "Other location", &classes), 1.0);
        near(classification("Date", "City", &classes), 0.0);
    }
}
