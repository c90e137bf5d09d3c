//! What does not arrive ends in words and a way on, and the text stays.

use crate::browser::Gpu;
use crate::tab::Tab;

/// The page while requests for these addresses fail.
fn without(addresses: &str) -> Tab {
    let tab = Tab::empty(Gpu::Off);
    tab.block(addresses);
    tab.go("");
    tab.wait("document.documentElement.dataset.state");
    tab
}

fn assert_there_is_a_way_on(tab: &Tab) {
    assert_eq!(tab.state(), "failed");
    let [panel] = &tab.all("alert")[..] else { panic!("one panel tells of it\n{}", tab.outline()) };
    assert!(panel.text().contains("could not start"), "{}", panel.text());
    tab.by("link", "load the page again");
    assert!(tab.all("heading").len() > 1, "the text stays\n{}", tab.outline());
}

#[test]
fn a_module_that_does_not_arrive_ends_in_a_readable_panel() {
    let tab = without("*/page_bg.wasm");
    assert_there_is_a_way_on(&tab);
    tab.line.call("Network.setBlockedURLs", serde_json::json!({ "urls": [] }));
    tab.by("link", "load the page again").click();
    tab.wait("document.documentElement.dataset.state === 'ready'");
}

#[test]
fn a_script_that_does_not_arrive_ends_in_a_readable_panel() {
    assert_there_is_a_way_on(&without("*/page/page.js"));
}

#[test]
fn a_browser_without_webassembly_ends_in_a_readable_panel() {
    let tab = Tab::empty(Gpu::Off);
    tab.forgive();
    let hide = serde_json::json!({ "source": "delete globalThis.WebAssembly" });
    tab.line.call("Page.addScriptToEvaluateOnNewDocument", hide);
    tab.go("");
    tab.wait("document.documentElement.dataset.state");
    assert_there_is_a_way_on(&tab);
}

#[test]
fn a_module_that_breaks_later_gives_its_text_back() {
    let tab = Tab::of("");
    tab.forgive();
    tab.run("document.getElementById('page').replaceChildren(); 0");
    tab.run("setTimeout(() => { throw new WebAssembly.RuntimeError('unreachable') }); 0");
    tab.wait("document.documentElement.dataset.state === 'failed'");
    assert_there_is_a_way_on(&tab);
}
