//! A pruned model is recovered in the window: data with a preview, live curves, stop and go on, and what both write.

use slimgpt_app::screens::Screen;
use slimgpt_app::settings::DeviceSetting;

use crate::hand::Hand;

#[test]
fn a_person_recovers_what_was_pruned() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    hand.window.state_mut().settings_mut().place = DeviceSetting::Cpu;
    hand.press("Prune");
    hand.press("Recover it");
    hand.see("shipped-model-slim-30-recovered");
    hand.see("It needs a model and something to learn from.");

    let rows: Vec<String> = (0..60)
        .map(|i| format!(r#"{{"instruction": "Who has the ball {i}?", "input": "", "output": "Mia has the ball."}}"#))
        .collect();
    let file = data.path().join("rows.jsonl");
    std::fs::write(&file, rows.join("\n")).unwrap();
    hand.window.state_mut().recover_mut().files.push(file);
    {
        let screen = hand.window.state_mut().recover_mut();
        screen.set_steps(6);
        (screen.settings.batch, screen.settings.eval_every, screen.settings.rate) = (4, 2, 1e-3);
        screen.settings.window = 128;
    }
    hand.see("54 sequences to learn from");
    // Of the row only what is answered is learnt.
    let learnt = hand.labels("is learnt: ");
    assert!(
        !learnt.is_empty() && learnt.iter().all(|l| l.contains("Mia has the ball.") && !l.contains("Who")),
        "{learnt:?}"
    );
    assert_eq!(hand.window.state_mut().recover_mut().planned_steps(), Some(6));

    // While what was changed is read anew nothing begins with what was read before.
    hand.until("a way to begin", |hand| hand.pressable("Start learning"));
    hand.window.state_mut().recover_mut().settings.window = 160;
    hand.look();
    assert!(!hand.pressable("Start learning") && hand.shows("What it learns from is not ready yet."));

    hand.press("Start learning");
    assert!(hand.window.state().is_at_work(Screen::Recover));
    hand.until("a look at what is held out", |hand| !hand.labels("held-out loss: step 0").is_empty());
    hand.see("Read what both write");
    let curve = hand.labels("held-out loss: ");
    assert!(curve[0].contains("step 6"), "{curve:?}");
    let out = data.path().join("shipped-model-slim-30-recovered");
    assert!(out.join("slimgpt-recovery.json").is_file() && out.join("adapter/adapter_config.json").is_file());

    hand.press("Read what both write");
    hand.press("Go on with it");
    hand.until("silence", |hand| !hand.shows("Be silent"));
    assert_eq!(hand.labels("tokens a second").len(), 2);
}

#[test]
fn rows_that_cannot_be_learnt_from_are_told_on_the_screen() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    hand.press("Prune");
    hand.press("Recover it");
    let file = data.path().join("rows.jsonl");
    std::fs::write(&file, r#"{"instruction": "Who?"}"#).unwrap();
    hand.window.state_mut().recover_mut().files.push(file);
    hand.see("line 1");
    hand.see("output");
}
