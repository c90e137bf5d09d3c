//! What is cut?

use crate::tab::Tab;

/// Whether the lesson's task is done.
const DONE: &str = "!!document.querySelector('#lesson-1 .outcome.done')";

#[test]
fn the_question_is_asked() {
    let tab = Tab::of("#lesson-1");
    let question = tab.by("heading", "What is cut?");
    assert_eq!(question.text(), "What is cut?");
}

#[test]
fn heads_and_channels_make_a_fifth_of_the_layer() {
    let tab = Tab::of("#lesson-1");
    assert_eq!(tab.run(DONE), false);
    tab.by("checkbox", "3–4").click();
    tab.by("checkbox", "7–8").click();
    // Two of the four heads of k and v are 13.3 %, and 32 channels are as much as one.
    tab.by("slider", "Channels that leave").set("32");
    tab.wait(DONE);
    tab.says("20.0 % of the layer has left");
}

#[test]
fn a_touched_head_lights_up_in_four_matrices_and_is_ticked() {
    let tab = Tab::of("#lesson-1");
    tab.run("document.querySelector('#lesson-1 [data-touch=\"head 1\"]').dispatchEvent(new MouseEvent('click', { bubbles: true }))");
    tab.wait("document.querySelectorAll('#lesson-1 .gone').length === 4");
    assert!(tab.by("checkbox", "3–4").is_on());
}

#[test]
fn llama_has_the_small_model_beside_it() {
    let tab = Tab::of("#lesson-1");
    tab.by("radio", "LLaMA-7B").click();
    tab.says("202,383,360 parameters");
    tab.says("to the same scale");
}
