//! The way into the program from a page.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::{App, Options};

/// Draws the program on the canvas with this id.
///
/// # Errors
/// When there is no such canvas, or the browser has no WebGPU.
#[wasm_bindgen]
pub async fn start(canvas: String) -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|w| w.document()).ok_or("there is no document")?;
    let canvas = document.get_element_by_id(&canvas).ok_or("there is no such canvas")?;
    let canvas = canvas.dyn_into::<web_sys::HtmlCanvasElement>()?;
    let mut options = eframe::WebOptions::default();
    // As in the window: the page prunes on the device that draws it.
    crate::app::computing(&mut options.wgpu_options.wgpu_setup);
    let app = |cc: &eframe::CreationContext<'_>| Ok(Box::new(App::new(cc, Options::default())) as Box<dyn eframe::App>);
    eframe::WebRunner::new().start(canvas, options, Box::new(app)).await
}
