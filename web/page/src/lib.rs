//! The lessons as the module that a browser loads first.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "what wasm_bindgen generates is not ours to document")]

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

/// Puts the lessons that can be used in the place of those that can be read: into the element
/// called `page`.
///
/// # Errors
/// When the document has no such element.
#[wasm_bindgen]
pub fn mount() -> Result<(), JsError> {
    // Without it a panic is nothing but "unreachable" in the console.
    console_error_panic_hook::set_once();
    let window = web_sys::window().ok_or_else(|| JsError::new("no window"))?;
    let root = window.document().and_then(|document| document.get_element_by_id("page"));
    let root = root.ok_or_else(|| JsError::new("no element called page"))?;
    slimgpt_web::page::mount(root.unchecked_into());
    Ok(())
}
