//! Documents to one text, the ways papers do before they measure a perplexity.

use serde::Serialize;

use crate::format::unix_line_ends;

/// Documents that `c4` takes from the beginning.
const C4_DOCUMENTS: usize = 1100;

/// How a file's documents become one text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, strum::IntoStaticStr, strum::EnumMessage, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Join {
    /// A .txt as it stands; rows of a .jsonl or .json with an empty line between.
    #[default]
    Plain,
    /// Rows with an empty line between. The rows of a single document are its lines with their
    /// ends, and blank ones are empty, as in the data set on the hub: the text that GPTQ,
    /// SparseGPT, Wanda and LLM-Pruner measure WikiText-2 on.
    #[strum(
        message = "the lines of a .txt, or rows, with an empty line between, as the papers join the data set on the hub"
    )]
    Wikitext2,
    /// Rows with a space between; the rows of a single document are its lines, trimmed.
    #[strum(message = "the lines of a .txt, trimmed, or rows, with a space between")]
    Ptb,
    /// The first 1100 rows with a space between; with 256 windows GPTQ's C4.
    C4,
}

impl Join {
    /// The documents joined to one text.
    pub fn text(self, documents: &[String]) -> String {
        match (self, documents) {
            // A single document is the raw file, of which the hub makes a row of each line.
            (Self::Wikitext2, [whole]) => hub_rows(&unix_line_ends(whole)).join("\n\n"),
            (Self::Plain | Self::Wikitext2, several) => several.join("\n\n"),
            (Self::Ptb, [whole]) => whole.lines().map(str::trim).collect::<Vec<_>>().join(" "),
            (Self::Ptb, several) => several.join(" "),
            (Self::C4, several) => several[..several.len().min(C4_DOCUMENTS)].join(" "),
        }
    }
}

fn hub_rows(text: &str) -> Vec<&str> {
    // With their line ends, which the hub's rows have too.
    text.split_inclusive('\n').map(|line| if line.trim().is_empty() { "" } else { line }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_joined_as_each_data_set_is() {
        let one = [" \n = A = \n \n b \n".to_owned()];
        let two = ["x".to_owned(), "y".to_owned()];
        assert_eq!(Join::Plain.text(&one), one[0]);
        assert_eq!(Join::Plain.text(&two), "x\n\ny");
        assert_eq!(Join::Wikitext2.text(&one), "\n\n = A = \n\n\n\n\n b \n");
        let windows = [one[0].replace('\n', "\r\n")];
        assert_eq!(Join::Wikitext2.text(&windows), Join::Wikitext2.text(&one));
        assert_eq!(Join::Plain.text(&windows), windows[0]);
        assert_eq!(Join::Wikitext2.text(&two), "x\n\ny");
        assert_eq!(Join::Ptb.text(&[" a b \n c \n".to_owned()]), "a b c");
        assert_eq!(Join::Ptb.text(&two), "x y");
        assert_eq!(Join::C4.text(&vec!["z".to_owned(); 1200]).len(), 2 * 1100 - 1);
    }
}
