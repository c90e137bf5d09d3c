//! How long random windows of a long text take, and how much memory.
//!
//! ```text
//! cargo bench --bench texts                    256 windows of 2048 tokens from 350 MB of rows
//! cargo bench --bench texts -- tokenizer.json  with another tokenizer than the shipped one
//! cargo bench --bench texts -- tokenizer.json rows.parquet  from a file, a folder or a pattern of one's own
//! ```

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use slimgpt::text::{Bos, Files, Sampling, Tokenizer, Windows};

/// Bytes of the rows.
const BYTES: usize = 350_000_000;
const WORDS: [&str; 12] =
    ["the", "cat", "of", "Berlin", "sat", "under", "a", "remarkable", "tree,", "1984", "and", "said:"];

/// Rows of different lengths, as web pages have them.
fn write_rows(path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    let (mut written, mut state) = (0, 1u64);
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    while written < BYTES {
        let words: Vec<&str> = (0..20 + next(800)).map(|_| WORDS[next(12) as usize]).collect();
        let row = format!("{{\"text\": \"{}\", \"url\": \"https://example.org\"}}\n", words.join(" "));
        written += row.len();
        file.write_all(row.as_bytes())?;
    }
    file.flush()
}

/// The most memory that was in use, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.map_or("unknown".into(), |line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut named = std::env::args().skip(1).filter(|a| !a.starts_with('-')).map(PathBuf::from);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model/tokenizer.json");
    let tokenizer = named.next().unwrap_or(shipped);
    let path = match named.next() {
        Some(path) => path,
        None => {
            let path = folder.path().join("rows.jsonl");
            write_rows(&path)?;
            path
        }
    };
    let tokenizer = Tokenizer::from_bytes(&std::fs::read(tokenizer)?, usize::MAX)?;
    let files = Files { paths: &[path], key: "text", documents: None };
    println!("memory before: {}", peak());
    for sampling in [Sampling::Sequential, Sampling::Random] {
        let which = Windows { count: Some(256), length: 2048, sampling, bos: Bos::None, seed: 0 };
        let started = Instant::now();
        let cut = files.windows(None, &tokenizer, None, &which, &mut |_, _| {})?;
        println!(
            "{sampling:?}: {} windows of {} tokens in {:.2} s; most memory so far {}",
            cut.windows.len(),
            cut.windows[0].len(),
            started.elapsed().as_secs_f64(),
            peak()
        );
    }
    Ok(())
}
