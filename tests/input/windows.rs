//! The boundaries of windows: a text of just the right length, and one token less.

use std::io::Write as _;
use std::path::PathBuf;

use pollster::block_on;
use serde_json::{Value, json};
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::remedy::Remedied;
use slimgpt::text::{
    AddedToken, Bos, Files, Join, Sampling, TextError, Tokenizer, TokenizerSettings, Windows, windows, windows_watched,
};

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

#[test]
fn a_token_before_every_text_is_one_the_model_has() {
    let whole: serde_json::Value =
        serde_json::from_slice(&std::fs::read(shipped().join("tokenizer.json")).unwrap()).unwrap();
    let mut with = whole;
    with["post_processor"] = json!({ "type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 5000] });
    let tokenizer = Tokenizer::from_bytes(with.to_string().as_bytes(), 4096).unwrap();
    // No flag of a measurement helps there, so none is named.
    let refused = tokenizer.begin(&TokenizerSettings::default()).unwrap_err();
    assert!(
        matches!(refused, TextError::BeyondVocabulary { id: 5000, vocab: 4096 }) && refused.remedy().is_none(),
        "{refused}"
    );
    let flagged =
        TokenizerSettings::new(json!({ "bos_token": "<far>", "add_bos_token": true }), Value::Null, &Value::Null);
    let added = AddedToken { id: 4096, content: "<far>".into(), special: true };
    with["post_processor"] = Value::Null;
    let small = Tokenizer::from_bytes(with.to_string().as_bytes(), 100).unwrap().with_added(&[added]);
    assert_says(small.begin(&flagged), &["another model"]);
}

/// Files with these names and contents.
fn files(contents: &[(&str, &[u8])]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = contents.iter().map(|(name, _)| folder.path().join(name)).collect();
    contents.iter().zip(&paths).for_each(|((_, content), path)| std::fs::write(path, content).unwrap());
    (folder, paths)
}

fn of_files(paths: &[PathBuf], join: Option<Join>, which: &Windows) -> Result<Vec<Vec<u32>>, TextError> {
    let files = Files { paths, key: "text", documents: None };
    Ok(files.windows(join, &tokenizer(), Some(BOS), which, &mut |_, _| {})?.windows)
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn windows_of_a_part_are_those_of_the_whole() {
    let text = std::fs::read_to_string(shipped().join("eval.txt")).unwrap();
    let text = text.repeat((400_000 / text.len()).max(1));
    let rows: String = text.lines().map(|line| format!("{}\n", json!({ "text": line }))).collect();
    let packed = gzipped(text.as_bytes());
    let (_folder, paths) = files(&[("a.txt", text.as_bytes()), ("a.txt.gz", &packed), ("a.jsonl", rows.as_bytes())]);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (count, bos) in [(3, Bos::None), (40, Bos::Each), (400, Bos::First)] {
        let asked = which(Some(count), 64, Sampling::Sequential, bos);
        let whole = cut(&text, &asked).unwrap();
        assert_eq!(of_files(&paths[..1], None, &asked).unwrap(), whole);
        assert_eq!(of_files(&paths[1..2], None, &asked).unwrap(), whole);
        let of_rows = windows(&tokenizer(), &lines, Some(BOS), &asked).unwrap();
        assert_eq!(of_files(&paths[2..], None, &asked).unwrap(), of_rows);
        for join in [Join::Plain, Join::Wikitext2, Join::Ptb] {
            let joined = cut(&join.text(std::slice::from_ref(&text)), &asked).unwrap();
            assert_eq!(of_files(&paths[..1], Some(join), &asked).unwrap(), joined, "{join:?}");
            let joined = cut(&join.text(&lines), &asked).unwrap();
            assert_eq!(of_files(&paths[2..], Some(join), &asked).unwrap(), joined, "{join:?}");
        }
        // Two files are two documents, also where the second is never reached.
        let both = windows(&tokenizer(), &[text.clone(), text.clone()], Some(BOS), &asked).unwrap();
        assert_eq!(of_files(&paths[..2], None, &asked).unwrap(), both);
    }
}

#[test]
fn no_more_is_read_than_the_windows_need() {
    // What follows is neither text nor JSON, and nobody finds out.
    let mut text = "the cat sat and the dog ran. ".repeat(20_000).into_bytes();
    text.extend([0xff; 64]);
    let mut rows = "{\"text\": \"the cat sat and the dog ran\"}\n".repeat(20_000).into_bytes();
    rows.extend(b"{");
    let (_folder, paths) = files(&[("a.txt", &text), ("a.jsonl", &rows)]);
    for path in &paths {
        let few = which(Some(4), 32, Sampling::Sequential, Bos::None);
        assert_eq!(of_files(std::slice::from_ref(path), None, &few).unwrap().len(), 4);
        let all = which(Some(4), 32, Sampling::Random, Bos::None);
        assert!(of_files(std::slice::from_ref(path), None, &all).is_err());
    }
}

#[test]
fn windows_that_say_the_same_again_are_told_and_then_refused() {
    let (text, _) = text(100);
    let (_folder, paths) = files(&[("a.txt", text.as_bytes())]);
    let files = Files { paths: &paths, key: "text", documents: None };
    let notes = |count| {
        let asked = which(Some(count), 40, Sampling::Random, Bos::None);
        files.windows(None, &tokenizer(), None, &asked, &mut |_, _| {}).unwrap().notes
    };
    assert_eq!(notes(5), [] as [&str; 0]);
    assert!(notes(40)[0].contains("16 times"), "{:?}", notes(40));
    // Possible, since no two begin at the same token, and of no use.
    let words = "the cat sat and the dog ran ".repeat(800);
    let half = tokenizer().encode(&words).unwrap().len() / 2;
    assert_says(cut(&words, &which(Some(half), half, Sampling::Random, Bos::None)), &["times", "no more than a few"]);
}

/// A text of more than 8 MiB, of which every line is another.
fn long() -> Vec<String> {
    (0..200_000).map(|i| format!("the cat number {i} sat and the dog ran after {}", i * 7 % 1000)).collect()
}

#[test]
fn a_long_text_is_cut_only_around_its_windows_and_alike_from_rows_text_and_packed() {
    let lines = long();
    let rows: Vec<u8> = lines.iter().flat_map(|l| format!("{}\n", json!({ "text": l })).into_bytes()).collect();
    let list = json!(lines.iter().map(|l| json!({ "text": l })).collect::<Vec<_>>()).to_string();
    let text = lines.iter().map(|l| format!("{l}\n\n")).collect::<String>();
    let packed = gzipped(&rows);
    let contents: [(&str, &[u8]); 4] =
        [("a.jsonl", &rows), ("b.json", list.as_bytes()), ("c.jsonl.gz", &packed), ("d.txt", text.as_bytes())];
    let (_folder, paths) = files(&contents);
    let asked = which(Some(40), 32, Sampling::Random, Bos::Each);
    let found = of_files(&paths[..1], None, &asked).unwrap();
    assert!(found.len() == 40 && found.iter().all(|w| w.len() == 32 && w[0] == BOS));
    for other in [1, 2] {
        assert_eq!(of_files(&paths[other..=other], None, &asked).unwrap(), found, "{:?}", paths[other]);
    }
    assert_eq!(windows(&tokenizer(), &lines, Some(BOS), &asked).unwrap(), found);
    // One document of the same bytes has windows at the same places.
    let of_text = of_files(&paths[3..], None, &asked).unwrap();
    assert_eq!(of_text.iter().map(Vec::len).collect::<Vec<_>>(), [32; 40]);
    let seeds = [asked.clone(), Windows { seed: 4, ..asked }].map(|asked| of_files(&paths[..1], None, &asked).unwrap());
    assert!(seeds[0] == found && seeds[1] != found);
}

#[test]
fn what_cannot_be_used_of_a_long_text_is_told_wherever_it_stands() {
    let mut rows: String = long().iter().map(|l| format!("{}\n", json!({ "text": l }))).collect();
    rows.push_str("{\"text\": null}\n");
    let (_folder, paths) =
        files(&[("a.jsonl", rows.as_bytes()), ("b.jsonl", format!("{rows}{{\"story\": 1}}\n").as_bytes())]);
    let asked = which(Some(4), 32, Sampling::Random, Bos::None);
    let files = Files { paths: &paths[..1], key: "text", documents: None };
    let cut = files.windows(None, &tokenizer(), None, &asked, &mut |_, _| {}).unwrap();
    assert!(cut.notes.len() == 1 && cut.notes[0].contains("line 200001"), "{:?}", cut.notes);
    assert_says(of_files(&paths[1..], None, &asked), &["b.jsonl", "line 200002", "\"text\""]);
}
