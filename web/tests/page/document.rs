//! The page as a document: there at once, with and without its module, under any path.

use serde_json::json;

use crate::browser::Gpu;
use crate::tab::Tab;

#[test]
fn the_text_is_there_without_javascript() {
    let tab = Tab::empty(Gpu::Off);
    tab.line.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    tab.line.call("Page.navigate", json!({ "url": tab.address() }));
    tab.until("headings", || tab.all("heading").len() > 1);
    let told = tab.outline();
    assert!(told.contains("Without JavaScript") && told.contains("What is cut?"), "{told}");
}

#[test]
fn the_text_stays_the_same_when_it_comes_to_life() {
    let tab = Tab::empty(Gpu::Off);
    tab.block("*/page/*");
    tab.go("");
    tab.wait("document.documentElement.dataset.state");
    let headings = "[...document.querySelectorAll('#page :is(h1, h2, h3)')].map(h => h.textContent)";
    let before = tab.run(headings);
    assert!(before.as_array().is_some_and(|h| h.len() > 1), "{before}");
    assert_eq!(Tab::of("").run(headings), before);
}

#[test]
fn it_becomes_interactive_and_stays_so_when_it_is_loaded_again() {
    let tab = Tab::of("");
    let times: Vec<f64> = (0..5)
        .map(|_| {
            tab.reload();
            tab.ready();
            tab.run("performance.getEntriesByName('ready')[0].startTime").as_f64().expect("a time")
        })
        .collect();
    println!("interactive after {times:.0?} ms");
    // How fast is for who reads the line above: a test that is timed fails where others run beside it.
    assert!(times.iter().all(|&ms| ms > 0.0), "{times:?}");
}

#[test]
fn nothing_but_matrices_and_code_scrolls_sideways() {
    let tab = Tab::of("");
    for width in [360, 768, 1280, 1920] {
        tab.viewport(width, 800);
        tab.wait(&format!("innerWidth === {width}"));
        let wide = tab.run(
            "[...document.querySelectorAll('body *')].filter(e => \
             e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('pre, .matrix, .scroll, math, .visually-hidden'))\
             .slice(0, 5).map(e => e.outerHTML.slice(0, 200))",
        );
        assert_eq!(wide, json!([]), "wider than {width} px");
        let page = tab.run("document.scrollingElement.scrollWidth - innerWidth");
        assert!(page.as_i64().is_some_and(|more| more <= 0), "at {width} px the page is {page} px wider");
    }
}

#[test]
fn it_prints_light_and_whole() {
    let tab = Tab::of("");
    tab.media(&[("prefers-color-scheme", "dark")]);
    let pdf = tab.print();
    assert!(pdf.starts_with(b"%PDF"), "no PDF");
    tab.line.call("Emulation.setEmulatedMedia", json!({ "media": "print", "features": [] }));
    assert_eq!(tab.run("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    let cut = tab.run("[...document.querySelectorAll('pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length");
    assert_eq!(cut, 0, "code that is cut off");
}
