//! A Modelfile, by which Ollama takes a GGUF file in: `ollama create NAME -f FILE.Modelfile`. Template and begin and end
//! tokens are those of the GGUF's own keys, so it says no more than where that is.

use std::path::{Path, PathBuf};

use super::ExportError;
use crate::place::{Kind, Place};

/// What a Modelfile is for, in its first line, which is the mark of one of ours.
const ABOUT: &str = "# Made by slimgpt. The model is taken into Ollama by: ollama create NAME -f";

/// Where the Modelfile of a GGUF file stands: beside it.
pub fn place(gguf: &Path) -> Place {
    Place::new(&gguf.with_extension("Modelfile"), Kind::Modelfile, true)
}

/// Writes the Modelfile of a GGUF file, and says where it is.
///
/// # Errors
/// When something else stands there, the name of the file cannot be said in one, or the disk refuses.
pub fn write(gguf: &Path) -> Result<PathBuf, ExportError> {
    let place = place(gguf);
    place.write(text(gguf)?.as_bytes())?;
    Ok(place.out().to_owned())
}

fn text(gguf: &Path) -> Result<String, ExportError> {
    let name = gguf.file_name().and_then(|name| name.to_str()).filter(|name| !name.contains(char::is_control));
    // Ollama reads a line as a command, and what is no UTF-8 as nothing.
    let name = name.ok_or_else(|| ExportError::CannotHold {
        target: "a Modelfile",
        reason: format!("{} is no name that fits in a line", gguf.display()),
        remedy: "give the GGUF another name",
    })?;
    let own = gguf.with_extension("Modelfile");
    let own = own.file_name().unwrap_or_default().to_string_lossy();
    // From the Modelfile's own folder, so that both can be moved together.
    Ok(format!("{ABOUT} {own}\nFROM ./{name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leads_to_the_file_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let gguf = folder.path().join("my slim.gguf");
        let written = write(&gguf).unwrap();
        assert_eq!(written, folder.path().join("my slim.Modelfile"));
        let text = std::fs::read_to_string(&written).unwrap();
        assert!(text.ends_with("my slim.Modelfile\nFROM ./my slim.gguf\n"), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 1);
        // Made again at will, but not over somebody's own.
        write(&gguf).unwrap();
        std::fs::write(&written, "FROM llama3\n").unwrap();
        assert!(write(&gguf).unwrap_err().to_string().contains("was not made by slimgpt"));
        assert!(write(&folder.path().join("a\nSYSTEM b.gguf")).unwrap_err().to_string().contains("another name"));
    }
}
