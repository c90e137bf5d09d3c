//! Makes the pictures of the README: the program is driven as its tests drive it, and drawn.
//!
//! `cargo run --release -p slimgpt-app --example window_pictures` writes `app/pictures/*.png`.

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

    use slimgpt_app::saved::{Look, Saved};

    use super::hand::Hand;

    pub fn make() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures");
        std::fs::create_dir_all(&folder).expect("app/pictures");
        // A short path, the same every time, stands in the pictures.
        let away = tempfile::tempdir().expect("a folder for the model");
        std::env::set_current_dir(away.path()).expect("a folder to work in");
        let data = Path::new("models");

        let mut hand = opened(data, Look::Light, [1280.0, 780.0]);
        hand.plan_shipped(30.0);
        let settings = hand.window.state_mut().settings_mut();
        (settings.request.windows, settings.request.window_tokens) = (64, 256);
        hand.see("First of 64 windows, 16,384 tokens");
        hand.save(&folder.join("plan.png"));
        hand.press("Prune");
        hand.see("Inspect the result");
        hand.save(&folder.join("run.png"));
        recovered(&mut hand, data);
        hand.save(&folder.join("recover.png"));
        drop(hand);

        let mut hand = opened(data, Look::Dark, [1280.0, 780.0]);
        hand.press("Step by step");
        hand.press("Next →");
        hand.save(&folder.join("steps.png"));
        println!("{}", folder.display());
    }

    /// What was pruned learns from questions and answers.
    fn recovered(hand: &mut Hand, data: &Path) {
        let toys = ["ball", "kite", "book", "doll", "boat", "hat", "drum", "box", "cup", "bear"];
        let row = |i: usize| {
            let (toy, name) = (toys[i % toys.len()], ["Mia", "Tom", "Lily", "Ben"][i / toys.len() % 4]);
            format!(
                r#"{{"instruction": "{name} had a {toy}. Who had the {toy}?", "input": "", "output": "{name} had the {toy}."}}"#
            )
        };
        let file = data.join("questions.jsonl");
        std::fs::write(&file, (0..200).map(row).collect::<Vec<_>>().join("\n")).expect("a file of rows");
        hand.press("Recover it");
        let screen = hand.window.state_mut().recover_mut();
        screen.files.push(file);
        screen.set_steps(40);
        (screen.settings.batch, screen.settings.eval_every, screen.settings.rate) = (8, 5, 1e-3);
        screen.settings.window = 160;
        hand.see("180 sequences to learn from");
        hand.press("Start learning");
        hand.see("Read what both write");
    }

    fn opened(data: &Path, look: Look, size: [f32; 2]) -> Hand {
        Hand::sized(data, Saved { look, ..Saved::default() }, size.into())
    }
}
