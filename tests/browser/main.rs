//! The library in a real browser: headless Chromium opens `index.html`, which runs
//! `examples/web_smoke.rs`, once with WebGPU (on Chromium's software GPU) and once without.
//!
//! Needs the wasm32 target and Chromium; `tests/run` installs both. Their absence is a failure
//! with advice and not a skip, because a skipped test proves nothing and looks the same.

mod build;
#[allow(dead_code, reason = "the tests of the lessons use more of it")]
mod chromium;
mod server;

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

/// From the start of the browser to the report. Seconds are normal; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(180);

/// Chromium's software GPU. Each of these is needed: without one of the last three, the GPU
/// process restarts and read-backs never arrive.
const WEBGPU_IN_SOFTWARE: &[&str] =
    &["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader"];

/// What the page reports when Chromium runs with these `flags`.
fn report(flags: &[&str]) -> Value {
    static SITE: OnceLock<std::path::PathBuf> = OnceLock::new();
    let site = SITE.get_or_init(|| build::site().unwrap_or_else(|reason| panic!("{reason}")));
    let server = server::Server::start(site).expect("a free port on 127.0.0.1");
    let browser = chromium::Chromium::open(&server.address(), flags).unwrap_or_else(|reason| panic!("{reason}"));
    let Some(report) = server.result(PATIENCE) else {
        panic!("the page reported nothing within {PATIENCE:?}; the browser said:\n{}", browser.stop());
    };
    let report: Value = serde_json::from_str(&report).expect("the report is JSON");
    assert!(report["error"].is_null(), "the page failed: {report:#}");
    report
}

/// Every check agreed, and those whose names begin like this are among them.
fn assert_checks(report: &Value, expected: &[&str]) {
    let checks = report["checks"].as_array().expect("the report lists its checks");
    for check in checks {
        assert_eq!(check["passed"], true, "{check:#}\nin {report:#}");
    }
    for name in expected {
        let found = checks.iter().any(|check| check["name"].as_str().is_some_and(|n| n.starts_with(name)));
        assert!(found, "no check is called {name:?} in {report:#}");
    }
}

#[test]
fn with_webgpu_the_gpu_agrees_with_the_cpu() {
    let report = report(WEBGPU_IN_SOFTWARE);
    assert!(report["gpu"].is_string(), "no GPU was found: {report:#}");
    assert_checks(
        &report,
        &[
            "wrong answers are noticed",
            "matrix product: CPU",
            "matrix product: GPU",
            "heads by Exact: weights: GPU",
            "channels, OneByOne: weights: GPU",
            "hessian_accumulate.wgsl compiles",
        ],
    );
}

#[test]
fn without_webgpu_the_cpu_runs_alone_and_the_page_says_so() {
    let report = report(&[]);
    assert!(report["gpu"].is_null() && report["no_gpu"].is_string(), "{report:#}");
    assert_checks(&report, &["wrong answers are noticed", "matrix product: CPU"]);
    let status = report["status"].as_str().unwrap_or_default();
    assert!(status.starts_with("The CPU ran alone"), "the page says {status:?}");
}
