//! Several devices as one, on which the windows of a run are shared: each computes with its share, and the first
//! decides. What works on one device alone works on the first.

use super::{Device, DeviceError};

impl Device {
    /// This device with others that share its work. One device may be there more than once: it then has several shares,
    /// which gains nothing but shows what several would compute.
    ///
    /// # Errors
    /// When some are GPUs and some are the CPU: where things lie is planned for all alike.
    pub fn with(self, others: Vec<Self>) -> Result<Self, DeviceError> {
        if let Some(other) = others.iter().find(|other| other.is_gpu() != self.is_gpu()) {
            return Err(DeviceError::Mixed { first: self.name, other: other.name.clone() });
        }
        if others.is_empty() {
            return Ok(self);
        }
        let members: Vec<Self> = self.each().into_iter().chain(others.iter().flat_map(Self::each)).collect();
        Ok(Self {
            name: named(&members.iter().map(Self::name).collect::<Vec<_>>()),
            // What each can bind: all are given the same matrices.
            max_binding_bytes: members.iter().filter_map(|device| device.max_binding_bytes).min(),
            members,
            ..self
        })
    }

    /// Whether several devices share the work, of this process or of several.
    pub fn is_shared(&self) -> bool {
        self.ranks() > 1
    }

    /// The devices of this process that share the work, each alone and the first first; a single device is the only one.
    pub fn each(&self) -> Vec<Self> {
        if self.members.is_empty() { vec![self.by_itself()] } else { self.members.clone() }
    }

    /// How many devices share the work, those of other processes included.
    pub fn ranks(&self) -> usize {
        self.members.len().max(1) + self.names_elsewhere().len()
    }

    /// Most of them that are of one machine.
    pub fn ranks_of_a_machine(&self) -> usize {
        self.most_of_a_machine().unwrap_or(self.ranks())
    }

    /// The names of all that share the work, in the order of their shares.
    pub fn names(&self) -> Vec<String> {
        self.each().into_iter().map(|device| device.name).chain(self.names_elsewhere()).collect()
    }

    /// Each of them with how often it is there.
    pub(super) fn with_occurrences(&self) -> impl Iterator<Item = (Self, u64)> {
        let of = |device: &Self| self.members.iter().filter(|other| other.tensor == device.tensor).count();
        self.members.iter().map(move |device| (device.clone(), of(device) as u64))
    }
}

/// On a page there is one process.
#[cfg(target_arch = "wasm32")]
impl Device {
    fn by_itself(&self) -> Self {
        self.clone()
    }

    fn names_elsewhere(&self) -> Vec<String> {
        Vec::new()
    }

    fn most_of_a_machine(&self) -> Option<usize> {
        None
    }
}

/// "2 × llvmpipe", or all names where they differ.
pub(super) fn named(names: &[&str]) -> String {
    match names.iter().all(|&name| name == names[0]) {
        true => format!("{} × {}", names.len(), names[0]),
        false => names.join(" + "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, max_binding_bytes: u64) -> Device {
        Device { name: name.into(), max_binding_bytes: Some(max_binding_bytes), ..Device::cpu() }
    }

    #[test]
    fn several_are_called_by_all_their_names() {
        let three = Device::cpu().with(vec![Device::cpu(); 2]).unwrap();
        assert_eq!((three.name(), three.each().len(), three.each()[2].name()), ("3 × cpu", 3, "cpu"));
        assert!(three.is_shared() && three.each().iter().all(|device| !device.is_shared()));
        let two = gpu("small", 128).with(vec![gpu("large", 256)]).unwrap();
        assert_eq!((two.name(), two.max_binding_bytes()), ("small + large", Some(128)));
        assert_eq!(two.with_occurrences().map(|(_, times)| times).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn one_alone_is_what_it_was() {
        let one = Device::cpu().with(Vec::new()).unwrap();
        assert_eq!((one.name(), one.is_shared(), one.each().len()), ("cpu", false, 1));
    }

    #[test]
    fn a_gpu_and_the_cpu_do_not_share() {
        let refused = Device::cpu().with(vec![Device::cpu(), gpu("card", 128)]).unwrap_err();
        assert_eq!(refused.to_string(), "cpu and card cannot share the work: all devices are GPUs or all are the CPU");
    }
}
