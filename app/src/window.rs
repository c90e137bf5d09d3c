//! The window of the desktop, and what is said where none can be opened.

use std::path::PathBuf;
use std::process::ExitCode;

use eframe::egui::ViewportBuilder;
use slimgpt_app::places::Places;
use slimgpt_app::{APP_ID, App, Options};

/// Opens the window; 1 where there is none to open.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let open = arguments.next().map(PathBuf::from);
    let places = Places { data: slimgpt_app::app::data_dir(), ..Places::default() };
    let options = Options { places, open, ..Options::default() };
    let shown = eframe::run_native(APP_ID, native(), Box::new(|cc| Ok(Box::new(App::new(cc, options)))));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "slimgpt-app: no window could be opened: {error}\nIt needs a graphical session and a Vulkan, Metal, DX12 or OpenGL driver; without them use the command line: slimgpt --help"
            );
            ExitCode::FAILURE
        }
    }
}

fn native() -> eframe::NativeOptions {
    let size = std::env::var("SLIMGPT_WINDOW").ok().and_then(|s| parsed(&s)).unwrap_or([1280.0, 800.0]);
    let viewport = ViewportBuilder::default()
        .with_title("slimgpt")
        .with_app_id(APP_ID)
        .with_inner_size(size)
        .with_min_inner_size([760.0, 520.0]);
    let mut native = eframe::NativeOptions { viewport, ..Default::default() };
    slimgpt_app::app::computing(&mut native.wgpu_options.wgpu_setup);
    native
}

/// Width and height in points, from "1920x1080": for pictures of one size.
fn parsed(size: &str) -> Option<[f32; 2]> {
    let (width, height) = size.split_once('x')?;
    Some([width.parse().ok()?, height.parse().ok()?])
}
