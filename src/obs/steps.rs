//! How many channels go between two looks at the scores.

use std::fmt::Display;
use std::str::FromStr;

/// The steps in which channels go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelSteps {
    /// One at a time: the scores are exact at every removal.
    #[default]
    OneByOne,
    /// The SlimGPT paper's Dynamic Group Size: large groups first, never smaller than `floor`.
    Dynamic {
        /// Smallest group: 8 in the paper's text, 64 in its published code.
        floor: usize,
    },
    /// Groups of one size.
    Fixed(usize),
}

impl Display for ChannelSteps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OneByOne => f.write_str("one-by-one"),
            Self::Dynamic { floor } => write!(f, "dynamic:{floor}"),
            Self::Fixed(size) => write!(f, "fixed:{size}"),
        }
    }
}

impl FromStr for ChannelSteps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, number) = text.split_once(':').map_or((text, None), |(word, number)| (word, Some(number)));
        match (word, number.map(|n| n.parse().ok().filter(|&n: &usize| n > 0))) {
            ("one-by-one", None) => Ok(Self::OneByOne),
            ("dynamic", None) => Ok(Self::PAPER),
            ("dynamic", Some(Some(floor))) => Ok(Self::Dynamic { floor }),
            ("fixed", Some(Some(size))) => Ok(Self::Fixed(size)),
            _ => Err(format!("{text} is not {}", Self::FORMS)),
        }
    }
}

/// Largest group of the paper's rule.
const LARGEST: usize = 1024;

impl ChannelSteps {
    /// The paper's rule with the floor of its text.
    pub const PAPER: Self = Self::Dynamic { floor: 8 };

    /// The forms that [`Self::from_str`] reads.
    pub const FORMS: &'static str = "one-by-one, dynamic, dynamic:FLOOR or fixed:N";

    /// The group sizes that together remove `count` channels.
    pub fn sizes(self, count: usize) -> Vec<usize> {
        match self {
            Self::OneByOne => vec![1; count],
            // Zero, which the type allows and the parser refuses, would panic here and never end below.
            Self::Fixed(size) => fixed(count, size.max(1)),
            Self::Dynamic { floor } => dynamic(count, floor, LARGEST),
        }
    }

    /// The sizes of the paper's rule with another largest group, for layers with fewer channels than
    /// it was made for.
    pub fn dynamic_sizes(count: usize, floor: usize, largest: usize) -> Vec<usize> {
        dynamic(count, floor, largest)
    }
}

fn fixed(count: usize, size: usize) -> Vec<usize> {
    (0..count).step_by(size).map(|done| size.min(count - done)).collect()
}

/// b₀ = (count − s) / 2, bₖ₊₁ = (bₖ − s) / 2, rounded down; each group is b kept between `floor` and
/// `largest`. In the paper the largest is 1024, and s is half of it.
fn dynamic(count: usize, floor: usize, largest: usize) -> Vec<usize> {
    // Groups of none would never end.
    let floor = floor.max(1) as i64;
    // A floor above the largest group takes its place.
    let (shrink, largest) = (largest as i64 / 2, floor.max(largest as i64));
    let mut sizes = Vec::new();
    let mut left = count;
    // Rounded down below zero too, as Python does in the published code.
    let mut size = (count as i64 - shrink).div_euclid(2);
    while left > 0 {
        let group = (size.clamp(floor, largest) as usize).min(left);
        sizes.push(group);
        left -= group;
        size = (size - shrink).div_euclid(2);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sizes_for_a_quarter_of_llama_7b() {
        let sizes = ChannelSteps::Dynamic { floor: 64 }.sizes(2752);
        assert_eq!(sizes[..3], [1024, 304, 64]);
        assert_eq!(sizes.iter().sum::<usize>(), 2752);
    }

    #[test]
    fn the_published_sizes_for_half_of_llama_7b() {
        let sizes = ChannelSteps::Dynamic { floor: 64 }.sizes(5504);
        assert_eq!(sizes[..4], [1024, 992, 240, 64]);
        assert_eq!(sizes.len(), 3 + 51);
    }

    #[test]
    fn the_rule_keeps_its_shape_in_a_smaller_layer() {
        // A sixteenth of everything, where nothing is rounded.
        let small = ChannelSteps::dynamic_sizes(5504 / 16, 64 / 16, 1024 / 16);
        let large = ChannelSteps::Dynamic { floor: 64 }.sizes(5504);
        assert_eq!(small, large.iter().map(|b| b / 16).collect::<Vec<_>>());
        assert_eq!(ChannelSteps::dynamic_sizes(5, 0, 0), [1; 5]);
        assert_eq!(ChannelSteps::dynamic_sizes(7, 3, 2), [3, 3, 1]);
    }

    #[test]
    fn steps_have_a_floor_or_a_size() {
        for steps in [ChannelSteps::OneByOne, ChannelSteps::Dynamic { floor: 64 }, ChannelSteps::Fixed(128)] {
            assert_eq!(steps.to_string().parse(), Ok(steps));
        }
        assert_eq!("dynamic".parse(), Ok(ChannelSteps::PAPER));
        for wrong in ["fixed", "fixed:0", "dynamic:x", "one-by-one:3", "all"] {
            assert!(wrong.parse::<ChannelSteps>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_rule_removes_exactly_what_was_asked() {
        for count in [0, 1, 7, 8, 9, 511, 513, 3000] {
            for steps in [ChannelSteps::OneByOne, ChannelSteps::Fixed(8), ChannelSteps::Dynamic { floor: 8 }] {
                assert_eq!(steps.sizes(count).iter().sum::<usize>(), count, "{steps:?} {count}");
            }
        }
    }
}
