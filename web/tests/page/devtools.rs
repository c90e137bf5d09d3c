//! A line to the browser in its own language, the DevTools protocol: a call waits for its answer, and
//! what the browser tells meanwhile is kept.

use std::cell::{Cell, RefCell};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Longest wait for one answer: a busy machine compiles a module of megabytes meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// An open line to one target of the browser.
pub struct Line {
    socket: RefCell<WebSocket<TcpStream>>,
    calls: Cell<u64>,
    events: RefCell<Vec<Value>>,
}

impl Line {
    /// Opens the line to `path` of the browser that listens at `port`.
    pub fn open(port: u16, path: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the browser listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream).expect("DevTools");
        Self { socket: RefCell::new(socket), calls: Cell::new(0), events: RefCell::new(vec![]) }
    }

    /// Calls a method and waits for its result.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// [`Self::call`] of what the browser may refuse, as for a node that is gone.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(None, method, params);
        loop {
            let mut message = self.read().unwrap_or_else(|e| panic!("{method}: no answer within {PATIENCE:?}: {e}"));
            if message["id"] == id {
                return match message["error"].take() {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(error),
                };
            }
            self.keep(message);
        }
    }

    /// Sends without waiting, to a worker of the target if a `session` is given.
    pub fn send(&self, session: Option<&str>, method: &str, params: Value) -> u64 {
        self.calls.set(self.calls.get() + 1);
        let mut call = json!({ "id": self.calls.get(), "method": method, "params": params });
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.socket.borrow_mut().send(Message::text(call.to_string())).expect("the browser runs");
        self.calls.get()
    }

    /// What the browser has told since the last time.
    pub fn events(&self) -> Vec<Value> {
        self.events.take()
    }

    fn keep(&self, message: Value) {
        // Answers to what was sent without waiting have no method.
        if message["method"].is_string() {
            self.events.borrow_mut().push(message);
        }
    }

    fn read(&self) -> Result<Value, tungstenite::Error> {
        loop {
            if let Message::Text(text) = self.socket.borrow_mut().read()? {
                return Ok(serde_json::from_str(&text).expect("the browser speaks JSON"));
            }
        }
    }
}
