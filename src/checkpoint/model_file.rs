//! Files that stand for a model, by how their names end: the one list for what opens them and for what lets people choose.

use std::path::Path;

use strum::IntoEnumIterator;

/// A file that stands for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter, strum::EnumString, strum::IntoStaticStr)]
// What systems without a difference between A and a have written is read everywhere.
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum ModelFile {
    /// All of it, or one of the parts that it was split into.
    Gguf,
    /// Weights, with config.json beside them, or low-rank factors.
    Safetensors,
    /// A model's folder in one archive.
    Zip,
    /// One of the settings that lie beside weights.
    Json,
}

impl ModelFile {
    /// What a file is by its name; `None` where that says nothing.
    pub fn of(path: &Path) -> Option<Self> {
        path.extension()?.to_str()?.parse().ok()
    }

    /// How the names of all end, without the dot.
    pub fn endings() -> Vec<&'static str> {
        Self::iter().map(Into::into).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_file_is() {
        let of = |name: &str| ModelFile::of(Path::new(name));
        assert_eq!(of("m-00001-of-00002.GGUF"), Some(ModelFile::Gguf));
        assert_eq!(of("a/model.safetensors"), Some(ModelFile::Safetensors));
        for other in ["gguf", ".zip", "model.bin", "model.safetensors.index", "a.zip/b", ""] {
            assert_eq!(of(other), None, "{other}");
        }
        for ending in ModelFile::endings() {
            assert!(of(&format!("m.{ending}")).is_some(), "{ending}");
        }
    }
}
