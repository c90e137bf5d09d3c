//! What people have in place of a model's folder or its GGUF (one file of several, an archive, an adapter): before a
//! command begins, each becomes the path that is opened.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use slimgpt::checkpoint::{Located, locate, unpacked, unpacked_here};

use super::exit::Usage;
use super::{out, progress};

/// Puts the path that is opened in the place of a model's. An adapter goes into `adapter`, where the command takes one,
/// and the model that it was trained on comes into its place, perhaps from the cache as `cached` finds it.
pub fn located(
    model: &mut PathBuf,
    adapter: Option<&mut Option<PathBuf>>,
    cached: &dyn Fn(&str) -> Option<PathBuf>,
    json: bool,
) -> Result<()> {
    let (folder, base) = match locate(model)? {
        Located::Model(path) => {
            *model = path;
            return Ok(());
        }
        Located::Packed(zip) => {
            let folder = unpacked(&zip, &unpacked_here(), &mut progress::bytes("unpacking", json))?;
            out::detail(format_args!("{}: unpacked in {}", zip.display(), folder.display()));
            *model = folder;
            return Ok(());
        }
        Located::Adapter { folder, base } => (folder, base),
    };
    let Some(adapter) = adapter else {
        let what = "holds low-rank factors for";
        let shown = folder.display();
        return Err(Usage(format!(
            "{shown} {what} {base} and no model; this command takes whole ones: make one with `slimgpt export padded {shown} --out DIR`"
        ))
        .into());
    };
    let shown = folder.display();
    if let Some(other) = adapter {
        let what = "holds low-rank factors, and so does --adapter";
        return Err(Usage(format!("{shown} {what} {}: give one of them", other.display())).into());
    }
    // Nothing is downloaded, because nobody typed its name.
    let Some(found) = beside(&folder, &base).or_else(|| cached(&base)) else {
        bail!(
            "{shown} holds low-rank factors for {base}, which is neither beside it nor in the cache; download it \
             (`slimgpt inspect {base}` does), or give it in the place of MODEL and this folder as --adapter {shown}"
        );
    };
    out::note(format_args!("{shown}: low-rank factors, added to {}", found.display()));
    (*model, *adapter) = (found, Some(folder));
    Ok(())
}

/// The model that an adapter was trained on, where the path leads that stands there, or beside the adapter.
fn beside(folder: &Path, base: &str) -> Option<PathBuf> {
    let around = folder.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let last = Path::new(base).file_name().map(|name| around.join(name));
    let paths = [Some(folder.join(base)), last, Some(base.into())];
    // A folder or a GGUF, not one more adapter.
    let is_model = |path: &PathBuf| path.is_file() || path.join("config.json").is_file();
    paths.into_iter().flatten().find_map(|path| match locate(&path) {
        Ok(Located::Model(path)) => Some(path).filter(is_model),
        _ => None,
    })
}
