//! Markdown with formulas to HTML.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use super::section::Section;
use super::{Formulas, LESSONS, Wrong, unbroken};

/// HTML and what is known of it.
pub struct Html {
    /// The HTML.
    pub html: String,
    /// Words; a formula counts as one.
    pub words: usize,
    /// The symbols in its formulas, each once, in the order in which they come.
    pub symbols: Vec<String>,
}

/// The section as HTML.
pub fn html(section: &Section, formulas: &Formulas) -> Result<Html, Wrong> {
    let (mut words, mut symbols) = (0, Vec::new());
    let mut events = Vec::new();
    let mut is_after_formula = false;
    for (event, place) in
        Parser::new_ext(section.text, Options::ENABLE_MATH | Options::ENABLE_SMART_PUNCTUATION).into_offset_iter()
    {
        let wrong = |what: String| section.wrong(place.start, what);
        let follows = std::mem::replace(&mut is_after_formula, matches!(event, Event::InlineMath(_)));
        let event = match event {
            Event::InlineMath(ref tex) | Event::DisplayMath(ref tex) => {
                let formula = formulas.formula(tex, matches!(event, Event::DisplayMath(_))).map_err(wrong)?;
                words += 1;
                symbols.extend(formula.symbols);
                Event::InlineHtml(formula.html.into())
            }
            Event::Text(ref text) | Event::Code(ref text) => {
                // Signs that stand alone are no words.
                words += text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
                let signs = text.chars().take_while(|sign| ".,;:!?)".contains(*sign)).count();
                match events.last_mut() {
                    // A line may end behind a formula, but not before the full stop that follows it; browsers break
                    // lines around a formula whatever characters stand there.
                    Some(Event::InlineHtml(formula)) if follows && signs > 0 && matches!(event, Event::Text(_)) => {
                        *formula = format!("<span class=\"unbroken\">{formula}{}</span>", &text[..signs]).into();
                        Event::Text(unbroken(&text[signs..]).into())
                    }
                    _ if matches!(event, Event::Text(_)) => Event::Text(unbroken(text).into()),
                    _ => event,
                }
            }
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                leads_somewhere(dest_url, formulas).map_err(wrong)?;
                event
            }
            Event::Html(_) | Event::InlineHtml(_) => return Err(wrong("HTML in a text".into())),
            other => other,
        };
        events.push(event);
    }
    let mut seen = std::collections::HashSet::new();
    symbols.retain(|id: &String| seen.insert(id.clone()));
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    Ok(Html { html: out.trim_end().to_owned(), words, symbols })
}

/// The section as one list: the HTML of each item.
pub fn items(section: &Section, formulas: &Formulas) -> Result<(Vec<String>, Vec<String>), Wrong> {
    let Html { html, symbols, .. } = html(section, formulas)?;
    let list = html.strip_prefix("<ul>\n").and_then(|rest| rest.strip_suffix("\n</ul>"));
    let list = list.ok_or_else(|| section.amiss("this is not one list"))?;
    let items = list.split("</li>").map(|item| item.trim().trim_start_matches("<li>").to_owned());
    Ok((items.filter(|item| !item.is_empty()).collect(), symbols))
}

/// Links stay on the page: nobody is asked for anything, and all of it works offline.
fn leads_somewhere(link: &str, formulas: &Formulas) -> Result<(), String> {
    let symbol = link.strip_prefix("#symbol-").is_some_and(|id| formulas.knows(id));
    let number = link.strip_prefix("#lesson-").and_then(|number| number.parse().ok());
    let lesson = number.is_some_and(|number: usize| (1..=LESSONS).contains(&number));
    (symbol || lesson).then_some(()).ok_or_else(|| format!("the link {link} leads to no lesson and no symbol"))
}

/// Events as those of a table whose columns have no alignment: it would become a style.
pub fn unaligned(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(vec![pulldown_cmark::Alignment::None; columns.len()]))
        }
        other => other,
    }
}

/// Whether a table ends here.
pub fn ends_table(event: &Event) -> bool {
    matches!(event, Event::End(TagEnd::Table))
}
