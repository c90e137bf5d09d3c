//! Room on the output's disk, for everything that will stand there at once.

use std::path::Path;

use crate::checkpoint::Dtype;
use crate::device::room::disk_bytes;
use crate::disk;
use crate::pipeline::{FolderError, Plan};

/// Refuses a run that would fill its disk, before its first layer.
pub(super) fn ask(partial: &Path, plan: &Plan, dtype: Dtype) -> Result<(), FolderError> {
    // Where the system does not say, the disk will.
    let Some(free) = disk_bytes(partial) else { return Ok(()) };
    let stored = bytes_in(partial)?;
    let needed = most(plan, dtype).saturating_sub(stored);
    match needed > free {
        true => Err(FolderError::Room { path: partial.into(), needed, free }),
        false => Ok(()),
    }
}

/// The most bytes that stand in the working folder: layers with activations, or layers with the folder
/// that they are put together to, when nobody needs activations any more.
fn most(plan: &Plan, dtype: Dtype) -> u64 {
    let whole = (plan.parameters_after * dtype.bytes()) as u64;
    whole + whole.max(plan.memory.disk_bytes)
}

/// What earlier sessions have left: this one goes on from it, or writes it anew.
fn bytes_in(partial: &Path) -> Result<u64, FolderError> {
    let bytes = |folder: &Path| -> Result<u64, FolderError> {
        let files = disk::names(folder)?.into_iter().filter_map(|name| std::fs::metadata(folder.join(name)).ok());
        Ok(files.filter(std::fs::Metadata::is_file).map(|data| data.len()).sum())
    };
    let whole = partial.join(disk::FINAL);
    Ok(bytes(partial)? + if whole.is_dir() { bytes(&whole)? } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::Target;
    use crate::pipeline::{Limits, Request, plan};

    #[test]
    fn two_copies_stand_side_by_side_or_one_beside_the_activations() {
        let config = include_str!("../../../examples/tiny_model/config.json");
        let config = crate::checkpoint::parse_config(&serde_json::from_str(config).unwrap()).unwrap();
        let mut plan = plan(&Request::to(Target::Ratio(0.2)), &config, &Limits::default()).unwrap();
        plan.memory.disk_bytes = 0;
        let whole = 2 * plan.parameters_after as u64;
        assert_eq!(most(&plan, Dtype::F16), 2 * whole);
        plan.memory.disk_bytes = 3 * whole;
        assert_eq!(most(&plan, Dtype::F16), 4 * whole);
        let folder = tempfile::tempdir().unwrap();
        ask(folder.path(), &plan, Dtype::F16).unwrap();
        plan.memory.disk_bytes = u64::MAX / 2;
        let refused = ask(folder.path(), &plan, Dtype::F16).unwrap_err();
        assert!(
            matches!(refused, FolderError::Room { .. }) && refused.to_string().contains("side by side"),
            "{refused}"
        );
    }
}
