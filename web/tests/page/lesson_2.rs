//! What is lost when one column goes?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-2 .outcome.done')";

/// Presses a button of this lesson; others have some of the same name.
fn press(tab: &Tab, name: &str) {
    let button =
        format!("[...document.querySelectorAll('#lesson-2 button')].find(b => b.innerText.includes('{name}'))");
    assert_eq!(tab.run(&format!("{button}.disabled")), false, "{name}");
    tab.run(&format!("{button}.click()"));
}

#[test]
fn inputs_that_are_alike_make_the_smallest_column_the_wrong_one() {
    let tab = Tab::of("#lesson-2");
    assert_eq!(tab.run(DONE), false);
    let slider = "document.querySelector('#lesson-2 input[type=range]')";
    tab.run(&format!("{slider}.value = 0.9; {slider}.dispatchEvent(new Event('input', {{ bubbles: true }}))"));
    tab.wait(DONE);
    tab.says("is the smallest, but removing column");
    tab.wait("location.search.includes('2.rho=0.90')");
    press(&tab, "Undo");
    tab.wait(&format!("!({DONE})"));
}

#[test]
fn stepping_forward_cuts_the_column_and_then_compensates() {
    let tab = Tab::of("#lesson-2");
    let gone = "document.querySelectorAll('#lesson-2 [data-symbol=w] td.gone').length";
    assert_eq!(tab.run(gone), 0);
    press(&tab, "Forward");
    press(&tab, "Forward");
    assert_eq!(tab.run(gone), 8);
    tab.says("is set to zero and nothing else has moved");
    press(&tab, "Forward");
    tab.says("The survivors make up for it");
    assert_eq!(
        tab.run(
            "[...document.querySelectorAll('#lesson-2 button')].find(b => b.innerText.includes('Forward')).disabled"
        ),
        true
    );
    press(&tab, "Back");
    tab.says("is set to zero and nothing else has moved");
}

#[test]
fn a_cell_is_chosen_by_keys_and_changed() {
    let tab = Tab::of("#lesson-2");
    tab.run("document.querySelector('#lesson-2 [data-symbol=w] table').focus()");
    for key in ["ArrowDown", "ArrowDown", "ArrowRight"] {
        tab.press(key);
    }
    tab.says("W, row 2, column 2: ");
    let field = "document.querySelector('#lesson-2 [data-symbol=w] input')";
    tab.run(&format!("{field}.value = 4.5678; {field}.dispatchEvent(new Event('change', {{ bubbles: true }}))"));
    // What is computed with is what the field and the address say.
    tab.says("W, row 2, column 2: 4.570");
    tab.wait("location.search.includes('2.cells=0_1_1_4.57')");
    tab.run(&format!("{field}.value = 4.5712; {field}.dispatchEvent(new Event('change', {{ bubbles: true }}))"));
    assert_eq!(tab.run(&format!("{field}.value")), "4.57");
}

#[test]
fn a_touched_matrix_lights_its_symbol() {
    let tab = Tab::of("#lesson-2");
    tab.run("document.querySelector('#lesson-2 [data-symbol=hinv] td').dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))");
    tab.wait("document.querySelector('.document').dataset.lit === 'hinv'");
    let paint = |of: &str| {
        tab.run(&format!(
            "getComputedStyle(document.querySelector('#lesson-2 .body [data-symbol={of}]')).backgroundColor"
        ))
    };
    assert_ne!(paint("hinv"), paint("w"));
}
