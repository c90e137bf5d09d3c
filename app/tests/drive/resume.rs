//! Stopping, closing, and going on.

use crate::hand::Hand;
use slimgpt_app::screens::run::Phase;

/// Begins a run and stops it when the first layer is stored.
fn stopped(hand: &mut Hand) -> bool {
    hand.plan_shipped(20.0);
    // More text, so that there is something left to stop.
    hand.window.state_mut().settings_mut().request.windows = 96;
    hand.see("First of 96 windows");
    hand.press("Prune");
    hand.until("a finished layer", |hand| hand.labels("Layer 0: ").iter().any(|l| l.contains(", done")));
    if hand.shows("Inspect the result") {
        return false;
    }
    hand.press("Stop");
    hand.until("the end", |hand| !hand.window.state().run().is_going());
    matches!(hand.window.state().run().phase, Phase::Stopped(..))
}

#[test]
fn a_stopped_run_goes_on_where_it_stands_and_ends_like_one_that_was_not_stopped() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    assert!(stopped(&mut hand), "the run was over before it could be stopped");
    hand.press("Go on");
    hand.see("Inspect the result");
    let weights = |folder: &str| std::fs::read(data.path().join(folder).join("model.safetensors")).unwrap();
    let whole = weights("shipped-model-slim-20");

    hand.window.state_mut().settings_mut().out = Some(data.path().join("again"));
    hand.press("Plan");
    hand.press("Prune");
    hand.see("Inspect the result");
    assert!(whole == weights("again"));
}

#[test]
fn a_run_that_was_closed_is_offered_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    assert!(stopped(&mut hand), "the run was over before it could be stopped");
    let kept = hand.window.state().saved();
    drop(hand);

    let mut hand = Hand::with(data.path(), kept);
    hand.press("Start");
    hand.see("A run is waiting");
    hand.press("Go on");
    hand.see("Inspect the result");
    assert!(hand.window.state().run().progress.as_ref().is_some_and(|p| p.earlier > 0));
    hand.press("Start");
    assert!(!hand.shows("A run is waiting"));
}

#[test]
fn a_paused_run_waits() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(20.0);
    hand.press("Prune");
    // Before the first event: nothing is lost by being quick.
    hand.press("Pause");
    hand.see("Go on");
    hand.press("Go on");
    hand.see("Inspect the result");
}
