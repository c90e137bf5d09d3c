//! When something is tried again: pauses that double, and what a server says of when it may be asked.

use std::time::{Duration, SystemTime};

use super::error::HubError;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Farthest year that is believed.
const LAST_YEAR: u64 = 9999;

/// Tries at one thing, each after a pause twice as long as that before: what is down for a second is asked soon, and what
/// is down for longer not by everybody at once.
pub(super) struct Tries {
    pause: Duration,
    most: u32,
    failed: u32,
}

impl Tries {
    /// At most so many in a row, of which the second comes after `pause`.
    pub fn new(most: u32, pause: Duration) -> Self {
        Self { pause, most, failed: 0 }
    }

    /// The pause before the next one. The error itself is all where there have been enough, or the next would end like
    /// this one.
    pub fn failed(&mut self, error: HubError) -> Result<Duration, HubError> {
        self.failed += 1;
        if !error.may_pass() || self.failed >= self.most {
            return Err(error);
        }
        Ok(self.pause * 2u32.pow(self.failed - 1))
    }

    /// The last one has brought something, if not all: they are counted anew.
    pub fn helped(&mut self) {
        self.failed = 0;
    }
}

/// Seconds from `now` until the time of a `Retry-After`: a number, or a date (RFC 9110, section 10.2.3).
pub(super) fn seconds(said: &str, now: SystemTime) -> Option<u64> {
    let said = said.trim();
    said.parse().ok().or_else(|| {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(date(said)?);
        // What is over is over; parts of a second count as one, so that nobody comes too early.
        let left = until.duration_since(now).unwrap_or_default();
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    })
}

/// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT", the one form that is written today.
fn date(said: &str) -> Option<u64> {
    let words: Vec<&str> = said.split_once(", ")?.1.split(' ').collect();
    let [day, month, year, time, "GMT"] = words.as_slice() else { return None };
    let number = |digits: &str, most: u64| digits.parse().ok().filter(|&number: &u64| number <= most);
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let (day, year) = (number(day, 31)?, number(year, LAST_YEAR)?);
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>()[..] else { return None };
    let in_day = number(hour, 23)? * 3600 + number(minute, 59)? * 60 + number(second, 60)?;
    Some(days(year, month, day)? * 86_400 + in_day)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years begin in March here, so that the day of leap years is their last.
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let month = (month + 9) % 12;
    let in_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    (365 * year + year / 4 - year / 100 + year / 400 + in_year).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_there_were_enough() {
        let broken = || HubError::Unreachable { name: String::new(), endpoint: String::new(), reason: String::new() };
        let mut tries = Tries::new(4, Duration::from_secs(3));
        let mut pauses = || tries.failed(broken()).ok().map(|pause| pause.as_secs());
        assert_eq!([pauses(), pauses(), pauses(), pauses()], [Some(3), Some(6), Some(12), None]);
        tries.helped();
        assert_eq!(tries.failed(broken()).unwrap().as_secs(), 3);
        // Whoever is refused is refused again.
        assert!(tries.failed(HubError::NoName(String::new())).is_err());
        assert!(tries.failed(HubError::Stopped).is_err());
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 2, 29), Some(11_016));
        assert_eq!(days(2000, 3, 1), Some(11_017));
        assert_eq!(days(2100, 3, 1), days(2100, 2, 28).map(|day| day + 1));
        assert_eq!(days(1969, 12, 31), None);
    }

    #[test]
    fn a_time_is_a_number_or_a_date() {
        // RFC 9110's own example is 784111777 seconds after 1970.
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_700_500);
        assert_eq!(seconds(" 120 ", now), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(77));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(0));
        for wrong in [
            "",
            "soon",
            "-3",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "a, 0 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(seconds(wrong, now), None, "{wrong}");
        }
    }
}
