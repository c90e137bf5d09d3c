//! The lessons as the module that a browser loads first.
#![cfg(target_arch = "wasm32")]

use slimgpt_web as _;
