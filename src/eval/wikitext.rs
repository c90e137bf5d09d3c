//! Raw WikiText as lm-eval takes it: cut into pages, and freed of the marks of its tokenisation.

use crate::format::unix_line_ends;

/// The pages of a raw WikiText file: each begins with its ` = Title = `. What stands before the
/// first title is a page of its own unless it is white space; a text without titles is one page.
pub fn pages(text: &str) -> Vec<String> {
    let text = unix_line_ends(text);
    let (mut pages, mut page) = (Vec::new(), Vec::new());
    for line in text.split('\n') {
        if is_title(line) {
            let before = std::mem::take(&mut page).join("\n");
            if !before.trim().is_empty() {
                pages.push(before);
            }
        }
        page.push(line);
    }
    pages.push(page.join("\n"));
    pages
}

/// Whether a text has a title of the first level.
pub fn has_titles(text: &str) -> bool {
    text.split('\n').any(is_title)
}

/// ` = Title = `, but not ` = = Section = = `.
fn is_title(line: &str) -> bool {
    // Titles of deeper levels have spaced signs; joined they no longer begin with a single one.
    let line = line.replace("= = =", "===").replace("= =", "==");
    let line = line.trim();
    line.starts_with("= ") && line.ends_with(" =")
}

/// Marks and what stands for them, in the order in which they are replaced.
const BEFORE_BRACKETS: &[(&str, &str)] = &[
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    (" : ", ": "),
    (" ; ", "; "),
    (" . ", ". "),
    (" ! ", "! "),
    (" ? ", "? "),
    (" , ", ", "),
];
/// Pairs inside which white space at the ends goes, in this order.
const BRACKETS: &[(char, char)] = &[('(', ')'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
const AFTER_BRACKETS: &[(&str, &str)] = &[
    // The longest first, since the shorter are parts of it.
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    // lm-eval's own rule: only the same text gives comparable figures.
    (" N ", " 1 "),
    (" 's", "'s"),
];

/// A page as it would be written by hand.
pub fn detokenised(page: &str) -> String {
    let replaced = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    let text = BEFORE_BRACKETS.iter().fold(page.to_owned(), replaced);
    let text = BRACKETS.iter().fold(text, |text, &(open, close)| tightened(&text, open, close));
    AFTER_BRACKETS.iter().fold(text, replaced)
}

/// Takes white space away after `open` and before the next `close`.
fn tightened(text: &str, open: char, close: char) -> String {
    let mut tight = String::with_capacity(text.len());
    let mut rest = text;
    // In turn from the left, since a quotation mark opens and closes with one sign.
    while let Some((before, after)) = rest.split_once(open)
        && let Some((inside, behind)) = after.split_once(close)
    {
        tight.extend([before, open.encode_utf8(&mut [0; 4]), inside.trim(), close.encode_utf8(&mut [0; 4])]);
        rest = behind;
    }
    tight + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_a_title_of_the_first_level() {
        let text = " \n = One = \n \n a . \n = = Part = = \n b \n = Two = \n c \n";
        assert_eq!(pages(text), [" = One = \n \n a . \n = = Part = = \n b ", " = Two = \n c \n"]);
        assert!(has_titles(text) && !has_titles("a = b = \n = = Part = = \n"));
        assert_eq!(pages(&text.replace('\n', "\r\n")), pages(text));
        assert_eq!(pages("no title"), ["no title"]);
        assert_eq!(pages("before\n = One = \n"), ["before", " = One = \n"]);
    }

    #[test]
    fn the_marks_of_tokenisation_go() {
        let page = " = A @-@ B = \n \n \" Yes , no \" ( see [ 1 ] ) , 1 @,@ 000 @.@ 5 ; the boys ' dog 's N 20 ° C . \n = = = Part = = = \n";
        let want = " = A-B =\n\n\"Yes, no\" (see [1]), 1,000.5; the boys'dog's 1 20°C.\n=== Part ===\n";
        // The apostrophe of "boys '" pairs with that of "'s", as it does in lm-eval.
        assert_eq!(detokenised(page), want);
    }

    #[test]
    fn a_pair_that_does_not_close_is_left_alone() {
        assert_eq!(tightened("( a ) ( b", '(', ')'), "(a) ( b");
        assert_eq!(tightened("\" a \" b \" c", '"', '"'), "\"a\" b \" c");
        assert_eq!(tightened("(  )", '(', ')'), "()");
    }
}
