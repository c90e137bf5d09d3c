//! Names of data sets that people type where a file is wanted: which file it is, and where it lies. Names with
//! `dataset:` before them are the hub's own and are looked for there.

/// What to type in place of a well-known name.
pub fn advice(name: &str) -> Option<&'static str> {
    // WikiText-2, wikitext_2 and wikitext2 are one name.
    let bare: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match bare.as_str() {
        "wikitext" | "wikitext2" | "wikitext2raw" | "wikitext2rawv1" => Some(WIKITEXT2),
        "ptb" | "penntreebank" => Some(PTB),
        "c4" => Some(C4),
        _ => None,
    }
}

const WIKITEXT2: &str = "a text is a file, or dataset:org/name/file of the hub. Fetch wiki.test.raw of wikitext-2-raw-v1 \
(the hub's Salesforce/wikitext, or wikitext-2-raw-v1.zip) and give --text wiki.test.raw --join wikitext2";
const PTB: &str = "a text is a file, or dataset:org/name/file of the hub. Fetch ptb.test.txt of the Penn Treebank (the \
hub's ptb-text-only/ptb_text_only, or Mikolov's simple-examples.tgz) and give --text ptb.test.txt --join ptb";
const C4: &str = "a text is a file, or dataset:org/name/file of the hub. Give \
--text dataset:allenai/c4/en/c4-validation.00000-of-00008.json.gz --join c4 --windows 256";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_say_which_file_to_fetch() {
        for (name, file) in [("wikitext2", "wiki.test.raw"), ("WikiText-2", "wiki.test.raw"), ("ptb", "ptb.test.txt")] {
            assert!(advice(name).unwrap().contains(file), "{name}");
        }
        assert!(advice("c4").unwrap().contains("c4-validation.00000-of-00008"));
        assert_eq!(advice("my.txt"), None);
    }
}
