//! The page in a real browser: a built folder is served, headless Chromium opens it, and tests press
//! and read what a reader would, by role and name.
//!
//! `SLIMGPT_PAGE=DIR` tests a folder that was built before; otherwise one is built, once for all tests.
//! Whatever the browser complains of, and any request to elsewhere, fails the test it happens in.

mod axe;
#[allow(dead_code, reason = "what a reader's browser can do, whether or not a test needs it yet")]
mod browser;
#[allow(dead_code, reason = "the smoke page's tests use more of it")]
#[path = "../../../tests/browser/chromium.rs"]
mod chromium;
mod devtools;
#[allow(dead_code, reason = "what a reader can do, whether or not a test needs it yet")]
mod element;
mod keys;
mod site;
#[allow(dead_code, reason = "what a reader can do, whether or not a test needs it yet")]
mod tab;

mod document;
mod failing;
mod lesson_1;
mod lesson_2;
mod lesson_3;
mod lesson_4;
mod lesson_5;
mod lesson_6;
mod lesson_7;
mod lesson_8;
mod lesson_9;
mod manners;
mod offline;
mod policy;
mod state;
