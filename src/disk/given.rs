//! What is given to read: files, and no larger than what is meant can be. In a folder from elsewhere a pipe
//! nobody writes to, a device without an end or terabytes of nothing may have the name of a file of kilobytes.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, ErrorKind, IsTerminal as _, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::DiskError;

/// Most bytes of settings: JSON that is not for weights, a template, a schedule. What is made of them takes at
/// most some seventy times as much, and real ones are a hundred times smaller.
pub const SETTINGS: u64 = 16 << 20;
/// Most bytes of a tokenizer.json; the largest in use has half of it.
pub const TOKENIZER: u64 = 64 << 20;
/// Most bytes of a report: it names every channel that a layer keeps, and the largest model has half of it.
pub const REPORT: u64 = 256 << 20;
/// Most bytes of rows that are all held at once, as those of a task.
pub const ROWS: u64 = 1 << 30;
/// Where a shell puts the pipes and files that it hands over.
const HANDED_OVER: [&str; 4] = ["/dev/stdin", "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// What standard input is called where a file is wanted.
const STANDARD_INPUT: &str = "-";
/// Whether standard input was opened.
static OPENED: AtomicBool = AtomicBool::new(false);

/// Opens a file to read.
///
/// # Errors
/// When it cannot be opened, or is no file.
pub fn open(path: &Path) -> Result<File, DiskError> {
    opened(path, |data| data.is_file()).map_err(DiskError::at("read", path))
}

/// [`open`] of what a person named: what the shell hands over may be a pipe, and `-` is standard input.
///
/// # Errors
/// As [`open`]; also when standard input is opened a second time, or nobody writes to it but a person.
pub fn open_named(path: &Path) -> Result<File, DiskError> {
    if is_standard_input(path) {
        return standard_input().map_err(DiskError::at("read", path));
    }
    opened(path, |data| data.is_file() || is_handed_over(path, data)).map_err(DiskError::at("read", path))
}

/// The bytes of a file of settings.
///
/// # Errors
/// When it cannot be read, is no file, or has more than [`SETTINGS`] bytes.
pub fn read(path: &Path) -> Result<Vec<u8>, DiskError> {
    read_within(path, SETTINGS)
}

/// The bytes of a file that has at most so many.
///
/// # Errors
/// When it cannot be read, is no file, or is larger.
pub fn read_within(path: &Path, most: u64) -> Result<Vec<u8>, DiskError> {
    open(path).and_then(|file| bounded(file, most).map_err(DiskError::at("read", path)))
}

/// [`read_within`] of what a person named: what the shell hands over may be a pipe.
///
/// # Errors
/// As [`read_within`].
pub fn read_named(path: &Path, most: u64) -> Result<Vec<u8>, DiskError> {
    open_named(path).and_then(|file| bounded(file, most).map_err(DiskError::at("read", path)))
}

/// Whether a path leads to something that can be read only once, from its beginning to its end.
pub fn is_pipe(path: &Path) -> bool {
    is_standard_input(path) || fs::metadata(path).is_ok_and(|data| is_handed_over(path, &data))
}

/// What a person calls a file that was named.
pub fn told(path: &Path) -> String {
    if is_standard_input(path) { "standard input".into() } else { path.display().to_string() }
}

/// A file that is really called so is named with its folder: `./-`.
fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

fn standard_input() -> io::Result<File> {
    let wrong = |reason: &str| io::Error::new(ErrorKind::InvalidInput, reason);
    if io::stdin().is_terminal() {
        return Err(wrong("it is a terminal; write a text to it as in `cat FILE | slimgpt …`, or name a file"));
    }
    // Whoever read first has taken it all.
    if OPENED.swap(true, Ordering::Relaxed) {
        return Err(wrong("it is named a second time, and can be read only once; write it to a file and name that"));
    }
    own_handle()
}

/// A handle of our own: the one of std reads ahead for itself.
#[cfg(unix)]
fn own_handle() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn own_handle() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(not(any(unix, windows)))]
fn own_handle() -> io::Result<File> {
    Err(io::Error::from(ErrorKind::Unsupported))
}

fn opened(path: &Path, is_right: impl Fn(&Metadata) -> bool) -> io::Result<File> {
    // Looked at before it is opened: opening a pipe waits for whoever writes to it.
    let data = fs::metadata(path)?;
    match is_right(&data) {
        true => File::open(path),
        false => Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {}, not a file", kind(data.file_type())))),
    }
}

fn bounded(file: File, most: u64) -> io::Result<Vec<u8>> {
    let large = |bytes: u64, or_more: &str| {
        let sizes = format!("it has {bytes} bytes{or_more}, and what is meant has at most {most}");
        io::Error::new(ErrorKind::FileTooLarge, sizes)
    };
    let told = file.metadata()?.len();
    if told > most {
        return Err(large(told, ""));
    }
    // Not by the size that is told, which pipes and files of the system do not know.
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or_default());
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(large(most + 1, " or more")) } else { Ok(bytes) }
}

/// Whether it is a pipe that whoever started this program writes to. One that lies in a folder may have
/// nobody at its other end.
fn is_handed_over(path: &Path, data: &Metadata) -> bool {
    is_fifo(data.file_type()) && HANDED_OVER.iter().any(|place| path.starts_with(place))
}

#[cfg(unix)]
fn is_fifo(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_fifo(_: FileType) -> bool {
    false
}

fn kind(kind: FileType) -> &'static str {
    #[cfg(unix)]
    let special = {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_socket() { "a socket" } else { "a device" }
    };
    #[cfg(not(unix))]
    let special = "a device";
    match kind {
        _ if kind.is_dir() => "a folder",
        _ if is_fifo(kind) => "a pipe",
        _ => special,
    }
}
