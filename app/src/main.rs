//! The desktop program: a window on a checkpoint folder. `slimgpt-app [FOLDER]`.

use slimgpt_app::App;

fn main() -> eframe::Result {
    let folder = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let viewport = eframe::egui::ViewportBuilder::default().with_title("slimgpt").with_inner_size([720.0, 640.0]);
    let options = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native("slimgpt", options, Box::new(|_| Ok(Box::new(App::new(folder)))))
}
