//! Devices of several processes as one: each opens its own, and the first knows of all.

use std::sync::Arc;

use pollster::block_on;
use serde::{Deserialize, Serialize};

use super::together::named;
use super::{Device, DeviceChoice, DeviceError, Opened, adapters, gpus};
use crate::ranks::{Crew, Machine, Ranks, RanksError, Task, hear, outcome, reports, tell};

/// What the first process knows of the devices of all.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    crew: Arc<Crew>,
    own: Facts,
    others: Vec<Facts>,
}

/// What others have to know of a process's device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Facts {
    name: String,
    machine: String,
    /// As what it was opened: two processes of a machine with the same choice have the same card.
    choice: DeviceChoice,
    max_binding_bytes: Option<u64>,
    usable_bytes: Option<u64>,
}

impl Facts {
    /// What tells its card from those of others.
    fn card(&self) -> (&str, &DeviceChoice) {
        (&self.machine, &self.choice)
    }
}

/// What the first tells the others to open.
#[derive(Serialize, Deserialize)]
struct Opening {
    version: String,
    choices: Vec<DeviceChoice>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Device {
    /// Opens a device in each process of a crew, as one on which work is shared. Of several choices each process of a
    /// machine takes its own, and where any GPU is meant the one at its place; more processes than that share in turn.
    ///
    /// # Errors
    /// When one of them cannot be opened, or some are GPUs and some are the CPU.
    pub fn open_everywhere(crew: &Arc<Crew>, choices: &[DeviceChoice]) -> Result<Opened, DeviceError> {
        let lead = |ranks: &dyn Ranks| {
            tell(ranks, &Opening { version: VERSION.into(), choices: choices.to_vec() })?;
            let (opened, own) = open_here(choices, crew.machine())?;
            Ok::<_, DeviceError>((opened, reports(ranks, &own, "a device")?))
        };
        let (led, followed) = crew.lead(Task::Open, lead)?;
        let followed = followed.into_iter().map(|done| done.map_err(DeviceError::Ranks)).collect();
        let is_consequence = |error: &DeviceError| matches!(error, DeviceError::Ranks(RanksError::Ended));
        let told = |(rank, cause): (usize, DeviceError)| match rank {
            0 => cause,
            rank => DeviceError::Elsewhere { rank, reason: cause.to_string() },
        };
        let (opened, facts) = outcome(led, followed, is_consequence).map_err(told)?;
        Ok(Opened { device: opened.device.among(crew, facts)?, ..opened })
    }

    /// The part of every process but the first in [`Self::open_everywhere`]: the device that it opened.
    ///
    /// # Errors
    /// When it cannot be opened, or the first is of another version.
    pub fn open_following(ranks: &dyn Ranks, machine: &Machine) -> Result<Self, RanksError> {
        let Opening { version, choices } = hear(ranks, "which device to open")?;
        if version != VERSION {
            let words = format!("this is version {VERSION} of the program, and the first process is version {version}");
            return Err(RanksError::Failed(words));
        }
        let (opened, own) = open_here(&choices, machine).map_err(|e| RanksError::Failed(e.to_string()))?;
        reports(ranks, &own, "a device")?;
        Ok(opened.device)
    }

    /// The processes that share the work of this device, if they do.
    pub fn crew(&self) -> Option<&Crew> {
        self.elsewhere.as_ref().map(|elsewhere| &*elsewhere.crew)
    }

    /// This device with those of other processes; `facts` are those of all, its own first.
    fn among(self, crew: &Arc<Crew>, facts: Vec<Facts>) -> Result<Self, DeviceError> {
        let names = facts.iter().map(|facts| facts.name.as_str()).collect::<Vec<_>>();
        let (name, mut all) = (named(&names), facts.into_iter());
        let (Some(own), others) = (all.next(), all.collect::<Vec<_>>()) else { return Ok(self) };
        if let Some(other) = others.iter().find(|other| other.max_binding_bytes.is_some() != self.is_gpu()) {
            return Err(DeviceError::Mixed { first: own.name, other: other.name.clone() });
        }
        let bound = self.max_binding_bytes.into_iter().chain(others.iter().filter_map(|other| other.max_binding_bytes));
        Ok(Self {
            name,
            // What each can bind: all are given the same matrices.
            max_binding_bytes: bound.min(),
            elsewhere: Some(Elsewhere { crew: Arc::clone(crew), own, others }),
            ..self
        })
    }

    /// This device alone.
    pub(super) fn by_itself(&self) -> Self {
        match &self.elsewhere {
            None => self.clone(),
            Some(Elsewhere { own, .. }) => Self {
                name: own.name.clone(),
                max_binding_bytes: own.max_binding_bytes,
                elsewhere: None,
                ..self.clone()
            },
        }
    }

    pub(super) fn names_elsewhere(&self) -> Vec<String> {
        let others = self.elsewhere.iter().flat_map(|elsewhere| &elsewhere.others);
        others.map(|other| other.name.clone()).collect()
    }

    /// How many processes there are on the machine with most of them; `None` where there is one process.
    pub(super) fn most_of_a_machine(&self) -> Option<usize> {
        let all = self.elsewhere.as_ref()?.all();
        let on = |machine: &str| all.iter().filter(|facts| facts.machine == machine).count();
        all.iter().map(|facts| on(&facts.machine)).max()
    }
}

impl Elsewhere {
    fn all(&self) -> Vec<&Facts> {
        std::iter::once(&self.own).chain(&self.others).collect()
    }

    /// Bytes that each may use where this process's own device has so many: those of one card share its memory.
    pub(super) fn usable_beside(&self, own: Option<u64>) -> Option<u64> {
        let own = Facts { usable_bytes: own, ..self.own.clone() };
        let all: Vec<&Facts> = std::iter::once(&own).chain(&self.others).collect();
        let times = |facts: &Facts| all.iter().filter(|other| other.card() == facts.card()).count() as u64;
        all.iter().filter_map(|facts| Some(facts.usable_bytes? / times(facts))).min()
    }
}

/// Opens the device of one process among those of its machine.
fn open_here(choices: &[DeviceChoice], machine: &Machine) -> Result<(Opened, Facts), DeviceError> {
    let any_gpu = matches!(choices, [DeviceChoice::Auto | DeviceChoice::Gpu]);
    let there = if any_gpu { gpus(&block_on(adapters())).len() } else { 0 };
    let choice = of_process(choices, machine.local, there);
    let opened = block_on(Device::open_or_fall_back(&choice))?;
    let device = &opened.device;
    let facts = Facts {
        name: device.name.clone(),
        machine: machine.name.clone(),
        choice,
        max_binding_bytes: device.max_binding_bytes,
        usable_bytes: device.usable_bytes(),
    };
    Ok((opened, facts))
}

/// What the `local`-th process of a machine with so many GPUs opens.
fn of_process(choices: &[DeviceChoice], local: usize, gpus: usize) -> DeviceChoice {
    match choices {
        [] => DeviceChoice::default(),
        [DeviceChoice::Auto | DeviceChoice::Gpu] if gpus > 0 => DeviceChoice::Nth(local % gpus),
        several => several[local % several.len()].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_of_a_machine_has_a_card_while_there_are_some() {
        use DeviceChoice::{Auto, Cpu, Gpu, Nth};
        let of = |choices: &[DeviceChoice], gpus| [0, 1, 2].map(|local| of_process(choices, local, gpus));
        assert_eq!(of(&[Auto], 2), [Nth(0), Nth(1), Nth(0)]);
        assert_eq!(of(&[Gpu], 8), [Nth(0), Nth(1), Nth(2)]);
        // Without a GPU it is as ever: the CPU, or that there is none.
        assert_eq!((of(&[Auto], 0), of(&[Gpu], 0)), ([Auto, Auto, Auto], [Gpu, Gpu, Gpu]));
        assert_eq!(of(&[Nth(1)], 8), [Nth(1), Nth(1), Nth(1)]);
        assert_eq!(of(&[Nth(3), Cpu], 8), [Nth(3), Cpu, Nth(3)]);
        assert_eq!(of(&[], 8), [Auto, Auto, Auto]);
    }

    fn facts(machine: &str, choice: usize, usable_bytes: Option<u64>) -> Facts {
        let (name, machine) = ("card".into(), machine.into());
        Facts { name, machine, choice: DeviceChoice::Nth(choice), max_binding_bytes: Some(1), usable_bytes }
    }

    /// One process without a channel: nothing is asked of the others.
    struct Mute(Machine);

    impl crate::ranks::Post for Mute {
        fn rank(&self) -> usize {
            0
        }

        fn count(&self) -> usize {
            1
        }

        fn machine(&self) -> &Machine {
            &self.0
        }

        fn send(&self, _: usize, _: crate::ranks::Kind, _: &[u8]) {}

        fn next(&self, _: usize) -> Option<crate::ranks::Kind> {
            None
        }

        fn receive(&self, _: usize) -> (crate::ranks::Kind, Vec<u8>) {
            (crate::ranks::Kind::Leave, Vec::new())
        }
    }

    fn crew() -> Arc<Crew> {
        Arc::new(Crew::new(Box::new(Mute(Machine { name: "a".into(), local: 0, processes: 1 }))))
    }

    #[test]
    fn those_of_one_card_share_its_memory() {
        let others =
            vec![facts("a", 0, Some(80)), facts("a", 1, Some(70)), facts("b", 0, Some(60)), facts("b", 2, None)];
        let elsewhere = Elsewhere { crew: crew(), own: facts("a", 0, Some(1)), others };
        assert_eq!(elsewhere.usable_beside(Some(100)), Some(40));
        assert_eq!(elsewhere.usable_beside(Some(30)), Some(15));
        assert_eq!(elsewhere.usable_beside(None), Some(40));
    }

    #[test]
    fn the_first_knows_of_all_and_is_still_itself() {
        let cpu = || Facts { name: "cpu".into(), max_binding_bytes: None, ..facts("a", 0, None) };
        let three = Device::cpu().among(&crew(), vec![cpu(), cpu(), cpu()]).unwrap();
        assert_eq!((three.name(), three.ranks(), three.names()), ("3 × cpu", 3, vec!["cpu".to_owned(); 3]));
        assert!(three.is_shared() && three.crew().is_some());
        let own = &three.each()[0];
        assert_eq!((three.each().len(), own.name(), own.is_shared()), (1, "cpu", false));
        let there = Facts { machine: "b".into(), ..cpu() };
        let apart = Device::cpu().among(&crew(), vec![cpu(), there.clone(), there]).unwrap();
        assert_eq!([&three, &apart, own].map(Device::ranks_of_a_machine), [3, 2, 1]);
        let mixed = Device::cpu().among(&crew(), vec![cpu(), facts("b", 0, None)]).unwrap_err();
        assert!(matches!(mixed, DeviceError::Mixed { other, .. } if other == "card"));
    }
}
