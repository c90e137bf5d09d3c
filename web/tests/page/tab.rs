//! A tab with the page in it, and what a reader and the reader's system can do to it.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slimgpt_web::site::Server;

use crate::browser::{Browser, Gpu};
use crate::devtools::Line;
use crate::element::Element;
use crate::{keys, site};

/// Longest wait for what should happen at once; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for a document and its files before they are asked for again.
const LOADING: Duration = Duration::from_secs(60);
/// Longest wait for a whole pruning with its measurements and texts, on a browser's one thread or its software GPU.
const COMPUTING: Duration = Duration::from_secs(900);

/// A tab. Whatever its browser complained of fails the test when it is dropped.
pub struct Tab {
    pub line: Line,
    server: RefCell<Option<Server>>,
    address: String,
    complaints: RefCell<Vec<String>>,
    /// By number and address.
    requests: RefCell<Vec<(Value, String)>>,
    forgiving: Cell<bool>,
    browser: Arc<Browser>,
}

impl Tab {
    /// The page with this `state` (`?…#…`, or nothing), interactive, without WebGPU.
    pub fn of(state: &str) -> Self {
        Self::with(Gpu::Off, state)
    }

    /// [`Self::of`], with or without WebGPU.
    pub fn with(gpu: Gpu, state: &str) -> Self {
        let tab = Self::empty(gpu);
        tab.go(state);
        tab.ready();
        tab
    }

    /// A tab before it opens the page.
    pub fn empty(gpu: Gpu) -> Self {
        Self::served(site::serve(), Browser::shared(gpu))
    }

    /// A tab of this browser, for the page that this server has.
    pub fn served(server: Server, browser: Arc<Browser>) -> Self {
        let line = browser.tab();
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility", "Network"] {
            line.call(&format!("{domain}.enable"), json!({}));
        }
        // Workers complain on lines of their own.
        let attach = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        line.call("Target.setAutoAttach", attach);
        line.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        let tab = Self {
            line,
            address: server.address(),
            server: RefCell::new(Some(server)),
            complaints: RefCell::default(),
            requests: RefCell::default(),
            forgiving: Cell::new(false),
            browser,
        };
        tab.viewport(1280, 900);
        // Nothing is clicked while it still moves.
        tab.media(&[("prefers-reduced-motion", "reduce"), ("prefers-color-scheme", "light")]);
        tab
    }

    // --- Where it is -----------------------------------------------------------------------------

    /// Opens the page with this `state`, and waits until its document is there.
    pub fn go(&self, state: &str) {
        let opened = self.line.call("Page.navigate", json!({ "url": format!("{}{state}", self.address) }));
        assert!(opened["errorText"].is_null(), "{opened}");
        // Between two states of one document nothing is loaded.
        if opened["loaderId"].is_string() {
            let complete = "document.readyState === 'complete'";
            let holds = || self.try_run(complete) == Ok(true.into());
            // A browser that loads for many tests at once now and then waits for ever for one of the files.
            if !self.holds_within(LOADING, &holds) {
                self.line.call("Page.reload", json!({}));
            }
            self.wait(complete);
        }
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.run("document.documentElement.dataset.state = 'old'");
        self.line.call("Page.reload", json!({}));
        self.wait("document.readyState === 'complete' && document.documentElement.dataset.state !== 'old'");
    }

    /// [`Self::wait`], for what is computed on a whole model.
    pub fn wait_long(&self, expression: &str) {
        self.within(COMPUTING, expression, || self.run(&format!("!!({expression})")) == true);
    }

    /// Waits until the page can be used.
    pub fn ready(&self) {
        self.wait("document.documentElement.dataset.state");
        assert_eq!(self.state(), "ready", "{}\n{:?}", self.text(), self.complaints.borrow());
    }

    /// What the loader says of itself: "ready", "failed", or nothing yet.
    pub fn state(&self) -> String {
        self.run("document.documentElement.dataset.state ?? ''").as_str().unwrap_or_default().to_owned()
    }

    /// The page's address as the reader sees it.
    pub fn url(&self) -> String {
        self.run("location.href").as_str().unwrap_or_default().to_owned()
    }

    /// Where the page begins.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The web server ends, as when the reader's network does.
    pub fn unplug(&self) {
        self.server.take();
    }

    /// The process that drives the GPU ends, and with it every device of this browser.
    pub fn lose_gpu(&self) {
        self.browser.crash_gpu();
    }

    // --- What is on it ---------------------------------------------------------------------------

    /// The one element with this role and name, as a screen reader finds it; waits for it.
    /// Roles are ARIA's ("button", "slider", "heading", "link", "checkbox", "status"…).
    pub fn by(&self, role: &str, name: &str) -> Element<'_> {
        self.until(&format!("one {role} called {name:?}"), || self.find(role, Some(name)).len() == 1);
        let [node] = self.find(role, Some(name))[..] else { panic!("the {role} called {name:?} went again") };
        Element { tab: self, node }
    }

    /// Every element with this role, in the order of the document.
    pub fn all(&self, role: &str) -> Vec<Element<'_>> {
        self.find(role, None).into_iter().map(|node| Element { tab: self, node }).collect()
    }

    fn find(&self, role: &str, name: Option<&str>) -> Vec<u64> {
        let document = self.line.call("DOM.getDocument", json!({ "depth": 0 }));
        let mut query = json!({ "backendNodeId": document["root"]["backendNodeId"], "role": role });
        if let Some(name) = name {
            query["accessibleName"] = name.into();
        }
        let found = self.line.try_call("Accessibility.queryAXTree", query).unwrap_or_default();
        let nodes = found["nodes"].as_array().cloned().unwrap_or_default();
        let seen = nodes.iter().filter(|node| node["ignored"] != true);
        seen.filter_map(|node| node["backendDOMNodeId"].as_u64()).collect()
    }

    /// All text that is shown; its spaces may all break.
    pub fn text(&self) -> String {
        self.run("document.body.innerText").as_str().unwrap_or_default().replace('\u{a0}', " ")
    }

    /// What a screen reader is told: a line for each role and name.
    pub fn outline(&self) -> String {
        let tree = self.line.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let told = nodes.iter().filter(|node| node["ignored"] != true);
        let line =
            |node: &Value| Some(format!("{} {:?}", node["role"]["value"].as_str()?, node["name"]["value"].as_str()?));
        told.filter_map(line).filter(|line| !line.starts_with("InlineTextBox")).collect::<Vec<_>>().join("\n")
    }

    /// The value of a JavaScript expression; a promise is awaited.
    pub fn run(&self, expression: &str) -> Value {
        self.try_run(expression).unwrap_or_else(|error| panic!("{expression}: {error:#}"))
    }

    fn try_run(&self, expression: &str) -> Result<Value, Value> {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let done = self.line.try_call("Runtime.evaluate", params);
        self.listen();
        let mut done = done?;
        match done["exceptionDetails"].take() {
            Value::Null => Ok(done["result"]["value"].take()),
            thrown => Err(thrown),
        }
    }

    /// Waits until a JavaScript expression is true, or a promise of it.
    pub fn wait(&self, expression: &str) {
        // Between two documents there is none to ask.
        let holds = || self.try_run(&format!("(async () => !!await ({expression}))()")) == Ok(true.into());
        self.until(expression, holds);
    }

    /// Waits until something holds.
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        self.within(PATIENCE, what, holds);
    }

    fn holds_within(&self, patience: Duration, holds: &impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        while !holds() {
            if begun.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn within(&self, patience: Duration, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < patience, "never: {what}\n{}\n{:?}", self.outline(), self.complaints.borrow());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the page says this somewhere.
    pub fn says(&self, words: &str) {
        self.wait(&format!("document.body.innerText.replaceAll('\u{a0}', ' ').includes({})", json!(words)));
    }

    // --- What is done to it ----------------------------------------------------------------------

    /// Presses a key ("ArrowRight", "Tab", " ", "a") where the focus is.
    pub fn press(&self, key: &str) {
        for event in keys::events(key) {
            self.line.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text where the focus is.
    pub fn write(&self, text: &str) {
        self.line.call("Input.insertText", json!({ "text": text }));
    }

    /// Gives the page so many CSS pixels.
    pub fn viewport(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.line.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the reader's system prefers, as names and values of media features; all at once.
    pub fn media(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.line.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Requests whose address matches (`*` is anything) are not answered from now on.
    pub fn block(&self, addresses: &str) {
        self.line.call("Network.setBlockedURLs", json!({ "urls": [addresses] }));
        self.forgive();
    }

    /// A PNG of what a CSS selector finds, as large as it is.
    pub fn picture(&self, selector: &str, file: &Path) {
        let place = self.run(&format!(
            "(({{ x, y, width, height }}) => ({{ x: x + scrollX, y: y + scrollY, width, height, scale: 1 }}))\
             (document.querySelector({}).getBoundingClientRect())",
            json!(selector)
        ));
        let wanted = json!({ "captureBeyondViewport": true, "clip": place });
        let shot = self.line.call("Page.captureScreenshot", wanted);
        std::fs::write(file, from_base64(shot["data"].as_str().expect("a picture"))).expect("a place for pictures");
    }

    /// The page as it is printed: a PDF.
    pub fn print(&self) -> Vec<u8> {
        from_base64(self.line.call("Page.printToPDF", json!({}))["data"].as_str().expect("a PDF"))
    }

    // --- What the browser said -------------------------------------------------------------------

    /// The browser will complain, and this test expects it to.
    pub fn forgive(&self) {
        self.forgiving.set(true);
    }

    /// What the browser has complained of so far.
    pub fn complaints(&self) -> Vec<String> {
        self.run("0");
        self.complaints.borrow().clone()
    }

    /// Every address that was asked for, and not refused by the page's own policy.
    pub fn requests(&self) -> Vec<String> {
        self.run("0");
        self.requests.borrow().iter().map(|(_, url)| url.clone()).collect()
    }

    fn listen(&self) {
        for event in self.line.events() {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => self.complain(&params["exceptionDetails"]),
                "Runtime.consoleAPICalled" if params["type"] == "error" => self.complain(&params["args"]),
                "Log.entryAdded" if params["entry"]["level"] == "error" => self.complain(&params["entry"]),
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    self.requests.borrow_mut().push((params["requestId"].clone(), url.to_owned()));
                }
                // Told as a request all the same, though nothing left the browser.
                "Network.loadingFailed" if params["blockedReason"] == "csp" => {
                    self.requests.borrow_mut().retain(|(id, _)| *id != params["requestId"]);
                }
                "Target.attachedToTarget" => {
                    for method in ["Runtime.enable", "Log.enable", "Network.enable"] {
                        self.line.send(params["sessionId"].as_str(), method, json!({}));
                    }
                }
                _ => {}
            }
        }
    }

    fn complain(&self, what: &Value) {
        self.complaints.borrow_mut().push(what.to_string());
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // One failure is enough to read.
        if std::thread::panicking() {
            return;
        }
        let elsewhere = |url: &&String| !url.starts_with(&self.address) && !url.starts_with("data:");
        let (complaints, requests) = (self.complaints(), self.requests());
        let _ = self.line.try_call("Page.close", json!({}));
        assert!(self.forgiving.get() || complaints.is_empty(), "the browser complained:\n{}", complaints.join("\n"));
        assert_eq!(requests.iter().find(elsewhere), None, "a request to somebody else");
    }
}

/// Bytes of what the protocol sends as text.
fn from_base64(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |c: u8| digits.bytes().position(|d| d == c).map(|v| v as u32);
    let bits: Vec<u32> = text.bytes().filter_map(value).collect();
    let bytes = bits.chunks(4).flat_map(|four| {
        let word = four.iter().enumerate().fold(0, |word, (i, v)| word | v << (18 - 6 * i));
        word.to_be_bytes()[1..four.len().max(1)].to_vec()
    });
    bytes.collect()
}

#[test]
fn base64_is_read() {
    assert_eq!(from_base64("UGljdHVyZQ=="), b"Picture");
    assert_eq!(from_base64("AAH/"), [0, 1, 255]);
}
