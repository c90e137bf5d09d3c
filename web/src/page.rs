//! The whole page as text.

/// What stands in the document before the module comes.
pub fn static_html() -> String {
    String::from(
        r##"<header><h1>What pruning does</h1><p><a href="#lesson-1">Begin</a></p></header><main><section id="lesson-1"><h2>What is cut?</h2><p>Text.</p></section></main>"##,
    )
}
