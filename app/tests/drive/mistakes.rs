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
