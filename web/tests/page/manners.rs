//! What readers of every kind need: contrast, names, keys.

use crate::axe;
use crate::tab::Tab;

#[test]
fn axe_finds_nothing_in_either_theme() {
    let tab = Tab::of("");
    for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 360)] {
        tab.viewport(width, 900);
        tab.media(&[("prefers-color-scheme", theme), ("prefers-reduced-motion", "reduce")]);
        let objections = axe::objections(&tab);
        assert!(objections.is_empty(), "{theme}, {width} px:\n{}", objections.join("\n"));
    }
}

#[test]
fn axe_notices_what_it_should() {
    let tab = Tab::of("");
    tab.run(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"icon.svg\"><button></button>'); 0",
    );
    let objections = axe::objections(&tab).join("\n");
    assert!(objections.contains("image-alt") && objections.contains("button-name"), "{objections}");
}

#[test]
fn every_control_is_reached_by_keys_and_shows_it() {
    let tab = Tab::of("");
    let controls =
        "document.querySelectorAll('#page :is(a[href], button:not(:disabled), input:not(:disabled), select, summary)')";
    let all = tab.run(&format!("{controls}.length")).as_u64().expect("a number");
    assert!(all > 0);
    tab.press("Tab");
    let shown = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
    assert!(tab.run("document.activeElement !== document.body") == true, "nothing took the focus");
    assert_eq!(tab.run(shown), true, "the focus is not seen on {}", tab.run("document.activeElement.outerHTML"));
    let out_of_order =
        tab.run("document.querySelectorAll('#page [tabindex]:not([tabindex=\"0\"], [tabindex=\"-1\"])').length");
    assert_eq!(out_of_order, 0);
}

#[test]
fn who_wants_no_motion_gets_none() {
    let tab = Tab::of("");
    assert_eq!(tab.run("getComputedStyle(document.documentElement).scrollBehavior"), "auto");
    // What follows the reader's own scrolling, as the fade of matrices does, moves by nobody else.
    let moving = "[...document.querySelectorAll('body *')].map(e => getComputedStyle(e)).filter(style => \
        parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none' && style.animationTimeline === 'auto').length";
    assert_eq!(tab.run(moving), 0);
}
