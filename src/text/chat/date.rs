//! The moment that a template calls now, and its form by Python's `strftime`, in English and UTC.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY: u64 = 24 * 60 * 60;

/// A moment, in seconds since 1970 began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub u64);

/// What a moment is called.
struct Parts {
    year: u64,
    /// From 1.
    month: u64,
    day: u64,
    /// From 1.
    day_of_year: u64,
    /// From 0, Monday.
    weekday: u64,
}

impl Moment {
    /// The beginning of a day, written as 2026-01-31.
    pub fn of_day(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(|part| {
            let is_number = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            is_number.then(|| part.parse::<u64>().ok()).flatten()
        });
        let [year, month, day] = [numbers.next()??, numbers.next()??, numbers.next()??];
        // Moments are counted from 1970, and %Y is written with four digits.
        let is_right = numbers.next().is_none() && (1970..10_000).contains(&year) && (1..=12).contains(&month);
        let is_right = is_right && (1..=length(year, month)).contains(&day);
        let days = (1970..year).map(days_of).sum::<u64>() + (1..month).map(|m| length(year, m)).sum::<u64>() + day - 1;
        is_right.then_some(Self(days * DAY))
    }

    fn parts(self) -> Parts {
        let days = self.0 / DAY;
        let (mut year, mut left) = (1970, days);
        while left >= days_of(year) {
            left -= days_of(year);
            year += 1;
        }
        let (mut month, day_of_year) = (1, left + 1);
        while left >= length(year, month) {
            left -= length(year, month);
            month += 1;
        }
        // 1 January 1970 was a Thursday.
        Parts { year, month, day: left + 1, day_of_year, weekday: (days + 3) % 7 }
    }

    /// The moment as `format` asks; the part of it that is not known otherwise.
    pub(super) fn format(self, format: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut characters = format.chars();
        while let Some(c) = characters.next() {
            match c {
                '%' => out.push_str(&self.field(&mut characters)?),
                c => out.push(c),
            }
        }
        Ok(out)
    }

    fn field(self, after: &mut std::str::Chars<'_>) -> Result<String, String> {
        let parts = self.parts();
        let (hour, minute, second) = (self.0 % DAY / 3600, self.0 % 3600 / 60, self.0 % 60);
        // Noon and midnight are 12.
        let half = |hour: u64| (hour + 11) % 12 + 1;
        let mut code = after.next();
        // As the C library of most machines has it: %-d is a day without a zero before it.
        let plain = code == Some('-');
        if plain {
            code = after.next();
        }
        let number = |value: u64, width: usize| if plain { value.to_string() } else { format!("{value:0width$}") };
        let (month, day) = (MONTHS[parts.month as usize - 1], DAYS[parts.weekday as usize]);
        Ok(match code {
            Some('Y') => parts.year.to_string(),
            Some('y') => number(parts.year % 100, 2),
            Some('m') => number(parts.month, 2),
            Some('d') => number(parts.day, 2),
            Some('e') => {
                if plain {
                    parts.day.to_string()
                } else {
                    format!("{:2}", parts.day)
                }
            }
            Some('j') => number(parts.day_of_year, 3),
            Some('B') => month.into(),
            Some('b' | 'h') => month[..3].into(),
            Some('A') => day.into(),
            Some('a') => day[..3].into(),
            Some('H') => number(hour, 2),
            Some('I') => number(half(hour), 2),
            Some('M') => number(minute, 2),
            Some('S') => number(second, 2),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.into(),
            Some('F') => format!("{}-{:02}-{:02}", parts.year, parts.month, parts.day),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('Z') => "UTC".into(),
            Some('z') => "+0000".into(),
            Some('%') => "%".into(),
            other => return Err(format!("strftime_now has no %{}", other.map_or(String::new(), String::from))),
        })
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

/// Days of a month, which is counted from 1.
fn length(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_python_writes_them() {
        // datetime(2024, 7, 26, 15, 4, 9).strftime(…)
        let moment = Moment(1_722_006_249);
        let all = "%d %b %Y|%A, %B %-d|%y-%m|%H:%M:%S|%I %p|%j|%a %e|%F|%%";
        let want = "26 Jul 2024|Friday, July 26|24-07|15:04:09|03 PM|208|Fri 26|2024-07-26|%";
        assert_eq!(moment.format(all).unwrap(), want);
        assert_eq!(Moment::of_day("2024-07-26"), Some(Moment(1_722_006_249 / DAY * DAY)));
        assert_eq!(Moment::of_day("2024-02-29").unwrap().format("%d.%m.%Y %a").unwrap(), "29.02.2024 Thu");
        assert_eq!(Moment::of_day("2000-12-31").unwrap().format("%j").unwrap(), "366");
        for wrong in ["2023-02-29", "2024-13-01", "2024-07", "2024-07-26-1", "26.7.2024", "1969-01-01", "+2024-1-1"] {
            assert_eq!(Moment::of_day(wrong), None, "{wrong}");
        }
        assert!(moment.format("%Q").unwrap_err().contains("%Q") && moment.format("%").is_err());
    }
}
