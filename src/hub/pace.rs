//! How far a download is, at which rate it comes, and when all of it will be there.

use super::event::Event;

/// How far a download is, by its events. What earlier tries have brought says nothing about the rate of this one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Bytes that are there, those of earlier tries among them.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
    /// Bytes that were still to come when it began.
    pub to_come: u64,
    /// Seconds from its beginning to the last event.
    seconds: f64,
    began: f64,
}

impl Pace {
    /// Takes note of an event, and of the second on the caller's clock.
    pub fn note(&mut self, event: &Event<'_>, second: f64) {
        match *event {
            // Sizes, and a list of files, are downloads of their own before the weights.
            Event::Begins { bytes, .. } => {
                *self = Self { total: bytes, to_come: bytes, began: second, ..Self::default() };
            }
            Event::Arrived { done, total } => (self.done, self.total) = (done, total),
            Event::Waiting { .. } | Event::Again { .. } => {}
        }
        self.seconds = second - self.began;
    }

    /// Bytes that this try has brought.
    pub fn arrived(&self) -> u64 {
        self.to_come.saturating_sub(self.total.saturating_sub(self.done))
    }

    /// Bytes in a second, on the mean; `None` before any has come.
    pub fn rate(&self) -> Option<f64> {
        let rate = self.arrived() as f64 / self.seconds;
        (rate > 0.0 && rate.is_finite()).then_some(rate)
    }

    /// Seconds until all is there, at the mean rate.
    pub fn seconds_left(&self) -> Option<f64> {
        self.rate().map(|rate| self.total.saturating_sub(self.done) as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::hub::Name;

    #[test]
    fn the_rate_is_that_of_this_try() {
        let name = Name::of_model("org/name").unwrap();
        let begins = |bytes| Event::Begins { name: &name, endpoint: "", cache: Path::new(""), files: 1, bytes };
        let mut pace = Pace::default();
        pace.note(&begins(10), 0.0);
        pace.note(&Event::Arrived { done: 10, total: 10 }, 5.0);
        // 600 of 1000 bytes are there from an earlier try.
        pace.note(&begins(400), 10.0);
        assert_eq!((pace.arrived(), pace.rate(), pace.seconds_left()), (0, None, None));
        pace.note(&Event::Arrived { done: 700, total: 1000 }, 12.0);
        assert_eq!((pace.arrived(), pace.rate(), pace.seconds_left()), (100, Some(50.0), Some(6.0)));
        // Time goes on where nothing comes.
        pace.note(&Event::Again { file: "", reason: "", seconds: 1.0 }, 15.0);
        assert_eq!((pace.rate(), pace.seconds_left()), (Some(20.0), Some(15.0)));
        // What an earlier try left was damaged: it begins with nothing.
        pace.note(&Event::Arrived { done: 5, total: 1000 }, 16.0);
        assert_eq!((pace.arrived(), pace.rate()), (0, None));
    }
}
