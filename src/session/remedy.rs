//! Which remedy an error has: the one list of the errors that know one.

use std::error::Error;

#[cfg(feature = "gradients")]
use super::RecoverySessionError;
#[cfg(not(target_arch = "wasm32"))]
use super::{FindError, SessionError};
use crate::allocate::AllocateError;
use crate::checkpoint::WriteError;
use crate::device::DeviceError;
use crate::device::readback::ReadbackError;
use crate::eval::{EvalError, TimesError};
#[cfg(not(target_arch = "wasm32"))]
use crate::export::ExportError;
#[cfg(not(target_arch = "wasm32"))]
use crate::hub::HubError;
#[cfg(not(target_arch = "wasm32"))]
use crate::pipeline::FolderError;
use crate::pipeline::{PipelineError, PlanError};
#[cfg(not(target_arch = "wasm32"))]
use crate::place::PlaceError;
#[cfg(feature = "gradients")]
use crate::recover::RecoverError;
use crate::remedy::{Remedied, Remedy};
use crate::search::SearchError;
use crate::text::{ChatError, TextError};

/// The remedy of an error of this library, whatever its type; its causes are not looked at.
pub fn remedy_of(error: &(dyn Error + 'static)) -> Option<Remedy> {
    let known = [
        of::<crate::error::Error>,
        of::<AllocateError>,
        of::<PlanError>,
        of::<PipelineError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<FolderError>,
        of::<DeviceError>,
        of::<ReadbackError>,
        of::<WriteError>,
        of::<TextError>,
        of::<ChatError>,
        of::<EvalError>,
        of::<TimesError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<ExportError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<FindError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<HubError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<PlaceError>,
        #[cfg(not(target_arch = "wasm32"))]
        of::<SessionError>,
        of::<SearchError>,
        #[cfg(feature = "gradients")]
        of::<RecoverError>,
        #[cfg(feature = "gradients")]
        of::<RecoverySessionError>,
    ];
    known.into_iter().find_map(|remedy| remedy(error))
}

fn of<E: Remedied + Error + 'static>(error: &(dyn Error + 'static)) -> Option<Remedy> {
    error.downcast_ref::<E>().and_then(E::remedy)
}
