//! Sizes are searched for in the window: stopped, gone on with, solved again for another target, pruned by.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use slimgpt::shape::LayerShape;
use slimgpt_app::screens::Screen;
use slimgpt_app::settings::DeviceSetting;

use crate::hand::Hand;

fn sizes(hand: &Hand) -> (f64, Vec<LayerShape>) {
    let plan = hand.window.state().plan().plan().expect("a plan");
    (plan.decoder_ratio(), plan.layers.iter().map(|layer| layer.after).collect())
}

#[test]
fn a_person_searches_for_sizes_and_prunes_by_them() {
    let data = tempfile::tempdir().unwrap();
    let mut hand = Hand::on(data.path());
    hand.plan_shipped(30.0);
    hand.window.state_mut().settings_mut().place = DeviceSetting::Cpu;
    let (_, by_the_curve) = sizes(&hand);
    hand.window.state_mut().search_for_sizes();
    hand.see("It takes about as long as a pruning");

    hand.press("Search");
    assert!(hand.window.state().is_at_work(Screen::Plan) && !hand.window.state().is_at_work(Screen::Run));
    hand.press("Stop searching");
    hand.see("It was stopped");
    assert_eq!(sizes(&hand).1, by_the_curve, "without a map nothing changes");
    hand.press("Go on searching");
    hand.until("the map of costs", |hand| !hand.labels("Layer 0, attention: ").is_empty());
    assert!(data.path().join("searches/Shipped-model.json").is_file());
    let (ratio, at_30) = sizes(&hand);
    assert!((ratio - 0.3).abs() < 0.02 && at_30 != by_the_curve, "{ratio} {at_30:?}");

    // Another target is solved of the same map, at once.
    hand.window.get_by_role_and_label(Role::Slider, "removed").set_value_accesskit(15.0);
    hand.look();
    hand.look();
    let (ratio, at_15) = sizes(&hand);
    assert!((ratio - 0.15).abs() < 0.02 && at_15 != at_30, "{ratio} {at_15:?}");

    hand.press("Prune");
    hand.see("Inspect the result");
    let out = data.path().join(format!("shipped-model-slim-{:.0}", 100.0 * ratio));
    let report = std::fs::read(out.join("slimgpt-report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let pruned: Vec<_> =
        report["layers"].as_array().unwrap().iter().map(|layer| &layer["after"]["intermediate_size"]).collect();
    assert_eq!(pruned, at_15.iter().map(|shape| shape.channels).collect::<Vec<_>>());
}
