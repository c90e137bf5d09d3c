//! Writing a pruned model in a form that other programs open, beside its folder.

use std::path::{Path, PathBuf};

use crate::mail::{Mail, Message};
use crate::platform;
#[cfg(not(target_arch = "wasm32"))]
use crate::remedy::told;

/// A form that other programs open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One file for llama.cpp and everything built on it.
    Gguf,
    /// A folder for mlx-lm.
    Mlx,
    /// A folder whose layers are filled up with zeros to one size.
    Padded,
}

impl Form {
    /// In the order of use.
    pub const ALL: [Self; 3] = [Self::Gguf, Self::Mlx, Self::Padded];

    /// What its button is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "GGUF for llama.cpp",
            Self::Mlx => "Folder for mlx-lm",
            Self::Padded => "Padded folder",
        }
    }

    /// Where it is written for a folder.
    pub fn out(self, folder: &Path) -> PathBuf {
        let name = folder.file_name().map_or("model".into(), |n| n.to_string_lossy().into_owned());
        folder.with_file_name(match self {
            Self::Gguf => format!("{name}.gguf"),
            Self::Mlx => format!("{name}-mlx"),
            Self::Padded => format!("{name}-padded"),
        })
    }
}

/// Writes it; what stands there is never replaced.
pub fn start(mail: &Mail, folder: PathBuf, form: Form) {
    let of = folder.clone();
    platform::spawn(mail, move |done| Message::Exported(of, done), move || async move { written(&folder, form) });
}

#[cfg(not(target_arch = "wasm32"))]
fn written(folder: &Path, form: Form) -> Result<PathBuf, String> {
    use slimgpt::export::{gguf, mlx, padded};

    let checkpoint = slimgpt::checkpoint::Checkpoint::open(folder).map_err(told)?;
    let (out, mut quietly) = (form.out(folder), |_: usize, _: usize| {});
    let done = match form {
        Form::Gguf => {
            let options = gguf::Options { dtype: None, overwrite: false };
            gguf::export(&checkpoint, &out, options, &mut quietly).map(drop)
        }
        Form::Mlx => mlx::export(&checkpoint, &out, false, &mut quietly),
        Form::Padded => padded::export(&checkpoint, &out, false, &mut quietly).map(drop),
    };
    done.map(|()| out).map_err(told)
}

#[cfg(target_arch = "wasm32")]
fn written(_: &Path, _: Form) -> Result<PathBuf, String> {
    Err("a page cannot write files; the desktop program can".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_lies_beside_the_folder_and_never_in_its_place() {
        for form in Form::ALL {
            let out = form.out(Path::new("/models/slim"));
            assert_eq!(out.parent(), Some(Path::new("/models")));
            assert_ne!(out, Path::new("/models/slim"));
        }
    }
}
