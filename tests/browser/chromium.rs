//! Starts a headless Chromium with a profile of its own and ends it again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The names under which systems install it.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A running browser; it ends when this is dropped.
pub struct Chromium {
    process: Child,
    /// Holds the profile and the log; removed with the browser.
    folder: tempfile::TempDir,
}

impl Chromium {
    /// Opens `address` with these extra `flags`.
    pub fn open(address: &str, flags: &[&str]) -> Result<Self, String> {
        let program = find().ok_or(format!(
            "no Chromium in the PATH (looked for {}). Install it (Debian, Ubuntu: apt-get install chromium), \
             or set CHROMIUM to the program",
            NAMES.join(", ")
        ))?;
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        let log = File::create(folder.path().join("log")).map_err(|e| format!("no log: {e}"))?;
        let process = Command::new(&program)
            // In a container there is no user namespace for Chromium's sandbox; the page is ours.
            .args(["--headless=new", "--no-sandbox", "--no-first-run", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .args(flags)
            .arg(address)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("{} did not start: {e}", program.display()))?;
        Ok(Self { process, folder })
    }

    /// The folder of its profile.
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Ends the browser and returns the last lines of what it printed.
    pub fn stop(mut self) -> String {
        self.end();
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn end(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.end();
    }
}

/// The program `CHROMIUM` names, or the first of [`NAMES`] in the `PATH`.
fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    NAMES.iter().find_map(|name| folders.iter().map(|f| f.join(name)).find(|p| p.is_file()))
}
