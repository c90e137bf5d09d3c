//! The report as a page: one HTML file that opens offline, in light, dark and on paper, of one
//! pruned folder or several side by side.
//!
//! Nothing is computed here that is not in `slimgpt-report.json` and `slimgpt-eval.json`; what a
//! figure cannot show is said under it.

mod charts;
mod error;
pub mod figures;
mod folder;
#[cfg(feature = "gradients")]
mod recovery;
mod searched;
mod settings;
mod tuned;
mod view;
#[cfg(not(target_arch = "wasm32"))]
mod write;

pub use error::ReportError;
pub use folder::{Continuation, Folder, Sample};
#[cfg(not(target_arch = "wasm32"))]
pub use write::write_into;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// The page's name in a folder that was pruned.
pub const FILE: &str = "slimgpt-report.html";

/// The templates by name.
const TEMPLATES: [(&str, &str); 10] = [
    ("page.html.j2", include_str!("templates/page.html.j2")),
    ("summary.html.j2", include_str!("templates/summary.html.j2")),
    ("what.html.j2", include_str!("templates/what.html.j2")),
    ("error.html.j2", include_str!("templates/error.html.j2")),
    ("search.html.j2", include_str!("templates/search.html.j2")),
    ("tuning.html.j2", include_str!("templates/tuning.html.j2")),
    ("recovery.html.j2", include_str!("templates/recovery.html.j2")),
    ("evaluation.html.j2", include_str!("templates/evaluation.html.j2")),
    ("layers.html.j2", include_str!("templates/layers.html.j2")),
    ("made.html.j2", include_str!("templates/made.html.j2")),
];

/// The page of `folders`, with continuations of prompts where there are some.
///
/// # Errors
/// When there is no folder, or a template fails.
pub fn page(folders: &[Folder], samples: &[Sample]) -> Result<String, ReportError> {
    if folders.is_empty() {
        return Err(ReportError::NoFolders);
    }
    let mut environment = Environment::new();
    // Names of folders, prompts and what models write come from elsewhere: all of it is escaped.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    // A name that a template spells wrong fails here instead of leaving a hole in the page.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let page = Serde(view::Page::new(folders, samples));
    Ok(environment.get_template("page.html.j2")?.render(page)?)
}
