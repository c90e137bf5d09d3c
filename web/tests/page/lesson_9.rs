//! Where does it break?

use crate::tab::Tab;

#[test]
fn too_few_tokens_are_repaired_by_more_of_them() {
    let tab = Tab::of("#lesson-9");
    tab.by("slider", "Calibration tokens").set("12");
    tab.says("Repaired by “Calibration tokens”");
    tab.by("slider", "Columns to remove").set("3");
    tab.says("2 controls have moved");
}

#[test]
fn without_damping_the_library_says_why_it_refuses() {
    let tab = Tab::of("#lesson-9");
    tab.by("radio", "Damping 0").click();
    tab.says("not positive definite");
    tab.by("radio", "All different").click();
    tab.says("Repaired by “Inputs”");
}

#[test]
fn a_case_is_shown_in_another_lesson_by_a_link_that_is_understood() {
    let tab = Tab::of("?v=1&9.case=3&9.damping=-5.0&9.pairs=1#lesson-9");
    tab.by("link", "See it in lesson 2: inputs that all but repeat each other, without damping").click();
    tab.wait("location.hash === '#lesson-2'");
    tab.ready();
    assert_eq!(tab.run("document.querySelectorAll('#page [role=alert]').length"), 0);
}

#[test]
fn the_measured_table_is_there() {
    let tab = Tab::of("#lesson-9");
    assert_eq!(tab.run("document.querySelectorAll('#lesson-9 .measured td').length > 20"), true);
}
