//! How much longer a tokenizer.json makes a text before it cuts it into tokens, and tokens before
//! they are text: forty replacements that double it would fill any memory.

use serde::Deserialize;
use serde_json::Value;

/// Times as long as it was that a text may become. Real files make a space into the three bytes of ▁.
const MOST: f64 = 4096.0;
/// Patterns that a tokenizer.json may have, each of which takes up to some megabytes; real ones have less than ten.
const PATTERNS: usize = 32;
/// What a pattern is tried on, to see whether it can match between two characters.
const SAMPLE: &str = "a B1_\n-é";

/// The parts of a tokenizer.json that replace text.
#[derive(Deserialize)]
struct Replacing {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
}

/// Refuses a tokenizer.json whose replacements multiply a text. What is no JSON at all is left to its
/// reader.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let replacing = match serde_json::from_slice::<Replacing>(json) {
        Ok(replacing) => replacing,
        // A part that stands twice would be looked at once here and be built twice by the reader.
        Err(error) if error.is_data() => return Err(error.to_string()),
        Err(_) => return Ok(()),
    };
    let patterns: usize =
        [&replacing.normalizer, &replacing.pre_tokenizer, &replacing.decoder].map(patterns).iter().sum();
    if patterns > PATTERNS {
        return Err(format!(
            "it has {patterns} patterns to cut or replace by, and {PATTERNS} are the most that are read"
        ));
    }
    let Replacing { normalizer, pre_tokenizer, decoder } = &replacing;
    for (name, part) in [("normalizer", normalizer), ("pre_tokenizer", pre_tokenizer), ("decoder", decoder)] {
        let times = growth(part);
        if times > MOST {
            return Err(format!("its {name} makes a text up to {times:.0} times as long"));
        }
    }
    Ok(())
}

/// How many patterns a part has, however deep.
fn patterns(part: &Value) -> usize {
    match part {
        Value::Array(all) => all.iter().map(patterns).sum(),
        Value::Object(all) => usize::from(all.contains_key("Regex")) + all.values().map(patterns).sum::<usize>(),
        _ => 0,
    }
}

/// How many times as long a text may become.
fn growth(part: &Value) -> f64 {
    let inner = ["normalizers", "pretokenizers", "decoders"].into_iter().find_map(|key| part[key].as_array());
    match (inner, part["type"].as_str()) {
        (Some(several), _) => several.iter().map(growth).product(),
        (None, Some("Replace")) => replaced(&part["pattern"], part["content"].as_str().unwrap_or_default()),
        // Every byte beyond ASCII becomes a letter of two bytes, and again with the next of its kind.
        (None, Some("ByteLevel")) => 2.0,
        // ▁ has three bytes, and may be put before every piece.
        (None, Some("Metaspace")) => 4.0,
        (None, _) => 1.0,
    }
}

/// For one replacement of everything that matches.
fn replaced(pattern: &Value, content: &str) -> f64 {
    let content = content.len() as f64;
    let times = match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        // Nothing stands between any two characters, and the characters stay.
        (Some(""), _) => content + 1.0,
        (Some(text), _) => content / text.len() as f64,
        (None, Some(regex)) if matches_nothing(regex) => content + 1.0,
        _ => content,
    };
    // What becomes shorter in one text stays as it is in another.
    times.max(1.0)
}

fn matches_nothing(regex: &str) -> bool {
    // Patterns of the richer kind are taken for ones that can.
    regex::Regex::new(regex).map_or(true, |regex| regex.find_iter(SAMPLE).any(|found| found.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalizers(replacements: &[(Value, &str)]) -> Vec<u8> {
        let all = replacements.iter().map(|(p, c)| json!({ "type": "Replace", "pattern": p, "content": c }));
        let all: Vec<Value> = all.collect();
        json!({ "normalizer": { "type": "Sequence", "normalizers": all }, "decoder": null }).to_string().into_bytes()
    }

    #[test]
    fn replacements_that_multiply_a_text_are_refused() {
        let doubling = (json!({ "String": "a" }), "aa");
        assert!(check(&normalizers(&vec![doubling.clone(); 12])).is_ok());
        assert!(check(&normalizers(&vec![doubling; 40])).unwrap_err().contains("normalizer"));
        for pattern in
            [json!({ "Regex": "" }), json!({ "Regex": "b*" }), json!({ "Regex": "\\b" }), json!({ "Regex": "(?=b)" })]
        {
            assert!(check(&normalizers(&vec![(pattern, "a"); 40])).is_err());
        }
    }

    #[test]
    fn bytes_that_become_letters_again_and_again_are_refused() {
        let with = |count| {
            let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "use_regex": false });
            let all = json!({ "type": "Sequence", "pretokenizers": vec![bytes; count] });
            json!({ "pre_tokenizer": all }).to_string().into_bytes()
        };
        assert!(check(&with(3)).is_ok());
        assert!(check(&with(30)).unwrap_err().contains("pre_tokenizer makes a text"));
    }

    #[test]
    fn a_part_that_stands_twice_is_refused() {
        let twice = r#"{ "pre_tokenizer": null, "pre_tokenizer": { "type": "ByteLevel" } }"#;
        assert!(check(twice.as_bytes()).unwrap_err().contains("duplicate field"));
    }

    #[test]
    fn many_patterns_are_refused_wherever_they_stand() {
        let split = json!({ "type": "Split", "pattern": { "Regex": "a+" }, "behavior": "Isolated", "invert": false });
        let with = |count| {
            let inner = json!({ "type": "Sequence", "pretokenizers": vec![split.clone(); count] });
            json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [inner] } }).to_string().into_bytes()
        };
        assert!(check(&with(PATTERNS)).is_ok());
        assert!(check(&with(PATTERNS + 1)).unwrap_err().contains("33 patterns"));
    }

    #[test]
    fn what_real_files_replace_is_fine() {
        let spaces =
            [(json!({ "Regex": " {2,}" }), " "), (json!({ "String": "``" }), "\""), (json!({ "Regex": "\n+" }), " ")];
        assert!(check(&normalizers(&[&spaces[..]; 10].concat())).is_ok());
        assert!(check(&normalizers(&[(json!({ "String": " " }), "▁")])).is_ok());
        assert!(check(b"{}").is_ok() && check(b"no json").is_ok());
    }
}
