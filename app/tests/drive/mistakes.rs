//! What a person may do wrong, and what they read then.

use crate::hand::Hand;
use slimgpt_app::saved::Saved;

#[test]
fn a_folder_that_is_no_model_says_so_and_leaves_the_window() {
    let data = tempfile::tempdir().unwrap();
    let wrong = data.path().join("holiday-pictures");
    std::fs::create_dir(&wrong).unwrap();
    let mut hand = Hand::with(data.path(), Saved { recent: vec![wrong], ..Saved::default() });
    hand.press("holiday-pictures");
    hand.see("This folder cannot be used");
    hand.see("config.json");
    hand.press("Copy message");
    hand.press("Dismiss");
    assert!(!hand.shows("This folder cannot be used"));
    hand.press("Shipped model");
    hand.see("Plan the pruning");
}

#[test]
fn a_folder_that_went_away_says_so() {
    let data = tempfile::tempdir().unwrap();
    let gone = data.path().join("gone");
    let mut hand = Hand::with(data.path(), Saved { recent: vec![gone], ..Saved::default() });
    hand.press("gone");
    hand.see("This folder cannot be used");
}

#[test]
fn a_plan_that_leaves_too_little_is_refused_where_it_is_made() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    let settings = hand.window.state_mut().settings_mut();
    (settings.ratio, settings.request.allocation.first_ratio) = (0.9, Some(0.0));
    hand.see("This cannot be done");
    assert!(!hand.shows("Folder to make"));
    assert!(hand.labels("--").is_empty(), "flags of the command line mean nothing here: {:?}", hand.labels("--"));
}

#[test]
fn more_windows_than_the_text_has_is_said_at_the_text() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(20.0);
    let file = data.path().join("short.txt");
    std::fs::write(&file, "One day a cat sat.").unwrap();
    hand.window.state_mut().settings_mut().files = vec![file];
    hand.see("add a text, or take fewer Windows");
    hand.see("The calibration text is not ready yet");
}

/// Pixels in the red of what is wrong.
fn red(hand: &mut Hand) -> usize {
    hand.pixels().into_iter().filter(|pixel| pixel[0] > 140 && pixel[1] < 70 && pixel[2] < 70).count()
}

/// The shipped model as somebody's folder, which has no text of its own.
fn folder(at: &std::path::Path) -> std::path::PathBuf {
    let model = at.join("a-model");
    slimgpt::shipped::write(&model).unwrap();
    // Another model by one bit of its last weight.
    let weights = model.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let low_byte = bytes.len() - 2;
    bytes[low_byte] ^= 1;
    std::fs::write(weights, bytes).unwrap();
    model
}

#[test]
fn what_is_still_to_be_chosen_is_no_mistake() {
    let data = tempfile::tempdir().unwrap();
    let model = folder(data.path());
    let mut hand = Hand::with(data.path(), Saved { recent: vec![model], ..Saved::default() });
    hand.press("Plan");
    hand.see("Open a model first");
    hand.press("Start");
    hand.press("a-model");
    hand.press("Plan the pruning");
    hand.see("Choose at least one text");
    hand.see("A calibration text is still to be chosen");
    assert_eq!(red(&mut hand), 0, "nothing is wrong yet");
    // A text that cannot be used is.
    let file = data.path().join("short.txt");
    std::fs::write(&file, "One day a cat sat.").unwrap();
    hand.window.state_mut().settings_mut().files = vec![file];
    hand.see("add a text, or take fewer Windows");
    assert!(red(&mut hand) > 100);
    // Without it something is missing again, and nothing is pruned on windows that are not meant.
    hand.window.state_mut().settings_mut().files.clear();
    hand.see("A calibration text is still to be chosen");
    assert_eq!(red(&mut hand), 0);
}

#[test]
fn a_text_that_is_read_is_not_written_over() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(20.0);
    let texts = data.path().join("texts");
    std::fs::create_dir(&texts).unwrap();
    let file = texts.join("stories.txt");
    std::fs::write(&file, slimgpt::shipped::CALIBRATION).unwrap();
    let settings = hand.window.state_mut().settings_mut();
    (settings.files, settings.out, settings.overwrite) = (vec![file.clone()], Some(file.clone()), true);
    hand.press("Prune");
    hand.see("The run failed");
    hand.see("read by this very command");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), slimgpt::shipped::CALIBRATION);
}

#[test]
fn an_output_folder_that_holds_something_else_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let taken = data.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("thesis.txt"), "three years").unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(20.0);
    let settings = hand.window.state_mut().settings_mut();
    (settings.out, settings.overwrite) = (Some(taken.clone()), true);
    hand.press("Prune");
    hand.see("The run failed");
    assert_eq!(std::fs::read_to_string(taken.join("thesis.txt")).unwrap(), "three years");
}
