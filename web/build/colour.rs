//! Rust as HTML whose words have classes for what they are.

use proc_macro2::{TokenStream, TokenTree};

/// Words of Rust that are shown as such; the rest are names.
const KEYWORDS: &str = " as async await break const continue crate dyn else enum false fn for if impl in let loop \
match mod move mut pub ref return self static struct super trait true type use where while ";

/// The source as HTML.
pub fn html(source: &str) -> Result<String, String> {
    let tokens: TokenStream = source.parse().map_err(|error| format!("no Rust: {error}"))?;
    let mut out = Painter { source, at: 0, html: String::new() };
    out.paint(tokens);
    out.gap(source.len());
    Ok(out.html)
}

struct Painter<'a> {
    source: &'a str,
    /// The byte up to which it is painted.
    at: usize,
    html: String,
}

impl Painter<'_> {
    fn paint(&mut self, tokens: TokenStream) {
        for token in tokens {
            if let TokenTree::Group(group) = &token {
                // A documentation comment comes as an attribute, all of whose parts lie where it lies.
                if self.source[group.span().byte_range()].starts_with("//") {
                    continue;
                }
                self.paint(group.stream());
                continue;
            }
            let place = token.span().byte_range();
            // Parts of a documentation comment again, which was painted as one.
            if place.start < self.at {
                continue;
            }
            self.gap(place.start);
            let lifetime = self.html.ends_with('\'');
            let class = class(&token, &self.source[place.clone()]).filter(|_| !lifetime);
            self.say(place.end, class);
        }
    }

    /// What lies between two tokens: space and comments, which are no tokens.
    fn gap(&mut self, end: usize) {
        for piece in self.source[self.at..end].split_inclusive('\n') {
            let comment = piece.find("//").unwrap_or(piece.len());
            let line = piece.trim_end_matches('\n').len();
            self.say(self.at + comment.min(line), None);
            self.say(self.at + line - comment.min(line), Some("c"));
            self.say(self.at + piece.len() - line, None);
        }
    }

    fn say(&mut self, end: usize, class: Option<&str>) {
        let text = escaped(&self.source[self.at..end]);
        self.at = end;
        match class {
            _ if text.is_empty() => {}
            Some(class) => self.html += &format!("<span class=\"{class}\">{text}</span>"),
            None => self.html += &text,
        }
    }
}

/// The class of a token, as `page.css` names it.
fn class(token: &TokenTree, text: &str) -> Option<&'static str> {
    match token {
        _ if text.starts_with("//") => Some("c"),
        TokenTree::Literal(_) if text.starts_with(|first: char| first.is_ascii_digit()) => Some("n"),
        TokenTree::Literal(_) => Some("s"),
        TokenTree::Ident(_) if KEYWORDS.contains(&format!(" {text} ")) => Some("k"),
        TokenTree::Ident(_) if is_type(text) => Some("t"),
        _ => None,
    }
}

fn is_type(word: &str) -> bool {
    let named = word.starts_with(char::is_uppercase) && (word.len() == 1 || word.contains(char::is_lowercase));
    named || matches!(word, "bool" | "f32" | "f64" | "i32" | "i64" | "str" | "u32" | "u64" | "usize")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
