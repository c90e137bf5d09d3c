//! A worker of the browser.

use leptos::prelude::document;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Url, Worker, WorkerOptions, WorkerType};

use super::Remote;

/// A running worker; dropped, it ends at once.
pub struct Channel {
    worker: Worker,
    // Kept as long as the worker may call them.
    _hear: Closure<dyn FnMut(MessageEvent)>,
    _fail: Closure<dyn FnMut(JsValue)>,
}

impl Channel {
    /// Starts a worker whose words go to `remote`.
    pub fn open(remote: Remote) -> Result<Self, String> {
        let base = document().base_uri().ok().flatten().unwrap_or_default();
        // Beside the document, under whatever path that is served.
        let script = Url::new_with_base("worker.js", &base).map_err(|e| words(&e))?;
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&script.href(), &options).map_err(|e| words(&e))?;
        let hear = Closure::new(move |event: MessageEvent| {
            if let Some(text) = event.data().as_string() {
                remote.hear(&text);
            }
        });
        // A script that does not arrive has an event without words.
        let fail = Closure::new(move |event: JsValue| remote.fail(words(&event)));
        worker.set_onmessage(Some(hear.as_ref().unchecked_ref()));
        worker.set_onerror(Some(fail.as_ref().unchecked_ref()));
        Ok(Self { worker, _hear: hear, _fail: fail })
    }

    /// Says something to the worker, now or once it has loaded.
    pub fn send(&self, text: &str) -> Result<(), String> {
        self.worker.post_message(&JsValue::from_str(text)).map_err(|e| words(&e))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

/// What an exception or an event of failure says.
fn words(value: &JsValue) -> String {
    let message = js_sys::Reflect::get(value, &JsValue::from_str("message")).ok().and_then(|m| m.as_string());
    message.filter(|m| !m.is_empty()).unwrap_or_else(|| "the worker's files did not arrive".into())
}
