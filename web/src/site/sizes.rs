//! How large the page's parts are, and how large they may be.

use std::fmt;

use anyhow::{Result, ensure};

use super::folder::File;

/// What is loaded together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The text and the lessons without a model: what every reader loads.
    Lessons,
    /// What a reader loads with the first lesson on a model.
    Model,
    /// The window.
    Window,
}

impl Part {
    const ALL: [Self; 3] = [Self::Lessons, Self::Model, Self::Window];

    /// The part that the file of this name belongs to.
    pub fn of(name: &str) -> Self {
        match name.split('/').next() {
            Some("worker" | "worker.js" | "model") => Self::Model,
            Some("app") => Self::Window,
            _ => Self::Lessons,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Lessons => "lessons",
            Self::Model => "worker and model",
            Self::Window => "window",
        }
    }

    /// Most bytes, compressed: what loads in a second or two on a phone.
    fn most(self) -> Option<usize> {
        match self {
            Self::Lessons => Some(500_000),
            Self::Model => Some(8_000_000),
            Self::Window => None,
        }
    }
}

struct Size {
    part: Part,
    files: usize,
    raw: usize,
    brotli: usize,
}

/// The size of every part that there is.
pub struct Sizes(Vec<Size>);

impl Sizes {
    /// Adds up files, each compressed as a web server compresses what it keeps.
    ///
    /// # Errors
    /// When memory refuses, which it does not.
    pub fn of(files: &[File]) -> Result<Self> {
        let mut sizes: Vec<Size> = Part::ALL.map(|part| Size { part, files: 0, raw: 0, brotli: 0 }).into();
        for file in files {
            let part = Part::of(&file.name);
            if let Some(size) = sizes.iter_mut().find(|size| size.part == part) {
                size.files += 1;
                size.raw += file.bytes.len();
                size.brotli += brotli(&file.bytes)?;
            }
        }
        sizes.retain(|size| size.files > 0);
        Ok(Self(sizes))
    }

    /// Fails when a part is larger than its readers should wait for.
    ///
    /// # Errors
    /// With the part, and all sizes.
    pub fn check(&self) -> Result<()> {
        for Size { part, brotli, .. } in &self.0 {
            let most = part.most().unwrap_or(usize::MAX);
            ensure!(*brotli <= most, "the {} are too large: {brotli} bytes of at most {most}\n{self}", part.name());
        }
        Ok(())
    }
}

/// What is small is pressed as hard as can be; for modules of tens of megabytes that would take minutes.
fn brotli(bytes: &[u8]) -> Result<usize> {
    let quality = if bytes.len() < 4 << 20 { 11 } else { 5 };
    let parameters = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &parameters)?;
    Ok(compressed.len())
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: usize| format!("{:.2} MB", bytes as f64 / 1e6);
        writeln!(f, "{:<18}{:>6}{:>12}{:>12}{:>12}", "part", "files", "raw", "brotli", "at most")?;
        for Size { part, files, raw, brotli } in &self.0 {
            let most = part.most().map(mb).unwrap_or_default();
            let line = format!("{:<18}{files:>6}{:>12}{:>12}{most:>12}", part.name(), mb(*raw), mb(*brotli));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..bytes).map(next).collect()
    }

    #[test]
    fn a_part_that_is_too_large_is_refused_by_its_compressed_size() {
        let sizes = |name: &str, bytes| Sizes::of(&[File { name: name.into(), bytes }]).expect("memory");
        assert!(sizes("page/page_bg.wasm", vec![0; 2_000_000]).check().is_ok());
        assert!(sizes("page/page_bg.wasm", noise(510_000)).check().is_err());
        assert!(sizes("worker/worker_bg.wasm", noise(510_000)).check().is_ok());
        let told = sizes("model/model.safetensors", noise(8_100_000)).check().expect_err("too large").to_string();
        assert!(told.contains("worker and model") && told.contains("8.10 MB"), "{told}");
    }

    #[test]
    fn every_file_belongs_to_what_it_is_loaded_with() {
        for (name, part) in [
            ("index.html", Part::Lessons),
            ("page/snippets/x/inline0.js", Part::Lessons),
            ("worker.js", Part::Model),
            ("model/config.json", Part::Model),
            ("app/index.html", Part::Window),
        ] {
            assert_eq!(Part::of(name), part, "{name}");
        }
    }
}
