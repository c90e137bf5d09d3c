//! Which adapter is meant by what was asked for, and by which words each can be asked for.

use super::{Adapter, DeviceError};

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The best hardware GPU, or an error.
    Gpu,
    /// The n-th best hardware GPU, from 0.
    Nth(usize),
    /// The CPU executor, in f32 on all cores.
    Cpu,
    /// The n-th adapter of a driver interface such as "vulkan", from 0, software adapters included.
    Of(String, usize),
    /// The adapter whose name contains this text, software adapters included.
    Named(String),
}

/// Driver interfaces that adapters are asked for by.
const INTERFACES: [&str; 3] = ["vulkan", "metal", "dx12"];

impl std::str::FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_lowercase();
        let (word, number) = match lower.split_once(':') {
            Some((word, number)) => (word, number.parse().ok()),
            None => (lower.as_str(), Some(0)),
        };
        Ok(match (word, number) {
            ("auto", _) if lower == word => Self::Auto,
            ("gpu", _) if lower == word => Self::Gpu,
            ("gpu", Some(n)) => Self::Nth(n),
            ("cpu", Some(0)) => Self::Cpu,
            (word, Some(n)) if INTERFACES.contains(&word) => Self::Of(word.to_owned(), n),
            // Names have commas and colons of their own.
            _ => Self::Named(text.trim().to_owned()),
        })
    }
}

/// Hardware GPUs, the best first, each once: where two driver interfaces show one card, by the first.
pub fn gpus(adapters: &[Adapter]) -> Vec<&Adapter> {
    // Software computes on the cores that the CPU executor uses, so it must be asked for by name. "other"
    // is taken last but is taken: a browser does not say what its adapter is.
    let rank = |a: &Adapter| ["discrete", "integrated", "virtual", "other"].iter().position(|&k| k == a.kind);
    let mut seen: Vec<(&str, usize)> = Vec::new();
    let mut found: Vec<(usize, &Adapter)> = Vec::new();
    for (i, adapter) in adapters.iter().enumerate() {
        let Some(rank) = rank(adapter) else { continue };
        // Two equal cards have one name, but each interface lists both.
        let of_its_kind = |a: &&Adapter| a.name == adapter.name && a.backend == adapter.backend;
        let card = (adapter.name.as_str(), adapters[..i].iter().filter(of_its_kind).count());
        if !seen.contains(&card) {
            seen.push(card);
            found.push((rank, adapter));
        }
    }
    // Stable, so that equals stay in the driver's order.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, adapter)| adapter).collect()
}

/// The words that mean each adapter alone, the shortest first, beside parts of its name.
pub fn typed(adapters: &[Adapter]) -> Vec<Vec<String>> {
    let gpus = gpus(adapters);
    let words = |(i, adapter): (usize, &Adapter)| {
        let gpu = gpus.iter().position(|gpu| std::ptr::eq(*gpu, adapter)).map(|n| format!("gpu:{n}"));
        let nth = adapters[..i].iter().filter(|a| a.backend == adapter.backend).count();
        let interface = INTERFACES.contains(&adapter.backend.as_str());
        gpu.into_iter().chain(interface.then(|| format!("{}:{nth}", adapter.backend))).collect()
    };
    adapters.iter().enumerate().map(words).collect()
}

/// The adapter that is meant.
pub(super) fn chosen(adapters: &[Adapter], choice: &DeviceChoice) -> Result<Adapter, DeviceError> {
    let found = match choice {
        DeviceChoice::Auto | DeviceChoice::Gpu | DeviceChoice::Nth(0) => {
            let best = gpus(adapters).into_iter().next().cloned();
            // None of them has a rank, so all there are compute in software.
            let software = || DeviceError::NoGpu { software: adapters.iter().map(|a| a.name.clone()).collect() };
            return best.ok_or_else(software);
        }
        DeviceChoice::Nth(n) => gpus(adapters).into_iter().nth(*n),
        DeviceChoice::Of(interface, n) => adapters.iter().filter(|a| a.backend == *interface).nth(*n),
        // No adapter is the CPU executor; whoever opens devices has asked for that before.
        DeviceChoice::Cpu => None,
        DeviceChoice::Named(name) => named(adapters, name),
    };
    found.cloned().ok_or_else(|| DeviceError::NoSuchAdapter { asked: asked(choice), known: known(adapters) })
}

/// Hardware goes before software, the whole name before a part of it.
fn named<'a>(adapters: &'a [Adapter], name: &str) -> Option<&'a Adapter> {
    let wanted = name.to_lowercase();
    let ranked = || gpus(adapters).into_iter().chain(adapters);
    let whole = ranked().find(|a| a.name.to_lowercase() == wanted);
    // An empty text is a part of every name, and means none.
    whole.or_else(|| ranked().find(|a| !wanted.is_empty() && a.name.to_lowercase().contains(&wanted)))
}

fn asked(choice: &DeviceChoice) -> String {
    match choice {
        DeviceChoice::Nth(n) => format!("is gpu:{n}"),
        DeviceChoice::Of(interface, n) => format!("is {interface}:{n}"),
        DeviceChoice::Named(name) => format!("has \"{name}\" in its name"),
        DeviceChoice::Auto | DeviceChoice::Gpu | DeviceChoice::Cpu => "is meant".into(),
    }
}

/// All there are, as they can be asked for.
fn known(adapters: &[Adapter]) -> Vec<String> {
    let words = typed(adapters).into_iter().zip(adapters).map(|(words, a)| match words.first() {
        Some(word) => format!("{word} ({})", a.name),
        None => a.name.clone(),
    });
    // "cpu" is no adapter, but it is asked for in the same place.
    words.chain(["cpu".into()]).collect()
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use burn::tensor::DeviceKind;
    use burn_wgpu::WgpuBackend;

    use super::*;

    fn adapter(name: &str, kind: &'static str, backend: &str) -> Adapter {
        Adapter {
            name: name.into(),
            backend: backend.into(),
            kind,
            driver: String::new(),
            max_binding_bytes: 1 << 30,
            max_buffer_bytes: 1 << 30,
            memory_bytes: None,
            free_bytes: None,
            matrix_units: false,
            selector: (DeviceKind::DefaultDevice, WgpuBackend::Vulkan),
        }
    }

    /// A notebook with a card, and Mesa.
    fn notebook() -> Vec<Adapter> {
        vec![
            adapter("llvmpipe (LLVM 15.0.7, 256 bits)", "software", "vulkan"),
            adapter("Intel(R) UHD Graphics 630", "integrated", "vulkan"),
            adapter("NVIDIA GeForce RTX 4090", "discrete", "vulkan"),
        ]
    }

    #[track_caller]
    fn name(adapters: &[Adapter], asked: &str) -> String {
        match chosen(adapters, &asked.parse().unwrap()) {
            Ok(adapter) => format!("{} by {}", adapter.name, adapter.backend),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn words_are_taken_in_any_case() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("AUTO", DeviceChoice::Auto),
            ("GPU", DeviceChoice::Gpu),
            ("gpu:1", DeviceChoice::Nth(1)),
            ("Cpu", DeviceChoice::Cpu),
            ("cpu:0", DeviceChoice::Cpu),
            ("Vulkan:2", DeviceChoice::Of("vulkan".into(), 2)),
            ("metal", DeviceChoice::Of("metal".into(), 0)),
            ("gpu:x", DeviceChoice::Named("gpu:x".into())),
            ("LLVM 15.0.7, 256", DeviceChoice::Named("LLVM 15.0.7, 256".into())),
        ] {
            assert_eq!(text.parse(), Ok(choice), "{text}");
        }
    }

    #[test]
    fn gpus_are_counted_from_the_best_and_software_is_none() {
        let there = notebook();
        for (asked, found) in [
            ("gpu", "NVIDIA GeForce RTX 4090 by vulkan"),
            ("gpu:0", "NVIDIA GeForce RTX 4090 by vulkan"),
            ("gpu:1", "Intel(R) UHD Graphics 630 by vulkan"),
            ("vulkan:0", "llvmpipe (LLVM 15.0.7, 256 bits) by vulkan"),
            ("VULKAN:2", "NVIDIA GeForce RTX 4090 by vulkan"),
            ("rtx", "NVIDIA GeForce RTX 4090 by vulkan"),
            ("LLVM 15.0.7, 256", "llvmpipe (LLVM 15.0.7, 256 bits) by vulkan"),
        ] {
            assert_eq!(name(&there, asked), found, "{asked}");
        }
        assert_eq!(typed(&there), [vec!["vulkan:0"], vec!["gpu:1", "vulkan:1"], vec!["gpu:0", "vulkan:2"]]);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let words = name(&notebook(), "gpu:2");
        assert_eq!(
            words,
            "no adapter is gpu:2; there are: vulkan:0 (llvmpipe (LLVM 15.0.7, 256 bits)), gpu:1 (Intel(R) UHD Graphics \
             630), gpu:0 (NVIDIA GeForce RTX 4090), cpu"
        );
        assert!(name(&notebook(), "radeon").starts_with("no adapter has \"radeon\" in its name; there are: "));
        assert!(name(&notebook(), "").starts_with("no adapter has \"\""));
        let software = name(&notebook()[..1], "gpu:0");
        assert!(software.contains("no usable GPU driver") && software.contains("llvmpipe"), "{software}");
    }

    #[test]
    fn a_card_that_two_interfaces_show_is_one_and_two_equal_cards_are_two() {
        let card = |interface| adapter("NVIDIA GeForce RTX 4090", "discrete", interface);
        let there = [card("vulkan"), card("vulkan"), card("dx12"), card("dx12")];
        assert_eq!(gpus(&there).len(), 2);
        let words = typed(&there);
        assert_eq!(words, [vec!["gpu:0", "vulkan:0"], vec!["gpu:1", "vulkan:1"], vec!["dx12:0"], vec!["dx12:1"]]);
        assert_eq!(name(&there, "dx12:1"), "NVIDIA GeForce RTX 4090 by dx12");
        // Every word leads back to its adapter.
        for (adapter, words) in there.iter().zip(&words) {
            for word in words {
                let found = chosen(&there, &word.parse().unwrap()).unwrap();
                assert_eq!(found.backend, adapter.backend, "{word}");
            }
        }
    }

    #[test]
    fn the_whole_name_goes_before_a_part_of_another() {
        let there =
            [adapter("Radeon RX 7900 XTX", "discrete", "vulkan"), adapter("Radeon RX 7900", "discrete", "vulkan")];
        assert_eq!(name(&there, "radeon rx 7900"), "Radeon RX 7900 by vulkan");
        assert_eq!(name(&there, "7900"), "Radeon RX 7900 XTX by vulkan");
    }
}
