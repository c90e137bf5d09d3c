//! What does a whole head cost?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-5 .outcome.done')";

#[test]
fn some_numbers_make_the_diagonal_score_choose_another_head() {
    let tab = Tab::of("#lesson-5");
    assert_eq!(tab.run(DONE), false);
    for _ in 0..20 {
        // Other lessons have a button of this name too.
        tab.run("[...document.querySelectorAll('#lesson-5 button')].find(b => b.innerText.trim() === 'Other numbers').click()");
        if tab.run(DONE) == true {
            break;
        }
    }
    assert_eq!(tab.run(DONE), true);
    tab.says("The diagonal score removes head");
    assert!(tab.url().contains("5.seed=") || tab.run("location.search") == "", "{}", tab.url());
}

#[test]
fn a_link_shows_the_phase_that_was_seen() {
    let tab = Tab::of("?v=1&5.step=5&5.score=2#lesson-5");
    tab.says("Compensate: one product with");
    let now = tab.run("document.querySelector('#lesson-5 [aria-current]').innerText");
    assert_eq!(now, "Compensate");
    assert!(tab.by("radio", "Exact").is_on());
}
