//! Makes a picture of every lesson, small and large, light and dark: the page is driven as its tests
//! drive it.
//!
//! `cargo run --release -p slimgpt-web --example lesson_pictures OUT [SELECTOR]` writes
//! `OUT/lesson-2-360-dark.png` and its like; a selector leaves out what it does not match. As for the
//! tests, `SLIMGPT_PAGE=DIR` names a folder that was built before.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/page/browser.rs"]
mod browser;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/browser/chromium.rs"]
mod chromium;
#[path = "../tests/page/devtools.rs"]
mod devtools;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/page/element.rs"]
mod element;
#[path = "../tests/page/keys.rs"]
mod keys;
#[path = "../tests/page/site.rs"]
mod site;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/page/tab.rs"]
mod tab;

use std::path::PathBuf;

use tab::Tab;

fn main() {
    let mut typed = std::env::args_os().skip(1);
    let out = PathBuf::from(typed.next().expect("where the pictures go"));
    let selector = typed.next().map_or_else(|| "header, main > section".into(), |s| s.to_string_lossy().into_owned());
    std::fs::create_dir_all(&out).expect("a place for pictures");
    let tab = Tab::with(browser::Gpu::Software, "");
    let ids = format!("[...document.querySelectorAll('#page :is({selector})')].map(e => e.id ||= 'header')");
    for id in tab.run(&ids).as_array().expect("a list").iter().filter_map(|id| id.as_str()) {
        for width in [360, 1280, 1920] {
            for theme in ["light", "dark"] {
                tab.viewport(width, 900);
                tab.media(&[("prefers-color-scheme", theme), ("prefers-reduced-motion", "reduce")]);
                tab.picture(&format!("#{id}"), &out.join(format!("{id}-{width}-{theme}.png")));
            }
        }
    }
}
