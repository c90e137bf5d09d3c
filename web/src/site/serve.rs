//! A web server for a built folder, for this machine only.

use std::collections::HashMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Request, Response, StatusCode};

use super::document::POLICY;
use super::folder;

/// Requests that are answered at once.
const THREADS: usize = 4;

/// Serves until it is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    threads: Vec<JoinHandle<()>>,
    prefix: String,
}

impl Server {
    /// Serves the files of `folder` under `/prefix/` of this machine; port 0 takes any that is free. An
    /// empty prefix is the root.
    ///
    /// # Errors
    /// When the folder cannot be read, or the port is taken.
    pub fn start(folder: &Path, port: u16, prefix: &str) -> Result<Self> {
        let http = tiny_http::Server::http((Ipv4Addr::LOCALHOST, port));
        let http = Arc::new(http.map_err(|e| anyhow!("port {port} cannot be served: {e}; choose another"))?);
        let prefix = format!("/{prefix}/").replace("//", "/");
        // Only what was there at the start is served, so no address leads out of the folder.
        let address = |name: String| (format!("{prefix}{name}"), folder.join(name));
        let files: Arc<HashMap<String, PathBuf>> = Arc::new(folder::names(folder)?.into_iter().map(address).collect());
        let serve = |_| {
            let (http, files) = (Arc::clone(&http), Arc::clone(&files));
            std::thread::spawn(move || http.incoming_requests().for_each(|request| answer(request, &files)))
        };
        let threads = (0..THREADS).map(serve).collect();
        Ok(Self { http, threads, prefix })
    }

    /// The page's address.
    pub fn address(&self) -> String {
        format!("http://{}{}", self.http.server_addr(), self.prefix)
    }

    /// Serves for as long as the process lives.
    pub fn forever(mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One thread is woken by each.
        self.threads.iter().for_each(|_| self.http.unblock());
    }
}

/// Answers with a file. A browser that went away in the middle of it is nobody's concern.
fn answer(request: Request, files: &HashMap<String, PathBuf>) {
    let url = request.url().split('#').next().unwrap_or_default().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((url.as_str(), ""));
    let name = if path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    let _ = match files.get(&name).map(|file| folder::read(file)) {
        Some(Ok(bytes)) => request.respond(guarded(Response::from_data(bytes), content_type(&name))),
        // Names in a document are relative to its folder, which ends in a slash.
        None if files.contains_key(&format!("{path}/index.html")) => {
            // The query holds what the reader changed.
            let place = if query.is_empty() { format!("{path}/") } else { format!("{path}/?{query}") };
            request.respond(with(Response::empty(StatusCode(308)), "Location", &place))
        }
        _ => {
            let none = Response::from_string("There is no such page.").with_status_code(404);
            request.respond(guarded(none, content_type(".txt")))
        }
    };
}

/// A worker has no document that could tell it the policy: only the header reaches it.
fn guarded<R: Read>(response: Response<R>, content_type: &str) -> Response<R> {
    let headers = [
        ("Content-Type", content_type),
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        // Who builds anew and reloads sees what was built.
        ("Cache-Control", "no-cache"),
    ];
    headers.into_iter().fold(response, |response, (name, value)| with(response, name, value))
}

fn with<R: Read>(response: Response<R>, name: &str, value: &str) -> Response<R> {
    match Header::from_bytes(name, value) {
        Ok(header) => response.with_header(header),
        // Refused are only values that are not ASCII, and these have no such thing.
        Err(()) => response,
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        // Other types are compiled only after they are loaded as a whole.
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    /// What the server answers, in small letters.
    fn answer_to(server: &Server, path: &str) -> String {
        let mut stream = TcpStream::connect(server.http.server_addr().to_string()).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.to_lowercase()
    }

    #[test]
    fn files_are_served_under_their_path_and_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), "hidden").expect("written");
        let site = folder.path().join("site");
        std::fs::create_dir_all(site.join("app")).expect("made");
        for (name, text) in [("index.html", "lessons"), ("x.wasm", "module"), ("app/index.html", "window")] {
            std::fs::write(site.join(name), text).expect("written");
        }
        let server = Server::start(&site, 0, "a/b").expect("a free port");
        assert!(server.address().ends_with("/a/b/"));
        let first = answer_to(&server, "/a/b/?v=1");
        assert!(first.contains("200 ok") && first.ends_with("lessons") && first.contains("text/html"), "{first}");
        assert!(first.contains(&format!("content-security-policy: {POLICY}").to_lowercase()), "{first}");
        assert!(answer_to(&server, "/a/b/x.wasm").contains("application/wasm"));
        for (from, to) in [("/a/b/app", "/a/b/app/\r\n"), ("/a/b?v=1&2.rho=0.50", "/a/b/?v=1&2.rho=0.50\r\n")] {
            let moved = answer_to(&server, from);
            assert!(moved.contains(" 308 ") && moved.contains(&format!("location: {to}")), "{moved}");
        }
        for path in ["/", "/a/b/../secret", "/a/b/%2e%2e/secret", "/a/b//index.html", "/a/b/secret", "/secret"] {
            assert!(answer_to(&server, path).contains(" 404 "), "{path}");
        }
    }

    #[test]
    fn a_dropped_server_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), 0, "").expect("a free port");
        let address = server.http.server_addr().to_string();
        drop(server);
        // The listener goes when its last thread has seen the end.
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            TcpStream::connect(&address).is_err()
        });
        assert!(gone, "it still listens");
    }
}
