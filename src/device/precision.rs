//! In what the large products of a model are computed: a device of its own accord in single precision, and, once it is
//! told so, in half precision on its matrix units.
//!
//! Sums are in single precision in both, and so is all that is solved. What is computed in halves has other last bits,
//! so the device is then called by another name, and everything that tells devices apart tells these apart.

use std::sync::Mutex;

use burn::tensor::Device as TensorDevice;

use super::Device;

/// What factors of a model's large products are rounded to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumMessage, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[non_exhaustive]
pub enum Precision {
    /// Half precision where the card has matrix units for it, several times as fast; sums in single precision
    #[default]
    Half,
    /// Single precision everywhere
    F32,
}

/// Tokens of a Hessian that are split in halves and summed at once: with more, the sums of matrix units lose digits, with
/// fewer H is read and written more often.
pub const SPLIT_AT_ONCE: usize = 1024;

/// The devices that were told to multiply in half precision.
static IN_HALVES: Mutex<Vec<TensorDevice>> = Mutex::new(Vec::new());

/// Whether the large products on this device are in half precision. Never where gradients are traced: what comes back
/// through a product is autodiff's own.
pub fn multiplies_halves(on: &TensorDevice) -> bool {
    // A panic of another thread leaves the list whole: devices are only pushed.
    IN_HALVES.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(on)
}

impl Device {
    /// The device with its products in this precision from now on, in this whole process: in halves if it has units for
    /// it, and otherwise as it was.
    #[must_use]
    pub fn in_precision(self, precision: Precision) -> Self {
        if precision != Precision::Half || !self.has_matrix_units() {
            return self;
        }
        let mut devices = IN_HALVES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !devices.contains(&self.tensor) {
            devices.push(self.tensor.clone());
        }
        Self { name: format!("{}, half precision", self.name), ..self }
    }

    /// Whether our kernels find matrix units for half precision on it.
    pub fn has_matrix_units(&self) -> bool {
        self.matrix_units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_matrix_units_stays_as_it_is() {
        let cpu = Device::cpu().in_precision(Precision::Half);
        assert_eq!((cpu.name(), multiplies_halves(cpu.tensor_device())), ("cpu", false));
    }
}
