//! A small writer of SVG: shapes with classes instead of colours, so that the page's style decides
//! how they look in light, in dark and on paper.

use std::fmt::{Display, Write};

/// A figure that is being drawn; lengths are in user units, about pixels.
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// The text begins at its point.
    Start,
    /// The text is centred at its point.
    Middle,
    /// The text ends at its point.
    End,
}

impl Svg {
    /// An empty figure. Title and description are what a screen reader says.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        Self { width, height, title: title.into(), description: description.into(), body: String::new() }
    }

    /// A rectangle with a tooltip, which may be empty.
    pub fn rect(&mut self, [x, y, width, height]: [f64; 4], class: &str, tooltip: &str) {
        // A <title> inside a shape is its tooltip, without any script.
        let tooltip = if tooltip.is_empty() { String::new() } else { format!("<title>{}</title>", escaped(tooltip)) };
        let (x, y, width, height) = (Short(x), Short(y), Short(width), Short(height));
        self.add(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{class}">{tooltip}</rect>"#
        ));
    }

    /// A straight line between two points.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let (x1, y1, x2, y2) = (Short(from.0), Short(from.1), Short(to.0), Short(to.1));
        self.add(format_args!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class}"/>"#));
    }

    /// A line through points.
    pub fn polyline(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", Short(x), Short(y))).collect();
        self.add(format_args!(r#"<polyline points="{}" class="{class}"/>"#, points.join(" ")));
    }

    /// A circle with a tooltip, which may be empty.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str, tooltip: &str) {
        let tooltip = if tooltip.is_empty() { String::new() } else { format!("<title>{}</title>", escaped(tooltip)) };
        let (x, y, radius) = (Short(x), Short(y), Short(radius));
        self.add(format_args!(r#"<circle cx="{x}" cy="{y}" r="{radius}" class="{class}">{tooltip}</circle>"#));
    }

    /// A text; its point is on the baseline.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, text) = (Short(x), Short(y), escaped(&text.to_string()));
        self.add(format_args!(r#"<text x="{x}" y="{y}" text-anchor="{anchor}" class="{class}">{text}</text>"#));
    }

    /// A text that reads upwards, centred at a point.
    pub fn upright_text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        let (x, y, text) = (Short(x), Short(y), escaped(text));
        self.add(format_args!(
            r#"<text x="{x}" y="{y}" text-anchor="middle" transform="rotate(-90 {x} {y})" class="{class}">{text}</text>"#
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    /// The figure as part of a page.
    pub fn inline(&self) -> String {
        self.element("")
    }

    /// The figure as a file of its own, with its style.
    pub fn standalone(&self) -> String {
        // Outside of a page the classes have no colours unless it brings them along.
        let style = format!("<style>{}</style>\n", include_str!("figure.css"));
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", self.element(&style))
    }

    fn element(&self, style: &str) -> String {
        let Self { width, height, title, description, body } = self;
        let (width, height) = (Short(*width), Short(*height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
             <title>{}</title>\n<desc>{}</desc>\n{style}{body}</svg>",
            escaped(title),
            escaped(description),
        )
    }
}

/// A coordinate with as many digits as can be seen.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        // The sign of a number that was rounded to nothing.
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

/// A text with the characters replaced that mean something in XML, or may not stand in it at all.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            // XML 1.0 has no other control characters, not even as references.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_xml_is_replaced() {
        assert_eq!(escaped("a<b & \"c\"\u{0}"), "a&lt;b &amp; &quot;c&quot;\u{fffd}");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(Short(1.0).to_string(), "1");
        assert_eq!(Short(-0.001).to_string(), "0");
        assert_eq!(Short(2.346).to_string(), "2.35");
    }
}
