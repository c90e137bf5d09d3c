//! After one visit the page needs no network.

use crate::tab::Tab;

/// Waits until the service worker keeps what was loaded.
fn kept(tab: &Tab) {
    tab.wait("navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller)");
}

#[test]
fn it_opens_without_a_network_after_the_first_visit() {
    let tab = Tab::of("");
    kept(&tab);
    tab.unplug();
    // The look for a newer page fails, and says so to whoever has the console open.
    tab.forgive();
    tab.reload();
    tab.ready();
    assert!(tab.all("heading").len() > 1, "{}", tab.outline());
    // So does a link with a state in it.
    tab.go("?v=1#lesson-1");
    tab.ready();
    assert_eq!(tab.run("getComputedStyle(document.body).margin"), "0px", "its styles are there");
}

#[test]
fn without_a_first_visit_there_is_nothing() {
    let tab = Tab::of("");
    kept(&tab);
    tab.run("caches.keys().then(names => Promise.all(names.map(name => caches.delete(name))))");
    tab.unplug();
    tab.forgive();
    let answered =
        tab.run("fetch('page.css', { signal: AbortSignal.timeout(3000) }).then(answer => answer.ok, () => false)");
    assert_eq!(answered, false);
}

#[test]
fn a_file_of_a_later_lesson_is_kept_once_it_was_asked_for() {
    let tab = Tab::of("");
    kept(&tab);
    tab.run("fetch('build.json').then(answer => answer.text())");
    let keeps = "caches.open((await caches.keys())[0]).then(cache => cache.keys()).then(keys => keys.map(k => k.url))";
    let kept = tab.run(&format!("(async () => {keeps})()")).to_string();
    assert!(kept.contains("/build.json") && kept.contains("/page/page_bg.wasm") && !kept.contains("/model/"), "{kept}");
}
