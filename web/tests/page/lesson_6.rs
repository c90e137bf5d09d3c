//! How many at a time?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-6 .outcome.done')";

#[test]
fn dragging_the_group_finds_the_largest_that_is_allowed() {
    let tab = Tab::of("#lesson-6");
    assert_eq!(tab.run(DONE), false);
    let group = tab.by("slider", "Largest group b");
    for place in (0..=5).rev() {
        group.set(&place.to_string());
        if tab.run(DONE) == true {
            break;
        }
    }
    assert_eq!(tab.run(DONE), true);
    tab.says("are the largest within 1 %");
}

#[test]
fn the_groups_of_a_large_model_follow_the_ratio() {
    let tab = Tab::of("#lesson-6");
    tab.says("1024, 304, 22 × 64, 16");
    tab.by("slider", "Channels that leave LLaMA-7B").set("50");
    tab.says("1024, 992, 240, 50 × 64, 48");
}
