//! Names of choices: what a person types, reads and finds in a report is one definition.
//!
//! An enum that people choose from derives strum's traits. The line about a choice, which help
//! texts, tables and windows show, is its documentation, or a `message` where that is for developers.

/// A choice that has a name and a line about it.
pub trait Named: Copy + PartialEq + Into<&'static str> + strum::EnumMessage + strum::VariantArray {
    /// The name it is asked for by.
    fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, in a line without a full stop: its `message`, or else its documentation.
    fn about(self) -> &'static str {
        self.get_message().or(self.get_documentation()).unwrap_or_default().trim_end_matches('.')
    }

    /// All of them, in the order in which they are listed.
    fn all() -> &'static [Self] {
        Self::VARIANTS
    }

    /// The choice of this name.
    fn named(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|choice| choice.name() == name)
    }

    /// All names with commas between them.
    fn names() -> String {
        Self::all().iter().map(|choice| choice.name()).collect::<Vec<_>>().join(", ")
    }
}

impl<T: Copy + PartialEq + Into<&'static str> + strum::EnumMessage + strum::VariantArray> Named for T {}
