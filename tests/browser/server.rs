//! A web server for one page: files from `tests/browser/` and from the built module, and one POST that
//! brings the report back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tiny_http::{Header, Method, Request, Response};

/// Serves until it is dropped.
pub struct Server {
    http: Arc<tiny_http::Server>,
    reports: Receiver<String>,
}

impl Server {
    /// Serves the page beside this file and `site` on a free port of this machine.
    pub fn start(site: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0")?);
        let (sender, reports) = channel();
        let folders = [Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"), site.to_path_buf()];
        let requests = Arc::clone(&http);
        std::thread::spawn(move || {
            for request in requests.incoming_requests() {
                answer(request, &folders, &sender);
            }
        });
        Ok(Self { http, reports })
    }

    /// The page's address.
    pub fn address(&self) -> String {
        format!("http://{}/index.html", self.http.server_addr())
    }

    /// What the page posted, or `None` when nothing came in time.
    pub fn result(&self, patience: Duration) -> Option<String> {
        self.reports.recv_timeout(patience).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.unblock();
    }
}

/// A browser that went away in the middle of an answer is no concern of the test: what counts is
/// whether the report arrives.
fn answer(mut request: Request, folders: &[PathBuf], reports: &Sender<String>) {
    if *request.method() == Method::Post && request.url() == "/result" {
        let mut report = String::new();
        if request.as_reader().read_to_string(&mut report).is_ok() {
            let _ = reports.send(report);
        }
        let _ = request.respond(Response::empty(204));
        return;
    }
    // Only file names are served: the page and the module lie flat in their folders.
    let name = request.url().trim_start_matches('/').to_owned();
    let found =
        folders.iter().filter(|_| !name.contains('/')).find_map(|folder| std::fs::read(folder.join(&name)).ok());
    let _ = match found {
        Some(bytes) => request.respond(Response::from_data(bytes).with_header(content_type(&name))),
        None => request.respond(Response::empty(404)),
    };
}

fn content_type(name: &str) -> Header {
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    Header::from_bytes("Content-Type", kind).expect("a plain header")
}
