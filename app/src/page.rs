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
    let app = Box::new(|cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, _> {
        Ok(Box::new(App::new(cc, Options::default())))
    });
    let mut options = eframe::WebOptions::default();
    crate::app::computing(&mut options.wgpu_options.wgpu_setup);
    eframe::WebRunner::new().start(canvas, options, app).await
}
