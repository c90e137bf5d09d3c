//! What a device answers where it lost the work.

use crate::remedy::{Remedied, Remedy};

/// The device lost the work or refused it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadbackError {
    /// There was no room for what is computed.
    #[error("the device ran out of memory")]
    OutOfMemory,
    /// Its driver was reset, or refused the work.
    #[error("the device did not answer: {0}")]
    Lost(String),
}

/// Characters of a driver's words that are told.
const MOST_SAID: usize = 200;

impl ReadbackError {
    /// The device lost the work, in its driver's words.
    pub fn lost(said: &str) -> Self {
        Self::Lost(sentence(said))
    }
}

/// The beginning of what a driver says, which goes on for pages about its own parts.
fn sentence(said: &str) -> String {
    // Debug texts have their line ends escaped.
    let line = said.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.split("\\n").next().unwrap_or_default().trim();
    match line.char_indices().nth(MOST_SAID) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_owned(),
    }
}

impl Remedied for ReadbackError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::OutOfMemory => Some(Remedy::LessAtOnce),
            Self::Lost(_) => Some(Remedy::Cpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_says_pages_is_quoted_in_a_line() {
        assert_eq!(ReadbackError::lost("\"out of memory\""), ReadbackError::Lost("\"out of memory\"".into()));
        assert_eq!(sentence("can not allocate 3 GB\nskipped Kernel\nskipped Kernel"), "can not allocate 3 GB");
        assert_eq!(sentence("Execution { reason: \"no room\\n\\nCaused by"), "Execution { reason: \"no room");
        let long = sentence(&"é".repeat(900));
        assert_eq!(long.chars().count(), MOST_SAID + 2);
    }
}
