//! A link remembers what its reader has done; one that is damaged says so and starts clean.

use crate::tab::Tab;

/// Links that no version of the page has written.
const DAMAGED: [&str; 20] = [
    "?v=2",
    "?v=",
    "?v=one&2.rho=0.5",
    "?2.rho=0.5",
    "?v=1&v=1",
    "?v=1&2.rho=NaN",
    "?v=1&2.rho=1e999",
    "?v=1&2.rho=-7",
    "?v=1&2.rho=",
    "?v=1&2.rho",
    "?v=1&2.rho=0.5&2.rho=0.6",
    "?v=1&99.x=1",
    "?v=1&2.nothing=1",
    "?v=1&0.rho=0.5",
    "?v=1&2.rho=%FF%FE",
    "?v=1&2.rho=%",
    "?v=1&<script>alert(1)</script>",
    "?%00",
    "?v=1&2.rho=0,5",
    "?utm_source=x&v=18446744073709551616",
];

#[test]
fn a_damaged_link_says_so_and_starts_clean() {
    let tab = Tab::of("");
    let clean = tab.text();
    for state in DAMAGED {
        tab.go(state);
        tab.ready();
        tab.wait("document.querySelector('#page [role=alert]')");
        let notice = tab.run("document.querySelector('#page [role=alert]').innerText");
        assert!(notice.as_str().is_some_and(|n| !n.trim().is_empty()), "{state}: nothing is said");
        let text = tab.text().replace(notice.as_str().unwrap_or_default(), "");
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>(),
            clean.split_whitespace().collect::<Vec<_>>(),
            "{state}"
        );
    }
}

#[test]
fn a_fragment_stays_a_place_in_the_document() {
    let tab = Tab::of("#lesson-1");
    assert!(tab.url().ends_with("#lesson-1"), "{}", tab.url());
    assert_eq!(tab.run("document.getElementById('lesson-1') !== null"), true);
    assert_eq!(tab.run("document.querySelectorAll('#page [role=alert]').length"), 0);
}
