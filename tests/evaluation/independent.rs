//! The independent scorer: prompts as plain format strings, tokens from the tokenizer's file, log p
//! from the f64 oracle.

use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::support::oracle::Oracle;

/// A row's choices as context and continuation, for the tasks of one context with choices after it.
pub fn prompts(task: &str, row: &Value) -> Vec<(String, String)> {
    let s = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let after = |context: String, choices: Vec<String>| {
        choices.into_iter().map(|c| (context.clone(), " ".to_owned() + &c)).collect::<Vec<_>>()
    };
    let list = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    match task {
        "boolq" => {
            let context = s("passage") + "\nQuestion: " + &s("question") + "?\nAnswer:";
            after(context, vec!["no".into(), "yes".into()])
        }
        "piqa" => after("Question: ".to_owned() + &s("goal") + "\nAnswer:", vec![s("sol1"), s("sol2")]),
        "hellaswag" => {
            let second = s("ctx_b");
            let first_letter: String = second.chars().take(1).flat_map(char::to_uppercase).collect();
            let rest: String = second.chars().skip(1).collect::<String>().to_lowercase();
            let context = format!("{}: {} {first_letter}{rest}", s("activity_label"), s("ctx_a"));
            let brackets = Regex::new(r"\[.*?\]").unwrap();
            let clean = |text: &str| {
                let text = text.trim().replace(" [title]", ". ");
                brackets.replace_all(&text, "").replace("  ", " ")
            };
            after(clean(&context), list(&row["endings"]).iter().map(|e| clean(e)).collect())
        }
        "winogrande" => {
            let sentence = s("sentence");
            let blank = sentence.find('_').unwrap();
            let rest = " ".to_owned() + sentence[blank + 1..].trim();
            ["option1", "option2"].map(|o| (sentence[..blank].to_owned() + &s(o), rest.clone())).to_vec()
        }
        "arc_easy" | "arc_challenge" => {
            after("Question: ".to_owned() + &s("question") + "\nAnswer:", list(&row["choices"]["text"]))
        }
        "openbookqa" => after(s("question_stem"), list(&row["choices"]["text"])),
        other => panic!("no prompt for {other}"),
    }
}

/// The choice that a row calls right.
pub fn gold(task: &str, row: &Value) -> usize {
    match task {
        "boolq" => usize::from(row["answer"] == true),
        "winogrande" => usize::from(row["answer"] == "2"),
        "piqa" | "hellaswag" => row["label"].as_u64().unwrap() as usize,
        _ => row["choices"]["label"].as_array().unwrap().iter().position(|l| *l == row["answerKey"]).unwrap(),
    }
}

/// A model as its files describe it.
pub struct Scorer {
    oracle: Oracle,
    tokenizer: tokenizers::Tokenizer,
    max_positions: usize,
}

/// Σ log p of a choice, and by how much a computation in f32 may be off.
#[derive(Clone, Copy, Debug)]
pub struct Likelihood {
    pub sum: f64,
    pub tolerance: f64,
}

impl Scorer {
    pub fn open(folder: &Path) -> Self {
        let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
        let mut tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
        tokenizer.with_truncation(None).unwrap();
        let max_positions = config["max_position_embeddings"].as_u64().unwrap() as usize;
        Self { oracle: Oracle::open(folder), tokenizer, max_positions }
    }

    fn encode(&self, text: &str, specials: bool) -> Vec<u32> {
        self.tokenizer.encode(text, specials).unwrap().get_ids().to_vec()
    }

    /// Context and continuation are encoded together; what does not fit is cut off on the left.
    pub fn score(&self, context: &str, continuation: &str, specials: bool) -> Likelihood {
        let whole = self.encode(&(context.to_owned() + continuation), specials);
        let before = self.encode(context.trim_end(), specials).len();
        self.score_tokens(&whole[..before], &whole[before..])
    }

    /// Σ log p of tokens after others.
    pub fn score_tokens(&self, context: &[u32], continuation: &[u32]) -> Likelihood {
        let whole = [context, continuation].concat();
        let seen = &whole[whole.len().saturating_sub(self.max_positions + 1)..];
        let input = &seen[..seen.len() - 1];
        let logits = self.oracle.logits(input);
        let vocabulary = logits.len() / input.len();
        let asked = &logits[(input.len() - continuation.len()) * vocabulary..];
        let log_p = |(row, &next): (&[f64], &u32)| row[next as usize] - log_sum_exp(row);
        let sum = asked.chunks(vocabulary).zip(continuation).map(log_p).sum();
        // A logit and the logarithm of the sum of exponentials may each be off by the same.
        let tolerance = 2.0 * continuation.len() as f64 * self.oracle.tolerance(input.len(), &logits);
        Likelihood { sum, tolerance }
    }
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + row.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
}

/// The index of the largest, unless the two largest are too close to tell after f32.
pub fn clear_winner(scores: &[Likelihood], lengths: &[usize]) -> Option<usize> {
    let of = |i: usize| scores[i].sum / lengths[i] as f64;
    let best = (0..scores.len()).max_by(|&a, &b| of(a).total_cmp(&of(b)).then(b.cmp(&a)))?;
    let margin = |i: usize| (scores[i].tolerance + scores[best].tolerance) / lengths[i].min(lengths[best]) as f64;
    let clear = (0..scores.len()).all(|i| i == best || of(best) - of(i) > margin(i));
    clear.then_some(best)
}
