//! Makes the pictures of the README: the program is driven as its tests drive it, and drawn.
//!
//! `cargo run --release --workspace --example pictures` writes `app/pictures/*.png`.

#[cfg(not(target_arch = "wasm32"))]
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/drive/hand.rs"]
mod hand;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    pictures::make();
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod pictures {
    use std::path::Path;

    use eframe::egui::vec2;
    use slimgpt_app::saved::{Look, Saved};

    use super::hand::Hand;

    pub fn make() {
        let data = tempfile::tempdir().expect("a folder for the model");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures");
        std::fs::create_dir_all(&folder).expect("app/pictures");
        let mut hand = Hand::sized(data.path(), Saved::default(), vec2(1280.0, 800.0));
        hand.plan_shipped(30.0);
        hand.save(&folder.join("plan.png"));
        hand.press("Prune");
        hand.see("Inspect the result");
        hand.save(&folder.join("run.png"));
        drop(hand);

        let dark = Saved { look: Look::Dark, ..Saved::default() };
        let mut hand = Hand::sized(data.path(), dark, vec2(1280.0, 800.0));
        hand.press("Step by step");
        hand.press("Next →");
        hand.save(&folder.join("steps.png"));
        println!("{}", folder.display());
    }
}
