//! Why is one Cholesky factor enough for all removals?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-4 .outcome.done')";

#[test]
fn typing_the_smallest_n_is_checked() {
    let tab = Tab::of("#lesson-4");
    assert_eq!(tab.run(DONE), false);
    let field = tab.by("spinbutton", "Columns n");
    field.write("2000");
    tab.says("Find a smaller n.");
    field.write("1335");
    tab.says("It takes more columns.");
    field.write("1336");
    assert_eq!(tab.run(DONE), true);
    tab.says("1,336 columns are the first with a thousand times");
}

#[test]
fn scrubbing_leaves_a_corner_that_is_the_inverse() {
    let tab = Tab::of("#lesson-4");
    tab.by("slider", "Columns that are gone").set("5");
    tab.says("5 of 8 columns are gone.");
    tab.says("Column 6 leaves next.");
    assert!(tab.run("location.search") == "" || tab.url().contains("4.gone=5"), "{}", tab.url());
}
