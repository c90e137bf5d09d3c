//! Step by step, by hand and by keyboard.

use eframe::egui::Key;

use crate::hand::Hand;

#[test]
fn the_toy_is_stepped_through_with_buttons_and_arrow_keys() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.press("Step by step");
    hand.see("Removal 1 of 4");
    hand.see("Every candidate has a score");
    hand.press("Next →");
    hand.see("goes, and the error grows by");
    hand.window.key_press(Key::ArrowRight);
    hand.see("Removal 2 of 4");
    hand.window.key_press(Key::ArrowLeft);
    hand.see("Removal 1 of 4");
    hand.press("To the beginning");
    hand.see("Every candidate has a score");
}

#[test]
fn a_layer_of_the_shipped_model_is_pruned_cell_by_cell() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.press("Shipped model");
    hand.see("Plan the pruning");
    hand.press("Step by step");
    hand.press("A layer of the open model");
    hand.see("Removal 1 of 6");
    hand.press("Heads (o_proj)");
    hand.until("heads", |hand| !hand.shows("Removal 1 of 6") && hand.shows("Removal 1 of"));
    assert!(hand.shows("Columns "), "a head is several columns");
}
