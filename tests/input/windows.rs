//! The boundaries of windows: a text of just the right length, and one token less.

use pollster::block_on;
use serde_json::json;
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::text::{Bos, Sampling, TextError, Tokenizer, Windows, windows, windows_watched};

use crate::support::checkpoint::Model;
use crate::support::{assert_says, shipped};

const BOS: u32 = 1;

fn tokenizer() -> Tokenizer {
    Tokenizer::open(&shipped(), 4096).unwrap()
}

/// A text of exactly so many tokens.
fn text(tokens: usize) -> (String, Vec<u32>) {
    let (tokenizer, words) = (tokenizer(), "the cat sat and the dog ran ".repeat(tokens));
    let ends = words.char_indices().map(|(i, _)| &words[..i]).chain([&words[..]]);
    let encoded = ends.map(|part| (part.to_owned(), tokenizer.encode(part).unwrap()));
    encoded.into_iter().find(|(_, ids)| ids.len() == tokens).expect("some beginning has as many tokens")
}

fn which(count: Option<usize>, length: usize, sampling: Sampling, bos: Bos) -> Windows {
    Windows { count, length, sampling, bos, seed: 3 }
}

fn cut(text: &str, which: &Windows) -> Result<Vec<Vec<u32>>, TextError> {
    windows(&tokenizer(), &[text.to_owned()], Some(BOS), which)
}

#[test]
fn a_text_may_be_used_up_to_its_last_token() {
    let rows = [
        // windows, begin-of-sequence token, sampling, tokens needed for windows of 6
        (1, Bos::None, Sampling::Sequential, 6),
        (2, Bos::None, Sampling::Sequential, 12),
        (1, Bos::Each, Sampling::Sequential, 5),
        (2, Bos::Each, Sampling::Sequential, 10),
        (2, Bos::First, Sampling::Sequential, 11),
        (1, Bos::None, Sampling::Random, 6),
        (3, Bos::None, Sampling::Random, 8),
        (1, Bos::Each, Sampling::Random, 5),
        (3, Bos::Each, Sampling::Random, 7),
    ];
    for (count, bos, sampling, needed) in rows {
        let asked = which(Some(count), 6, sampling, bos);
        let (enough, tokens) = text(needed);
        let windows = cut(&enough, &asked).unwrap();
        assert_eq!((windows.len(), windows.iter().all(|w| w.len() == 6)), (count, true), "{asked:?}");
        // Every token of the text is in some window.
        let last = windows.iter().map(|w| w[5]).collect::<Vec<_>>();
        assert!(last.contains(&tokens[needed - 1]), "{asked:?}");
        let heads = windows.iter().filter(|w| w[0] == BOS && !tokens.contains(&BOS)).count();
        assert_eq!(heads, [0, 1, count][[Bos::None, Bos::First, Bos::Each].iter().position(|b| *b == bos).unwrap()]);
        let words = [format!("{} tokens", needed - 1), format!("{count} windows of 6 need {needed}")];
        assert_says(cut(&text(needed - 1).0, &asked), &words.each_ref().map(|w| w.as_str()));
    }
}

#[test]
fn documents_beyond_the_last_window_are_not_read() {
    let documents: Vec<String> = (0..40).map(|i| format!("the cat number {i} sat and the dog ran")).collect();
    let asked = which(Some(3), 6, Sampling::Sequential, Bos::None);
    let mut told = Vec::new();
    let mut watch = |done, total| told.push((done, total));
    let cut = windows_watched(&tokenizer(), &documents, None, &asked, &mut watch).unwrap();
    assert_eq!(told.last(), Some(&(40, 40)));
    assert!(told.len() < 10, "{told:?}");
    let all = windows(&tokenizer(), &documents, None, &which(None, 6, Sampling::Sequential, Bos::None)).unwrap();
    assert_eq!(cut, all[..3]);
}

#[test]
fn all_windows_there_are() {
    let asked = which(None, 6, Sampling::Sequential, Bos::Each);
    assert_eq!(cut(&text(14).0, &asked).unwrap().len(), 2);
    assert_says(cut(&text(4).0, &asked), &["4 tokens", "need 5"]);
}

#[test]
fn an_empty_text_has_no_tokens() {
    for sampling in [Sampling::Sequential, Sampling::Random] {
        let asked = which(Some(1), 6, sampling, Bos::None);
        assert_says(cut("", &asked), &["0 tokens", "1 windows of 6"]);
        assert_says(windows(&tokenizer(), &[], Some(BOS), &asked), &["0 tokens"]);
    }
}

#[test]
fn more_windows_than_can_be_counted_are_refused_at_once() {
    for sampling in [Sampling::Sequential, Sampling::Random] {
        assert_says(cut("the cat", &which(Some(usize::MAX), 6, sampling, Bos::None)), &["need 18446744073709551615"]);
    }
}

#[test]
fn a_window_without_a_prediction_is_refused() {
    for length in [0, 1] {
        let refused = cut("the cat", &which(Some(1), length, Sampling::Sequential, Bos::None));
        assert_says(refused, &[&format!("a window of {length} tokens"), "2 are the least"]);
    }
    let checkpoint = Model::llama(json!({})).open();
    for windows in [vec![], vec![vec![3]], vec![vec![3, 4], vec![5]]] {
        let refused = block_on(perplexity(&checkpoint, &windows, &Device::cpu(), &mut |_, _| {}));
        assert_says(refused, &["nothing to predict"]);
    }
}

#[test]
fn a_begin_of_sequence_token_is_one_the_model_has() {
    let asked = which(Some(1), 4, Sampling::Sequential, Bos::Each);
    let with = |bos| windows(&tokenizer(), &["the cat sat on the mat".into()], bos, &asked);
    assert_says(with(None), &["bos_token_id"]);
    assert_says(with(Some(128_000)), &["bos_token_id", "128000", "4096 embeddings"]);
}
