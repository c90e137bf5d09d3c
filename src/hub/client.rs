//! Requests to the hub. Redirects are followed here, because the token may go to the hub itself and to no other
//! host: files lie on servers of others.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::http::{Response, header};
use ureq::{Agent, Body, ResponseExt as _};

use super::error::HubError;
use super::hash::Hash;
use super::name::{Name, is_commit, is_inside};
use super::retry::{self, Tries};
use super::settings::{Settings, without_account};
use super::waiting::Waiting;
use crate::disk;

/// Redirects that are followed.
const REDIRECTS: usize = 8;
/// Until a connection stands, or an answer begins.
const PATIENCE: Duration = Duration::from_secs(30);
/// Until more of an answer arrives.
const STALLED: Duration = Duration::from_secs(60);
/// Times that a question is asked before its refusal is believed.
const TRIES: u32 = 3;
/// Most characters that are repeated of what a server says.
const MESSAGE: usize = 300;

/// What the hub tells of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// The commit that it was asked of.
    pub commit: String,
    /// The hash of its bytes, by which caches name it.
    pub etag: String,
    /// How many bytes it has.
    pub size: u64,
}

/// What the hub tells of a repository.
pub(super) struct Listing {
    /// The commit that the revision is at.
    pub commit: String,
    /// The paths of its files.
    pub files: Vec<String>,
}

/// Asks one hub.
pub(super) struct Client<'a> {
    agent: Agent,
    settings: &'a Settings,
    /// How answers are waited for.
    pub waiting: Waiting<'a>,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Head,
    Get,
}

impl<'a> Client<'a> {
    pub fn new(settings: &'a Settings, waiting: Waiting<'a>) -> Self {
        let config = Agent::config_builder()
            .max_redirects(0)
            // Headers of a refusal tell which it is.
            .http_status_as_error(false)
            .user_agent(concat!("slimgpt/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(STALLED));
        Self { agent: config.build().into(), settings, waiting }
    }

    /// The answer to a question, which is asked again where a connection broke or the hub is not well.
    pub fn patiently<T>(&self, ask: impl Fn() -> Result<T, HubError>) -> Result<T, HubError> {
        let mut tries = Tries::new(TRIES, self.settings.pause);
        loop {
            match ask() {
                Err(error) => self.waiting.pause(tries.failed(error)?)?,
                answered => return answered,
            }
        }
    }

    /// The files of a repository at its revision.
    pub fn list(&self, name: &Name) -> Result<Listing, HubError> {
        let (kind, id) = (name.holding.plural(), &name.id);
        let url = format!("{}/api/{kind}/{id}/revision/{}", self.settings.endpoint, encoded(&name.revision, false));
        let response = self.found(name, self.follow(name, Method::Get, url, 0)?, None)?;
        let read = move || response.into_body().into_with_config().limit(disk::SETTINGS).read_to_vec();
        let json = self.waiting.answer(read)?.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => self.nonsense(name, "a list of files that does not end"),
            error => self.unreachable(name, &error),
        })?;
        listing(&json).ok_or_else(|| self.nonsense(name, "no list of files"))
    }

    /// What there is to know of a file before it is downloaded.
    pub fn look(&self, name: &Name, revision: &str, file: &str) -> Result<Remote, HubError> {
        let response = self.follow(name, Method::Head, self.address(name, revision, file), 0)?;
        let response = self.found(name, response, Some(file))?;
        let text = |key: &str| response.headers().get(key).and_then(|value| value.to_str().ok());
        // Where the bytes lie elsewhere, the etag itself is that of what stands in their place.
        let etag = text("x-linked-etag").or_else(|| text("etag")).map(plain_etag);
        // It names a file in the cache: anything but a hash could lead elsewhere.
        let etag = etag.filter(|etag| Hash::of(etag, 0).is_some());
        // Of a redirect the length is that of its own few words.
        let own = || text("content-length").filter(|_| !response.status().is_redirection());
        let size = text("x-linked-size").or_else(own).and_then(|size| size.parse().ok());
        let commit = text("x-repo-commit").filter(|commit| is_commit(commit));
        match (commit, etag, size) {
            (Some(commit), Some(etag), Some(size)) => Ok(Remote { commit: commit.into(), etag, size }),
            _ => Err(self.nonsense(name, &format!("no commit, hash and size of {file}"))),
        }
    }

    /// The bytes of a file from that number on.
    pub fn get(&self, name: &Name, commit: &str, file: &str, from: u64) -> Result<Response<Body>, HubError> {
        let response = self.follow(name, Method::Get, self.address(name, commit, file), from)?;
        // That there are no bytes from there on is for the caller to understand.
        if from > 0 && response.status() == 416 { Ok(response) } else { self.found(name, response, Some(file)) }
    }

    fn address(&self, name: &Name, revision: &str, file: &str) -> String {
        let (prefix, id) = (name.holding.prefix(), &name.id);
        let (revision, file) = (encoded(revision, false), encoded(file, true));
        format!("{}/{prefix}{id}/resolve/{revision}/{file}", self.settings.endpoint)
    }

    /// The last answer behind all redirects; to a HEAD the last one of the hub itself, which alone tells of the file.
    fn follow(&self, name: &Name, method: Method, mut url: String, from: u64) -> Result<Response<Body>, HubError> {
        for _ in 0..=REDIRECTS {
            let response = self.send(method, &url, from)?.map_err(|error| self.unreachable(name, &error))?;
            let to = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection());
            let Some(to) = to.and_then(|to| to.to_str().ok()) else { return Ok(response) };
            let next = absolute(&url, to).ok_or_else(|| self.nonsense(name, "a redirect to nowhere"))?;
            let is_home = origin(&next) == origin(&self.settings.endpoint);
            if is_home && let Some(now) = renamed(name, &next, &self.settings.endpoint) {
                return Err(HubError::Renamed { name: name.id.clone(), now });
            }
            if method == Method::Head && !is_home {
                return Ok(response);
            }
            if url.starts_with("https:") && !next.starts_with("https:") {
                return Err(self.nonsense(name, "a redirect to an address that is not encrypted"));
            }
            url = next;
        }
        Err(self.nonsense(name, "one redirect after the other"))
    }

    /// The answer to one request, or why there is none.
    fn send(&self, method: Method, url: &str, from: u64) -> Result<Result<Response<Body>, ureq::Error>, HubError> {
        let mut request = match method {
            Method::Head => self.agent.head(url),
            Method::Get => self.agent.get(url),
        };
        // Hash and size are those of the bytes as they are.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = &self.settings.token
            && origin(url) == origin(&self.settings.endpoint)
        {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.waiting.answer(move || request.call())
    }

    /// The answer, unless it is a refusal.
    fn found(&self, name: &Name, response: Response<Body>, file: Option<&str>) -> Result<Response<Body>, HubError> {
        let status = response.status();
        // A redirect is what a HEAD may end at.
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        let text = |key: &str| {
            let value = response.headers().get(key).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value.chars().take(MESSAGE).collect::<String>()
        };
        let (code, message) = (text("x-error-code"), text("x-error-message"));
        let (endpoint, shown) = (self.settings.shown_endpoint(), name.to_string());
        // Where the bytes lie nobody knows of names and accounts: such a refusal is a firewall's, or an old address's.
        let asked = without_account(&origin(&response.get_uri().to_string()));
        if asked != origin(&endpoint) {
            return Err(HubError::Status { name: shown, endpoint: asked, status: status.as_u16(), message });
        }
        let has_token = self.settings.token.is_some();
        let page = format!("{}{}", name.holding.prefix(), name.id);
        Err(match (status.as_u16(), code.as_str()) {
            (401 | 403, "GatedRepo") => HubError::Gated { name: shown, endpoint, page, has_token },
            (404, "RevisionNotFound") => {
                let (what, page) = (format!("revision {}", name.revision), format!("{page}/tree/main"));
                HubError::NoSuch { name: name.id.clone(), endpoint, what, page }
            }
            (404, "EntryNotFound") => {
                let (what, page) = (format!("file {}", file.unwrap_or_default()), format!("{page}/tree/main"));
                HubError::NoSuch { name: name.id.clone(), endpoint, what, page }
            }
            (401, _) if has_token && message.starts_with("Invalid credentials") => {
                HubError::Token { endpoint, file: self.settings.token_file.clone() }
            }
            // The hub does not tell strangers whether there is such a repository.
            (401 | 404, _) => HubError::NotFound { name: shown, endpoint, has_token },
            // What the hub says in words goes on as it is: that a repository is disabled, or a token too narrow.
            (403, _) if message.is_empty() => HubError::Gated { name: shown, endpoint, page, has_token },
            (429, _) => HubError::TooMany {
                endpoint,
                seconds: retry::seconds(&text("retry-after"), SystemTime::now()),
                has_token,
            },
            (status, _) => HubError::Status { name: shown, endpoint, status, message },
        })
    }

    fn unreachable(&self, name: &Name, error: &ureq::Error) -> HubError {
        let (name, endpoint) = (name.to_string(), self.settings.shown_endpoint());
        let reason = error.to_string().replace(&self.settings.endpoint, &endpoint);
        HubError::Unreachable { name, endpoint, reason }
    }

    /// The error for an answer that makes no sense.
    pub fn nonsense(&self, name: &Name, what: &str) -> HubError {
        HubError::Answer { name: name.to_string(), endpoint: self.settings.shown_endpoint(), what: what.into() }
    }
}

fn listing(json: &[u8]) -> Option<Listing> {
    let json: Value = serde_json::from_slice(json).ok()?;
    let commit = json["sha"].as_str().filter(|commit| is_commit(commit))?.to_owned();
    let names = json["siblings"].as_array()?.iter().filter_map(|file| file["rfilename"].as_str());
    // What would lie elsewhere is no file of the repository.
    Some(Listing { commit, files: names.filter(|file| is_inside(file)).map(str::to_owned).collect() })
}

/// An etag without its quotes, and without the mark of one that is not exact.
fn plain_etag(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let length = url[end..].find(['/', '?', '#']).unwrap_or(url.len() - end);
    url[..end + length].to_lowercase()
}

/// Where a redirect leads from `url`; `None` where that is no address of the web.
fn absolute(url: &str, to: &str) -> Option<String> {
    match to {
        to if to.starts_with("https://") || to.starts_with("http://") => Some(to.to_owned()),
        // A host of its own, by the scheme that is used.
        to if to.starts_with("//") => Some(format!("{}:{to}", url.split("://").next()?)),
        to if to.starts_with('/') => Some(format!("{}{to}", origin(url))),
        _ => None,
    }
}

/// The name that a repository has today, where a redirect says so: the same address with another name in it.
fn renamed(name: &Name, to: &str, endpoint: &str) -> Option<String> {
    let path = to.strip_prefix(endpoint).or_else(|| to.strip_prefix(&origin(to)))?.trim_start_matches('/');
    let (path, is_file) = match path.strip_prefix("api/") {
        Some(path) => (path.strip_prefix(name.holding.plural())?.strip_prefix('/')?, false),
        None => (path.strip_prefix(name.holding.prefix())?, true),
    };
    let mut parts = path.split(['/', '?']);
    let id = format!("{}/{}", parts.next()?, parts.next()?);
    let goes_on = match parts.next() {
        Some("resolve") => is_file,
        Some("revision") | None => !is_file,
        Some(_) => false,
    };
    (goes_on && id != name.id && Name::of_model(&id).is_some()).then_some(id)
}

/// A text as a part of an address; `/` is kept where it stands between parts.
fn encoded(text: &str, with_slashes: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || with_slashes && byte == b'/';
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_origin() {
        assert_eq!(origin("https://Hub.co/a/b"), "https://hub.co");
        assert_eq!(origin("http://127.0.0.1:80?x"), "http://127.0.0.1:80");
        // What stands before an @ is no host.
        assert_ne!(origin("https://hub.co@evil.org/"), origin("https://hub.co/"));
        assert_ne!(origin("http://hub.co/"), origin("https://hub.co/"));
        assert_ne!(origin("https://hub.co.evil.org/"), origin("https://hub.co/"));
    }

    #[test]
    fn redirects_lead_to_addresses() {
        let from = "https://hub.co/a/b";
        assert_eq!(absolute(from, "/c/d").as_deref(), Some("https://hub.co/c/d"));
        assert_eq!(absolute(from, "//cdn.co/d").as_deref(), Some("https://cdn.co/d"));
        assert_eq!(absolute(from, "http://cdn.co").as_deref(), Some("http://cdn.co"));
        assert_eq!(absolute(from, "ftp://cdn.co"), None);
        assert_eq!(absolute(from, "c"), None);
    }

    #[test]
    fn a_new_name_is_told_from_other_redirects() {
        let (hub, name) = ("https://hub.co", Name::of_model("old/name").unwrap());
        let now = |to: &str| renamed(&name, to, hub);
        assert_eq!(now("https://hub.co/new/name/resolve/main/x").as_deref(), Some("new/name"));
        assert_eq!(now("https://hub.co/api/models/new/name/revision/main").as_deref(), Some("new/name"));
        assert_eq!(now("https://hub.co/api/models/new/name").as_deref(), Some("new/name"));
        assert_eq!(now("https://hub.co/old/name/resolve/main/x"), None);
        assert_eq!(now("https://hub.co/api/resolve-cache/models/old/name/abc/x"), None);
        // A mirror may keep the bytes itself.
        assert_eq!(now("https://hub.co/storage/abc"), None);
        let dataset = Name::of_dataset("dataset:old/name").unwrap().unwrap();
        let to = "https://hub.co/datasets/new/name/resolve/main/x";
        assert_eq!(renamed(&dataset, to, hub).as_deref(), Some("new/name"));
    }

    #[test]
    fn what_addresses_do_not_hold_is_encoded() {
        assert_eq!(encoded("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(encoded("a b/ü?#%.txt", true), "a%20b/%C3%BC%3F%23%25.txt");
    }

    #[test]
    fn lists_name_only_files_inside() {
        let commit = "f09bf1f4d4c7e9bfd2f6f1cf6a0d4d3e2c1b0a99";
        let json = serde_json::json!({ "sha": commit, "siblings": [
            { "rfilename": "a.txt" }, { "rfilename": "../b" }, { "rfilename": "/etc/c" }, { "rfilename": "d/e" }, {}] });
        let found = listing(json.to_string().as_bytes()).unwrap();
        assert_eq!((found.commit.as_str(), found.files), (commit, vec!["a.txt".to_owned(), "d/e".to_owned()]));
        assert!(listing(br#"{"sha": "main", "siblings": []}"#).is_none());
        assert_eq!(plain_etag("W/\"abc\""), "abc");
    }
}
