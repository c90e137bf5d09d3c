//! The one HTML document: the frame of web/texts with the lessons drawn into it.

/// What the page may load and run: its own files and its own module, and nothing from elsewhere.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; \
    base-uri 'none'; form-action 'none'";

/// What made a folder, for those who find it later.
pub const GENERATOR: &str = concat!("slimgpt ", env!("CARGO_PKG_VERSION"));

/// `index.html`: readable as it is, before and without the module.
pub fn lessons() -> String {
    filled(include_str!("../../texts/en/index.html")).replace("{lessons}", &crate::page::static_html())
}

/// `app/index.html`: the canvas that the window draws on.
pub fn window() -> String {
    filled(include_str!("../../texts/en/app.html"))
}

fn filled(frame: &str) -> String {
    frame.replace("{policy}", POLICY).replace("{generator}", GENERATOR)
}

#[test]
fn no_place_is_left_open() {
    for document in [filled(include_str!("../../texts/en/index.html")).replace("{lessons}", ""), window()] {
        assert!(!document.contains('{'), "{document}");
        assert!(document.contains(POLICY) && document.starts_with("<!doctype html>"));
    }
}

#[test]
fn nothing_is_inline_that_the_policy_forbids() {
    let document = lessons();
    assert!(!document.contains("style=") && !document.contains("<style") && !document.contains(" onclick="));
    assert!(document.matches("<script").count() == document.matches("<script type=\"module\" src=").count());
}
