//! The rules by which byte-level BPE cuts text into words before pairs are joined. llama.cpp has them
//! built in and knows them by name; a tokenizer.json has them as steps and regular expressions.

use serde_json::{Value, json};

/// How text is cut into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// By GPT-2's expression, which the step `ByteLevel` has built in.
    Words,
    /// The same, every digit by itself.
    DigitsAndWords,
    /// By this expression.
    Split(&'static str),
}

/// A rule under llama.cpp's name.
#[derive(Debug)]
pub struct Rule {
    /// Its name (`tokenizer.ggml.pre`).
    pub name: &'static str,
    /// Other names of the same rule, as llama.cpp's `llama-vocab.cpp` has them.
    also: &'static [&'static str],
    /// What it does.
    pub cut: Cut,
    /// Whether a word that is a token is then taken whole, whatever the merges say.
    pub ignores_merges: bool,
    /// Whether a text begins with the begin token where no key says so.
    pub(super) adds_bos: bool,
}

const LLAMA_3: Cut = Cut::Split(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const QWEN_2: Cut = Cut::Split(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
const TEKKEN: Cut = Cut::Split(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// Every rule that is known on both sides. Of those with one expression the one that treats merges as the
/// tokenizer.json does is written, else the first.
pub static RULES: [Rule; 6] = [
    Rule {
        name: "gpt-2",
        also: &[
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        cut: Cut::Words,
        ignores_merges: false,
        adds_bos: false,
    },
    Rule {
        name: "smollm",
        also: &["starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        cut: Cut::DigitsAndWords,
        ignores_merges: false,
        adds_bos: false,
    },
    Rule {
        name: "llama-bpe",
        also: &["llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        cut: LLAMA_3,
        ignores_merges: true,
        adds_bos: true,
    },
    Rule { name: "smaug-bpe", also: &["dbrx"], cut: LLAMA_3, ignores_merges: false, adds_bos: false },
    Rule {
        name: "qwen2",
        also: &["deepseek-r1-qwen", "kormo", "stablelm2", "megrez", "hunyuan"],
        cut: QWEN_2,
        ignores_merges: false,
        adds_bos: false,
    },
    Rule { name: "tekken", also: &[], cut: TEKKEN, ignores_merges: true, adds_bos: true },
];

impl Rule {
    /// The rule of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.name == name || rule.also.contains(&name))
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        let names = RULES.iter().flat_map(|rule| std::iter::once(&rule.name).chain(rule.also));
        names.copied().collect::<Vec<_>>().join(", ")
    }

    /// The `pre_tokenizer` of a tokenizer.json that cuts text so.
    pub(super) fn pre_tokenizer(&self) -> Value {
        let bytes = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
        let steps = |first: Value, second: Value| json!({ "type": "Sequence", "pretokenizers": [first, second] });
        match self.cut {
            Cut::Words => bytes(true),
            Cut::DigitsAndWords => steps(json!({ "type": "Digits", "individual_digits": true }), bytes(true)),
            Cut::Split(pattern) => steps(
                json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false }),
                // The words are cut already; GPT-2's expression would cut them again.
                bytes(false),
            ),
        }
    }
}
