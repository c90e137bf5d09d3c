//! Can you choose better than the algorithm?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-3 .outcome.done')";

#[test]
fn some_choice_beats_greedy_and_is_remembered() {
    let tab = Tab::of("?v=1&3.reveal=1#lesson-3");
    assert_eq!(tab.run(DONE), false);
    // The bar of the best names its columns, and the boxes are ticked as a reader would.
    tab.run(
        "{ const label = [...document.querySelectorAll('#lesson-3 .bars .label')].map(l => l.innerText).find(l => l.startsWith('Best of all')); \
         for (const column of label.split(': ')[1].split(', ')) \
         [...document.querySelectorAll('#lesson-3 label')].find(l => l.innerText.trim() === column && l.querySelector('[type=checkbox]')).click() }",
    );
    tab.wait(DONE);
    tab.says("You beat greedy by");
    tab.wait("location.search.includes('3.best=')");
    // A worse choice afterwards takes nothing away.
    tab.run("[...document.querySelectorAll('#lesson-3 [type=checkbox]:checked')][0].click()");
    tab.says("Choose 1 more.");
    assert_eq!(tab.run(DONE), true);
}

#[test]
fn no_more_columns_can_be_ticked_than_leave() {
    let tab = Tab::of("?v=1&3.cut=2&3.picks=0,1#lesson-3");
    tab.wait("document.querySelectorAll('#lesson-3 [type=checkbox]:disabled').length === 6");
}
