//! Files from and for the browser. What is called of it is declared here: further features of
//! web-sys would compile everything that drives a GPU a second time.

use std::fmt::Display;

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::jobs::{FILES, Failure, Named, Tell};
use crate::protocol::{File, Progress};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn fetch(address: &str) -> Promise;

    type Response;
    #[wasm_bindgen(method, getter)]
    fn ok(this: &Response) -> bool;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, getter)]
    fn body(this: &Response) -> Option<Stream>;

    type Stream;
    #[wasm_bindgen(method, js_name = getReader)]
    fn reader(this: &Stream) -> Reader;

    type Reader;
    #[wasm_bindgen(method)]
    fn read(this: &Reader) -> Promise;

    type Chunk;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Chunk) -> Option<Uint8Array>;

    type Blob;
    #[wasm_bindgen(constructor)]
    fn new(parts: &Array) -> Blob;
    #[wasm_bindgen(js_namespace = URL, js_name = createObjectURL)]
    fn object_url(blob: &Blob) -> String;
}

/// The model's files, from `model/` beside the worker's script.
pub async fn fetched(tell: Tell<'_>) -> Result<Vec<Named>, Failure> {
    let total = FILES.iter().map(|&(_, size)| size as u64).sum();
    let (mut files, mut done) = (Vec::new(), 0);
    tell(Progress::Loading { done, total });
    for (name, _) in FILES {
        let address = format!("model/{name}");
        let mut count = |bytes: usize| {
            done += bytes as u64;
            tell(Progress::Loading { done, total });
        };
        let bytes = bytes(&address, &mut count).await.map_err(|reason| missing(&address, reason))?;
        files.push((name.to_owned(), bytes));
    }
    Ok(files)
}

fn missing(address: &str, reason: impl Display) -> Failure {
    Failure::refused(format!("{address} did not arrive: {reason}"))
}

async fn bytes(address: &str, count: &mut dyn FnMut(usize)) -> Result<Vec<u8>, String> {
    let response: Response = settled(fetch(address)).await?.unchecked_into();
    if !response.ok() {
        return Err(format!("the server answers with {}", response.status()));
    }
    let reader = response.body().ok_or("the answer is empty")?.reader();
    let mut bytes = Vec::new();
    loop {
        let chunk: Chunk = settled(reader.read()).await?.unchecked_into();
        // Only the end has no value.
        let Some(value) = chunk.value() else { return Ok(bytes) };
        bytes.extend(value.to_vec());
        count(value.length() as usize);
    }
}

/// What a promise comes to, or its refusal in words.
async fn settled(promise: Promise) -> Result<JsValue, String> {
    let words = |error: JsValue| error.dyn_into::<js_sys::Error>().map_or("no reason".into(), |e| e.message().into());
    JsFuture::from(promise).await.map_err(words)
}

/// A file that the page can let its reader save.
pub fn offered((name, bytes): &Named) -> File {
    let blob = Blob::new(&Array::of1(&Uint8Array::from(bytes.as_slice())));
    File { name: name.clone(), bytes: bytes.len(), url: object_url(&blob) }
}
