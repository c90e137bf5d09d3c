//! What is cut?

use crate::tab::Tab;

#[test]
fn the_question_is_asked() {
    let tab = Tab::of("#lesson-1");
    let question = tab.by("heading", "What is cut?");
    assert_eq!(question.text(), "What is cut?");
}
