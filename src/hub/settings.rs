//! Where the cache is, which hub is asked, and by whom: environment variables mean what they mean to
//! huggingface_hub.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk;

/// The hub that is asked unless another is named.
const USUAL_ENDPOINT: &str = "https://huggingface.co";
/// Most bytes of a file that holds a token.
const TOKEN_BYTES: u64 = 1 << 16;
/// Before a broken connection is tried again.
const USUAL_PAUSE: Duration = Duration::from_secs(1);

/// Where the cache is, which hub is asked, and by whom.
// Without Debug, which would show the token.
#[derive(Clone)]
pub struct Settings {
    /// The folder of repositories: `$HF_HUB_CACHE`, else `hub` in `$HF_HOME`, else in `huggingface` in
    /// `$XDG_CACHE_HOME` or `~/.cache`.
    pub cache: PathBuf,
    /// The hub, `$HF_ENDPOINT`, without a `/` at its end.
    pub endpoint: String,
    /// What tells the hub who asks: `$HF_TOKEN`, else what the file `$HF_TOKEN_PATH` or `$HF_HOME/token` holds.
    pub token: Option<String>,
    /// Where a token is kept that no variable names.
    pub token_file: PathBuf,
    /// Whether nothing may be asked or downloaded (`$HF_HUB_OFFLINE`).
    pub offline: bool,
    /// Whether snapshots are links to blobs (unless `$HF_HUB_DISABLE_SYMLINKS`).
    pub linked: bool,
    /// How long is waited before a broken connection is tried again for the first time; each time doubles it.
    pub pause: Duration,
}

impl Settings {
    /// As the environment has them.
    pub fn of_environment() -> Self {
        Self::of(&|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// As `variable` tells each variable, which is `None` where it is not set.
    pub fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let path = |name: &str| variable(name).map(|value| expanded(Path::new(&value), variable));
        let home = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").unwrap_or_else(|| user_folder(variable).join(".cache"));
            caches.join("huggingface")
        });
        let is_true = |name: &str| text(name).is_some_and(|value| is_true(&value));
        // The second of two names is the older one, which huggingface_hub still reads.
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let kept = || {
            // What was not asked for by name is not sent where somebody wants it so.
            let is_wanted = !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN");
            is_wanted.then(|| disk::read_within(&token_file, TOKEN_BYTES).ok()).flatten()
        };
        let named = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let token = named.or_else(|| String::from_utf8(kept()?).ok()).and_then(|token| cleaned(&token));
        Self {
            cache: cache.unwrap_or_else(|| home.join("hub")),
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| USUAL_ENDPOINT.into()).trim_end_matches('/').into(),
            token,
            token_file,
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            linked: !is_true("HF_HUB_DISABLE_SYMLINKS"),
            pause: USUAL_PAUSE,
        }
    }
}

impl Settings {
    /// The hub's address as people may see it: without the name and password that may stand before the host.
    pub(super) fn shown_endpoint(&self) -> String {
        without_account(&self.endpoint)
    }
}

/// An address without what stands before an `@` in front of its host.
pub(super) fn without_account(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..host_ends].rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", &rest[host_ends..])
}

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
}

/// A token without the line ends that editors and shells leave around it.
fn cleaned(token: &str) -> Option<String> {
    let cleaned = token.trim();
    (!cleaned.is_empty()).then(|| cleaned.to_owned())
}

/// The folder of whoever started the program.
fn user_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let named = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    variable(named).map(PathBuf::from).unwrap_or_default()
}

/// A path whose first part may be `~`, or a variable, as settings files have it.
fn expanded(path: &Path, variable: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    let whole = |part: &std::ffi::OsStr| -> Option<PathBuf> {
        let name = part.to_str()?.strip_prefix('$')?;
        variable(name.trim_start_matches('{').trim_end_matches('}')).map(PathBuf::from)
    };
    let part = |(i, part): (usize, std::path::Component<'_>)| match part.as_os_str() {
        tilde if i == 0 && tilde == "~" => user_folder(variable),
        other => whole(other).unwrap_or_else(|| PathBuf::from(other)),
    };
    path.components().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Settings {
        let found = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        Settings::of(&found)
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_is_where_huggingface_hub_has_it() {
        let home = ("HOME", "/home/ada");
        let cache = |more: &[(&str, &str)]| with(&[&[home][..], more].concat()).cache;
        assert_eq!(cache(&[]), Path::new("/home/ada/.cache/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/c")]), Path::new("/c/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/c"), ("HF_HOME", "~/hf")]), Path::new("/home/ada/hf/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "$HOME/x")]), Path::new("/home/ada/x"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "${HOME}/x/$none")]), Path::new("/home/ada/x/$none"));
    }

    #[test]
    fn the_other_variables_mean_what_they_mean_there() {
        let usual = with(&[]);
        assert_eq!((usual.endpoint.as_str(), usual.offline, usual.linked), (USUAL_ENDPOINT, false, true));
        assert_eq!(with(&[("HF_ENDPOINT", "http://127.0.0.1:8/")]).endpoint, "http://127.0.0.1:8");
        for (value, is_offline) in [("1", true), ("true", true), ("Yes", true), ("0", false), ("2", false)] {
            assert_eq!(with(&[("HF_HUB_OFFLINE", value)]).offline, is_offline, "{value}");
        }
        assert!(with(&[("TRANSFORMERS_OFFLINE", "ON")]).offline);
        assert!(!with(&[("HF_HUB_DISABLE_SYMLINKS", "1")]).linked);
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let shown = |url| with(&[("HF_ENDPOINT", url)]).shown_endpoint();
        assert_eq!(shown("https://ada:p@ss@hub.co:8/x@y/"), "https://hub.co:8/x@y");
        assert_eq!(shown("https://hub.co/a@b"), "https://hub.co/a@b");
        assert_eq!(shown("hub.co"), "hub.co");
    }

    #[test]
    fn a_token_is_that_of_the_variable_or_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(with(&[("HF_HOME", home)]).token, None);
        std::fs::write(folder.path().join("token"), "hf_file\r\n").unwrap();
        let token = |more: &[(&str, &str)]| with(&[&[("HF_HOME", home)][..], more].concat()).token;
        assert_eq!(token(&[]).as_deref(), Some("hf_file"));
        assert_eq!(token(&[("HF_TOKEN", " hf_own\n")]).as_deref(), Some("hf_own"));
        assert_eq!(token(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        std::fs::write(folder.path().join("other"), "hf_other").unwrap();
        let other = folder.path().join("other");
        assert_eq!(token(&[("HF_TOKEN_PATH", other.to_str().unwrap())]).as_deref(), Some("hf_other"));
    }
}
