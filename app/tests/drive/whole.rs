//! From the first start to the comparison.

use slimgpt_app::settings::DeviceSetting;

use crate::hand::Hand;

#[test]
fn a_person_opens_plans_prunes_inspects_and_compares() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.see("Folders that you open appear here");
    hand.plan_shipped(30.0);
    hand.see("30.0 % of the decoder layers' parameters");

    hand.press("Prune");
    hand.see("Inspect the result");
    let layers = hand.labels("Layer 0: ");
    assert!(layers[0].contains(" → ") && layers[0].contains("done"), "{layers:?}");
    let out = data.path().join("shipped-model-slim-30");
    // Nobody has asked for the page.
    assert!(out.join("slimgpt-report.html").is_file());
    assert!(out.join("slimgpt-report.json").is_file() && !data.path().join("shipped-model-slim-30.partial").exists());

    hand.press("Inspect the result");
    hand.see("Error by layer");
    hand.see("Layer 0: scores in order");
    hand.press("Compare with the dense weights");
    hand.see("moved most");

    hand.press("Make the report page");
    hand.see("slimgpt-report.html");
    for (form, file) in [("GGUF for llama.cpp", "slim-30.gguf"), ("Folder for mlx-lm", "slim-30-mlx")] {
        hand.press(form);
        hand.see(&format!("shipped-model-{file}"));
        assert!(data.path().join(format!("shipped-model-{file}")).exists(), "{form}");
    }

    hand.press("Compare with the dense model");
    hand.press("Go on with it");
    hand.until("silence", |hand| !hand.shows("Be silent"));
    assert_eq!(hand.labels("tokens a second").len(), 2);
    hand.press("Measure perplexity");
    hand.until("both perplexities", |hand| hand.labels("perplexity over").len() == 2);
}

#[test]
fn the_map_changes_while_the_run_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    hand.press("Prune");
    hand.until("a layer that is done while another waits", |hand| {
        let layers = hand.labels("Layer ");
        let any = |word: &str| layers.iter().any(|l| l.ends_with(word) || l.contains(&format!(", {word},")));
        (any("done") && any("waiting")) || hand.shows("Inspect the result")
    });
    hand.see("Inspect the result");
    let progress = hand.window.state().run().progress.as_ref().unwrap();
    assert_eq!(progress.losses.len(), 2 * progress.rows.len());
    assert!(progress.rows.iter().flat_map(|r| &r.heads).any(|h| h.gone && h.score.is_some()));
    for loss in &progress.losses {
        assert!((loss.predicted - loss.measured).abs() <= 1e-3 * loss.measured.max(1.0), "{loss:?}");
    }
}

#[test]
fn what_is_chosen_is_planned_at_once_and_kept() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    let before = hand.window.state().plan().plan().unwrap().parameters_after;
    hand.window.state_mut().settings_mut().ratio = 0.5;
    hand.look();
    assert!(hand.window.state().plan().plan().unwrap().parameters_after < before);
    let saved = hand.window.state().saved();
    assert_eq!((saved.settings.ratio, saved.settings.request.windows), (0.5, 8));
}

#[test]
fn the_kernels_run_on_the_device_that_draws_the_window() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(20.0);
    let drawing = hand.window.state().shared_device().cloned().expect("the window draws on a device that can compute");
    hand.window.state_mut().settings_mut().place = DeviceSetting::Gpu(drawing.name().into());
    hand.see("A software adapter");
    hand.press("Prune");
    hand.see("Inspect the result");
    let report = std::fs::read(data.path().join("shipped-model-slim-20/slimgpt-report.json")).unwrap();
    let report: slimgpt::pipeline::Report = serde_json::from_slice(&report).unwrap();
    assert_eq!(report.device, drawing.name());
}
