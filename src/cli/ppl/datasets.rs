//! Names of data sets that people type where a file is wanted: which file it is, and where it lies.

/// What to fetch for a well-known name. Nothing is downloaded.
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

const WIKITEXT2: &str = "data sets are local files here, nothing is downloaded. Fetch wiki.test.raw of wikitext-2-raw-v1 \
(the hub's Salesforce/wikitext, or wikitext-2-raw-v1.zip) and give --text wiki.test.raw --join wikitext2";
const PTB: &str = "data sets are local files here, nothing is downloaded. Fetch ptb.test.txt of the Penn Treebank (the \
hub's ptb-text-only/ptb_text_only, or Mikolov's simple-examples.tgz) and give --text ptb.test.txt --join ptb";
const C4: &str = "data sets are local files here, nothing is downloaded. Fetch en/c4-validation.00000-of-00008.json.gz of \
the hub's allenai/c4 and give --text c4-validation.00000-of-00008.json.gz --join c4 --windows 256";

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
