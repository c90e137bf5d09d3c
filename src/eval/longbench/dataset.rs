//! The datasets: prompts, lengths of answers, measures; and their rows.

use super::super::scorers::{classification, qa_f1, rouge_l};
use super::super::tasks::Row;

/// How a dataset's answers are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// F1 of the words that answer and reference share.
    F1,
    /// ROUGE-L of answer and reference, sentence by sentence.
    RougeL,
    /// One of a row's classes.
    Class,
}

impl Measure {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F1 => "f1",
            Self::RougeL => "rouge_l",
            Self::Class => "class",
        }
    }
}

/// A dataset of LongBench: its prompt, and how its answers are judged.
#[derive(Clone, Copy, Debug)]
pub struct Dataset {
    /// Its name, which is also that of its file.
    pub name: &'static str,
    /// The prompt, with `{context}` and `{input}`.
    pub prompt: &'static str,
    /// Tokens of an answer at most.
    pub max_new_tokens: usize,
    /// How answers are judged.
    pub measure: Measure,
    /// Whether examples stand in the context, so that only the first line is the answer.
    pub few_shot: bool,
}

/// Several documents and a question that needs more than one of them.
const SEVERAL: &str = "Answer the question based on the given passages. Only give me the answer and do not output \
any other words.\n\nThe following are given passages.\n{context}\n\nAnswer the question based on the given passages. \
Only give me the answer and do not output any other words.\n\nQuestion: {input}\nAnswer:";

const fn dataset(name: &'static str, prompt: &'static str, max_new_tokens: usize, measure: Measure) -> Dataset {
    Dataset { name, prompt, max_new_tokens, measure, few_shot: false }
}

const fn few_shot(name: &'static str, prompt: &'static str, max_new_tokens: usize, measure: Measure) -> Dataset {
    Dataset { name, prompt, max_new_tokens, measure, few_shot: true }
}

/// The English datasets of single- and multi-document questions, summaries and few-shot learning.
pub const DATASETS: [Dataset; 12] = [
    // "asconcisely" stands so in the original; a mended prompt would give other figures.
    dataset(
        "narrativeqa",
        "You are given a story, which can be either a novel or a movie script, and a question. Answer the question \
         asconcisely as you can, using a single phrase if possible. Do not provide any explanation.\n\nStory: \
         {context}\n\nNow, answer the question based on the story asconcisely as you can, using a single phrase if \
         possible. Do not provide any explanation.\n\nQuestion: {input}\n\nAnswer:",
        128,
        Measure::F1,
    ),
    dataset(
        "qasper",
        "You are given a scientific article and a question. Answer the question as concisely as you can, using a \
         single phrase or sentence if possible. If the question cannot be answered based on the information in the \
         article, write \"unanswerable\". If the question is a yes/no question, answer \"yes\", \"no\", or \
         \"unanswerable\". Do not provide any explanation.\n\nArticle: {context}\n\n Answer the question based on the \
         above article as concisely as you can, using a single phrase or sentence if possible. If the question cannot \
         be answered based on the information in the article, write \"unanswerable\". If the question is a yes/no \
         question, answer \"yes\", \"no\", or \"unanswerable\". Do not provide any explanation.\n\nQuestion: \
         {input}\n\nAnswer:",
        128,
        Measure::F1,
    ),
    dataset(
        "multifieldqa_en",
        "Read the following text and answer briefly.\n\n{context}\n\nNow, answer the following question based on the \
         above text, only give me the answer and do not output any other words.\n\nQuestion: {input}\nAnswer:",
        64,
        Measure::F1,
    ),
    dataset("hotpotqa", SEVERAL, 32, Measure::F1),
    dataset("2wikimqa", SEVERAL, 32, Measure::F1),
    dataset("musique", SEVERAL, 32, Measure::F1),
    dataset(
        "gov_report",
        "You are given a report by a government agency. Write a one-page summary of the \
         report.\n\nReport:\n{context}\n\nNow, write a one-page summary of the report.\n\nSummary:",
        512,
        Measure::RougeL,
    ),
    dataset(
        "qmsum",
        "You are given a meeting transcript and a query containing a question or instruction. Answer the query in one \
         or more sentences.\n\nTranscript:\n{context}\n\nNow, answer the query based on the above meeting transcript \
         in one or more sentences.\n\nQuery: {input}\nAnswer:",
        512,
        Measure::RougeL,
    ),
    dataset(
        "multi_news",
        "You are given several news passages. Write a one-page summary of all news. \n\nNews:\n{context}\n\nNow, \
         write a one-page summary of all the news.\n\nSummary:",
        512,
        Measure::RougeL,
    ),
    few_shot(
        "trec",
        "Please determine the type of the question below. Here are some examples of questions.\n\n{context}\n{input}",
        64,
        Measure::Class,
    ),
    few_shot(
        "triviaqa",
        "Answer the question based on the given passage. Only give me the answer and do not output any other words. \
         The following are some examples.\n\n{context}\n{input}",
        32,
        Measure::F1,
    ),
    few_shot(
        "samsum",
        "Summarize the dialogue into a few short sentences. The following are some examples.\n\n{context}\n{input}",
        128,
        Measure::RougeL,
    ),
];

/// A row: the prompt, and what is known of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The prompt, filled in and not yet cut to the context.
    pub prompt: String,
    /// References, at least one.
    pub answers: Vec<String>,
    /// The classes there are, for [`Measure::Class`].
    pub classes: Vec<String>,
}

impl Dataset {
    /// A row of LongBench's own layout: `input`, `context`, `answers`, `all_classes`.
    ///
    /// # Errors
    /// What is wrong with the row.
    pub fn example(&self, row: &Row<'_>) -> Result<Example, String> {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let input = if self.prompt.contains("{input}") { row.text("input")? } else { "" };
        let is_class = self.measure == Measure::Class;
        // With one class there would be nothing to choose.
        let classes = if is_class { owned(row.texts("all_classes", 2)?) } else { Vec::new() };
        let prompt = filled(self.prompt, row.text("context")?, input);
        Ok(Example { prompt, answers: owned(row.texts("answers", 1)?), classes })
    }

    /// The part of a generated text that is the answer.
    pub fn answer<'a>(&self, generated: &'a str) -> &'a str {
        match self.few_shot {
            // As the original: line ends at the front go first, else the first line would be empty.
            true => generated.trim_start_matches('\n').split('\n').next().unwrap_or_default(),
            false => generated,
        }
    }

    /// The score of an answer against the best of the references.
    pub fn score(&self, answer: &str, example: &Example) -> f64 {
        let against = |reference: &String| match self.measure {
            Measure::F1 => qa_f1(answer, reference),
            Measure::RougeL => rouge_l(answer, reference),
            Measure::Class => classification(answer, reference, &example.classes),
        };
        example.answers.iter().map(against).fold(0.0, f64::max)
    }
}

/// The template with both places filled; what is filled in is not looked at again.
fn filled(template: &str, context: &str, input: &str) -> String {
    let (before, after) = template.split_once("{context}").unwrap_or((template, ""));
    format!("{before}{context}{}", after.replace("{input}", input))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(name: &str) -> Dataset {
        DATASETS.into_iter().find(|d| d.name == name).unwrap()
    }

    #[test]
    fn a_prompt_is_filled_once() {
        let row = json!({ "input": "who?", "context": "Ann {input} {context}", "answers": ["Ann", "Anna"] });
        let example = named("triviaqa").example(&Row(&row)).unwrap();
        let want = "Answer the question based on the given passage. Only give me the answer and do not output any \
                    other words. The following are some examples.\n\nAnn {input} {context}\nwho?";
        assert_eq!((example.prompt.as_str(), example.answers.len()), (want, 2));
    }

    #[test]
    fn every_prompt_has_its_context_and_all_but_plain_summaries_their_input() {
        for dataset in DATASETS {
            assert_eq!(dataset.prompt.matches("{context}").count(), 1, "{}", dataset.name);
            let summary = ["gov_report", "multi_news"].contains(&dataset.name);
            assert_eq!(dataset.prompt.contains("{input}"), !summary, "{}", dataset.name);
            assert!(!dataset.prompt.contains("  "), "{}: a line was broken wrongly", dataset.name);
        }
        let report = json!({ "context": "Text.", "answers": ["Short."] });
        let want = "You are given a report by a government agency. Write a one-page summary of the report.\n\nReport:\n\
                    Text.\n\nNow, write a one-page summary of the report.\n\nSummary:";
        assert_eq!(named("gov_report").example(&Row(&report)).unwrap().prompt, want);
    }

    #[test]
    fn of_a_few_shot_answer_the_first_line_counts() {
        assert_eq!(named("trec").answer("\n\nCity\nQuestion: next"), "City");
        assert_eq!(named("hotpotqa").answer("City\nmore"), "City\nmore");
    }

    #[test]
    fn the_best_reference_counts() {
        let example =
            Example { prompt: String::new(), answers: vec!["x".into(), "Ann Lee".into()], classes: Vec::new() };
        assert_eq!(named("hotpotqa").score("ann lee", &example), 1.0);
        let classes = vec!["City".to_owned(), "Date".to_owned()];
        let example = Example { prompt: String::new(), answers: vec!["Date".into()], classes };
        assert_eq!(named("trec").score("Date", &example), 1.0);
    }

    #[test]
    fn a_row_without_answers_or_classes_is_bad() {
        let row = json!({ "input": "q", "context": "c", "answers": [] });
        assert!(named("hotpotqa").example(&Row(&row)).unwrap_err().contains("answers"));
        let row = json!({ "input": "q", "context": "c", "answers": ["a"], "all_classes": null });
        assert!(named("trec").example(&Row(&row)).unwrap_err().contains("all_classes"));
    }
}
