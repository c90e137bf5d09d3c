//! A hub on the loopback address, and the storage that it sends to for large files: small files lie in git under
//! their git hash, large ones elsewhere under their SHA-256, as on the real one. A twist answers in place of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that every branch is at.
pub const COMMIT: &str = "f09bf1f4d4c7e9bfd2f6f1cf6a0d4d3e2c1b0a99";

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whether the hub itself was asked, and not its storage.
    pub is_hub: bool,
    pub method: String,
    pub path: String,
    pub token: Option<String>,
    /// The first byte that is wanted.
    pub from: usize,
}

/// What is sent back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which nothing more comes.
    pub cut: Option<usize>,
    /// Whether the connection stays open then.
    pub held: bool,
}

impl Answer {
    pub fn of(status: u16, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { status, headers, body: Vec::new(), cut: None, held: false }
    }
}

type Files = BTreeMap<String, Vec<u8>>;
/// Answers in place of the hub; the usual answer is there to be changed.
type Twist = dyn Fn(&Asked, &mut Answer) + Send + Sync;

struct State {
    files: Files,
    twist: Box<Twist>,
    asked: Mutex<Vec<Asked>>,
    storage: String,
}

/// The hub and its storage, until the test ends.
pub struct Server {
    state: Arc<State>,
    address: String,
}

impl Server {
    /// Serves these files: `models/org/name/file` or `datasets/org/name/file`.
    pub fn of(files: Files) -> Self {
        Self::with(files, |_, _| {})
    }

    pub fn with(files: Files, twist: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (hub, storage) = (listen(), listen());
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (address, storage_address) = (address(&hub), address(&storage));
        let state =
            Arc::new(State { files, twist: Box::new(twist), asked: Mutex::default(), storage: storage_address });
        for (listener, is_hub) in [(hub, true), (storage, false)] {
            let state = Arc::clone(&state);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || state.serve(stream, is_hub));
                }
            });
        }
        Self { state, address }
    }

    /// One whose storage stops once after so many bytes and says nothing more.
    pub fn halting(files: Files, bytes: usize) -> Self {
        let times = AtomicUsize::new(0);
        Self::with(files, move |asked, answer| {
            if !asked.is_hub && times.fetch_add(1, Ordering::SeqCst) == 0 {
                (answer.cut, answer.held) = (Some(bytes), true);
            }
        })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// All that was asked so far, in its order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The first bytes that were asked of the storage.
    pub fn ranges(&self) -> Vec<usize> {
        self.asked().iter().filter(|asked| !asked.is_hub).map(|asked| asked.from).collect()
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream, is_hub: bool) {
        let Some(asked) = request(&mut stream, is_hub) else { return };
        self.asked.lock().unwrap().push(asked.clone());
        let mut answer = if is_hub { self.of_hub(&asked) } else { self.of_storage(&asked) };
        (self.twist)(&asked, &mut answer);
        // A client that went away is what some tests are about.
        let _ = send(&mut stream, &asked, &answer);
    }

    fn of_hub(&self, asked: &Asked) -> Answer {
        if let Some(path) = asked.path.strip_prefix("/api/") {
            let Some((repository, _)) = path.split_once("/revision/") else { return missing("RepoNotFound") };
            let inside = |file: &&String| file.starts_with(&format!("{repository}/"));
            let files: Vec<_> = self.files.keys().filter(inside).collect();
            let names = files.iter().map(|file| json!({ "rfilename": file[repository.len() + 1..] }));
            let body = json!({ "sha": COMMIT, "siblings": names.collect::<Vec<_>>() }).to_string().into_bytes();
            return if files.is_empty() { missing("RepoNotFound") } else { Answer { body, ..Answer::of(200, &[]) } };
        }
        let path = match asked.path.strip_prefix("/datasets/") {
            Some(path) => format!("datasets/{path}"),
            None => format!("models{}", asked.path),
        };
        let Some((repository, file)) = path.split_once("/resolve/") else { return missing("RepoNotFound") };
        let file = file.split_once('/').map(|(_, file)| format!("{repository}/{file}"));
        let Some((name, bytes)) = file.and_then(|file| self.files.get_key_value(&file)) else {
            return missing("EntryNotFound");
        };
        if !is_large(name) {
            let etag = format!("\"{}\"", git_hash(bytes));
            let headers = [("X-Repo-Commit", COMMIT), ("ETag", etag.as_str())];
            return Answer { body: bytes.clone(), ..Answer::of(200, &headers) };
        }
        let (hash, size) = (sha256(bytes), bytes.len().to_string());
        let (location, etag) = (format!("{}/{hash}", self.storage), format!("\"{hash}\""));
        let linked = [("X-Linked-Etag", etag.as_str()), ("X-Linked-Size", size.as_str())];
        Answer::of(302, &[&[("X-Repo-Commit", COMMIT), ("Location", location.as_str())][..], &linked].concat())
    }

    fn of_storage(&self, asked: &Asked) -> Answer {
        let bytes = self.files.values().find(|bytes| sha256(bytes) == asked.path[1..]);
        let Some(bytes) = bytes else { return missing("") };
        match asked.from {
            0 => Answer { body: bytes.clone(), ..Answer::of(200, &[]) },
            from if from < bytes.len() => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Answer { body: bytes[from..].to_vec(), ..Answer::of(206, &[("Content-Range", &range)]) }
            }
            _ => Answer::of(416, &[]),
        }
    }
}

fn missing(code: &str) -> Answer {
    Answer::of(404, &[("X-Error-Code", code)])
}

/// Reads a request without a body.
fn request(stream: &mut TcpStream, is_hub: bool) -> Option<Asked> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let from = header("range").map(|range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    Some(Asked { is_hub, method, path, token: header("authorization"), from: from.unwrap_or(0) })
}

fn send(stream: &mut TcpStream, asked: &Asked, answer: &Answer) -> std::io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    if asked.method != "HEAD" {
        stream.write_all(&answer.body[..answer.cut.unwrap_or(answer.body.len())])?;
    }
    if answer.held {
        std::thread::sleep(Duration::from_secs(120));
    }
    Ok(())
}

fn is_large(file: &str) -> bool {
    [".safetensors", ".bin", ".gz"].iter().any(|end| file.ends_with(end))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn git_hash(bytes: &[u8]) -> String {
    hex(&Sha1::digest([format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat()))
}
