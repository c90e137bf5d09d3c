//! The folder that a browser loads: compiled, put together, measured and served. Native only.
//!
//! ```text
//! DIR/index.html               the lessons as text, readable before anything else is there
//! DIR/*.css, icon.svg          what is seen, from web/assets
//! DIR/loader.js, page/         brings the lessons to life
//! DIR/worker.js, worker/       the whole library, once a lesson on a model is opened
//! DIR/model/                   the model of those lessons
//! DIR/app/                     the window in a browser
//! DIR/sw.js                    keeps all of that for days without a network
//! DIR/build.json               what was put here, and so may be replaced
//! ```
//!
//! Names in it are relative: it works under any path of any web server.

mod assemble;
mod compile;
mod document;
mod folder;
mod kept;
mod serve;
mod sizes;

pub use assemble::build;
pub use compile::Wanted;
pub use document::POLICY;
pub use serve::Server;
pub use sizes::Sizes;
