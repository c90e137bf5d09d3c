//! axe-core, the checker of accessibility: not part of this repository, fetched by tests/run.

use std::path::PathBuf;

use serde_json::Value;

use crate::tab::Tab;

/// What tests/run calls it in its cache.
const FILE: &str = "slimgpt/axe-core-4.14.1.min.js";
/// Rules of WCAG 2.2 at levels A and AA.
const RULES: &str =
    "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'] }";

/// What axe objects to on the page as it is now: the rule, and the first places.
pub fn objections(tab: &Tab) -> Vec<String> {
    // Through DevTools, as the page's policy lets no script from elsewhere in.
    tab.run(&format!("{};0", script()));
    let found = tab.run(&format!("axe.run(document, {RULES}).then(found => found.violations)"));
    found.as_array().expect("a list").iter().map(told).collect()
}

fn told(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let places: Vec<String> = nodes.iter().take(5).map(|node| format!("{} {}", node["target"], node["html"])).collect();
    let (rule, help) = (&violation["id"], &violation["help"]);
    format!("{rule} {help}, {} places:\n  {}", nodes.len(), places.join("\n  "))
}

fn script() -> String {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let named = std::env::var_os("SLIMGPT_AXE").map(PathBuf::from);
    let file = named.or_else(|| Some(cache?.join(FILE))).expect("a home folder");
    std::fs::read_to_string(&file).unwrap_or_else(|e| {
        panic!(
            "{} is missing ({e}): run tests/run, which fetches axe-core, or set SLIMGPT_AXE to its axe.min.js",
            file.display()
        )
    })
}
