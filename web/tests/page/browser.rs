//! One Chromium for all tests that run at the same time; each tab has storage and caches of its own.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::devtools::Line;

/// Chromium's software GPU; tests/browser says why each is needed.
const WEBGPU_IN_SOFTWARE: &[&str] =
    &["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader"];

/// A tab that nobody looks at would be put to sleep.
const AWAKE: &[&str] = &[
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];

/// A running browser; it ends with the last test that holds it.
pub struct Browser {
    _process: Chromium,
    port: u16,
    line: Mutex<Line>,
}

/// Whether the browser offers WebGPU.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gpu {
    /// Through Chromium's software adapter.
    Software,
    /// There is none.
    Off,
}

impl Browser {
    /// The browser of this kind, started if none runs.
    pub fn shared(gpu: Gpu) -> Arc<Self> {
        static WITH: Mutex<Weak<Browser>> = Mutex::new(Weak::new());
        static WITHOUT: Mutex<Weak<Browser>> = Mutex::new(Weak::new());
        let slot = match gpu {
            Gpu::Software => &WITH,
            Gpu::Off => &WITHOUT,
        };
        // A test that failed while it held this has harmed nothing.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let browser = Self::alone(gpu);
            *slot = Arc::downgrade(&browser);
            browser
        })
    }

    /// One that no other test uses.
    pub fn alone(gpu: Gpu) -> Arc<Self> {
        Arc::new(Self::start(match gpu {
            Gpu::Software => WEBGPU_IN_SOFTWARE,
            Gpu::Off => &[],
        }))
    }

    /// Ends the process that drives the GPU; the browser starts another.
    pub fn crash_gpu(&self) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.call("Browser.crashGpuProcess", json!({}));
    }

    fn start(flags: &[&str]) -> Self {
        let flags = [AWAKE, &["--remote-debugging-port=0", "--hide-scrollbars"], flags].concat();
        let process = Chromium::open("about:blank", &flags).unwrap_or_else(|reason| panic!("{reason}"));
        let listening = process.profile().join("DevToolsActivePort");
        let begun = Instant::now();
        loop {
            // Two lines: the port, and the path of the line to the browser as a whole.
            let told = std::fs::read_to_string(&listening).unwrap_or_default();
            if let Some((port, path)) = told.trim().split_once('\n')
                && let Ok(port) = port.parse()
            {
                return Self { _process: process, port, line: Mutex::new(Line::open(port, path)) };
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "Chromium said:\n{}", "it did not say where it listens");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens an empty tab that shares nothing with others: the line to it.
    pub fn tab(&self) -> Line {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let context =
            text(&line.call("Target.createBrowserContext", json!({ "disposeOnDetach": false }))["browserContextId"]);
        // In a window of its own it counts as seen, and draws.
        let params = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = text(&line.call("Target.createTarget", params)["targetId"]);
        Line::open(self.port, &format!("/devtools/page/{target}"))
    }
}
