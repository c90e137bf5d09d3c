//! The module's door: messages in, events out, one job after the other.

mod files;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use crate::jobs::{Done, Failure, Model, Tell, Worker};
use crate::protocol::{Answer, Event, News, Progress, Request};

thread_local! {
    static WAITING: RefCell<VecDeque<Message>> = RefCell::default();
    static BUSY: Cell<bool> = const { Cell::new(false) };
    // Opened by the first job, so that a page whose reader never asks loads no model.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// A request as it came, and where its events go.
struct Message {
    text: String,
    post: Function,
}

/// Takes a request, as JSON; `post` is handed its events, as JSON too.
#[wasm_bindgen]
pub async fn handle(message: String, post: Function) {
    // Without it a panic is nothing but "unreachable".
    console_error_panic_hook::set_once();
    WAITING.with_borrow_mut(|waiting| waiting.push_back(Message { text: message, post }));
    // While a job awaits its GPU further messages come in; whoever is at work takes them afterwards.
    if BUSY.replace(true) {
        return;
    }
    while let Some(message) = WAITING.with_borrow_mut(VecDeque::pop_front) {
        message.answer().await;
    }
    BUSY.set(false);
}

impl Message {
    async fn answer(self) {
        let request: Request = match serde_json::from_str(&self.text) {
            Ok(request) => request,
            // Page and module are of two builds.
            Err(error) => return self.tell(0, News::Failed(error.to_string()), true),
        };
        let mut tell = |progress| self.tell(request.id, News::Progress(progress), false);
        match work(&request, &mut tell).await {
            Ok(answer) => self.tell(request.id, News::Done(answer), false),
            Err(Failure { words, broken }) => self.tell(request.id, News::Failed(words), broken),
        }
    }

    fn tell(&self, id: u32, news: News, broken: bool) {
        if let Ok(text) = serde_json::to_string(&Event { id, news, broken }) {
            // A page that is gone hears nothing.
            let _ = self.post.call1(&JsValue::NULL, &text.into());
        }
    }
}

async fn work(request: &Request, tell: Tell<'_>) -> Result<Answer, Failure> {
    let fits = |worker: &Worker| !(request.cpu && worker.device().gpu);
    let mut worker = match WORKER.take().filter(fits) {
        Some(worker) => worker,
        None => Worker::open(Model::open(files::fetched(tell).await?)?, request.cpu).await?,
    };
    tell(Progress::Opened(worker.device()));
    let done = worker.answer(request, tell).await;
    WORKER.set(Some(worker));
    match done? {
        Done::Answer(answer) => Ok(answer),
        Done::Files(files) => Ok(Answer::Files(files.iter().map(files::offered).collect())),
    }
}
