//! Numbers, bytes and durations as people read them: on the command line, in the window, on pages
//! and in errors; and the mark that people's programs write before a text.

use std::borrow::Cow;

/// A file's bytes without the byte order mark that Notepad and PowerShell write first, which is no
/// part of any text, JSON or template.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// A text with the line ends of Unix, which Python makes of those of Windows whenever it reads a text.
pub fn unix_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() }
}

/// "1,173,120": digits in groups of three.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    // Groups count from the right; digits are ASCII, so each is a text.
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// "1.17 M": three digits that matter.
pub fn short_count(n: usize) -> String {
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    // What would be shown as 1000 of a unit is one of the next.
    let Some((size, unit)) = units.into_iter().find(|(size, _)| n as f64 >= 0.9995 * *size && n >= 1000) else {
        return n.to_string();
    };
    match n as f64 / size {
        v if v >= 100.0 => format!("{v:.0} {unit}"),
        v if v >= 10.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}

/// "2.24 MiB", in powers of 1024.
pub fn bytes(n: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    // What would be shown as 1024.00 of a unit is one of the next.
    let unit = units.into_iter().find(|(size, _)| n as f64 * 1.000_005 >= *size as f64 && n >= 1 << 10);
    unit.map_or_else(|| format!("{n} B"), |(size, name)| format!("{:.2} {name}", n as f64 / size as f64))
}

/// "20.0 %" for a share of 0.2.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// "0.012 %" where shares are small, "12.3 %" where they are not.
pub fn small_percent(share: f64) -> String {
    match 100.0 * share {
        p if p.is_nan() => "–".into(),
        0.0 => "0".into(),
        p if p >= 10.0 => format!("{p:.1} %"),
        p if p >= 0.01 => format!("{p:.3} %"),
        p if p >= 0.0001 => format!("{p:.4} %"),
        _ => "< 0.0001 %".into(),
    }
}

/// "1.235e4": four digits that matter.
pub fn scientific(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.3e}") }
}

/// Few digits, and powers of ten only where they save some: "0.01234", "-250.0", "3.40e7".
pub fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if (1e-3..1e4).contains(&a) => {
            // Four digits that matter: those after the point make up for those before it.
            let digits = (3 - a.log10().floor() as i32).clamp(0, 5) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.2e}"),
    }
}

/// A time that was measured: "12.3 s", "4 min 05 s", "2 h 03 min".
pub fn seconds(value: f64) -> String {
    // What would be shown as 60.0 s is a minute.
    if value < 59.95 { format!("{value:.1} s") } else { whole_seconds(value) }
}

/// A time that runs or is only estimated, in whole seconds: "12 s", "4 min 05 s", "2 h 03 min".
pub fn whole_seconds(value: f64) -> String {
    let whole = value.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

/// "32 → 24", or only "32" where nothing went.
pub fn arrow(before: usize, after: usize) -> String {
    if before == after { before.to_string() } else { format!("{before} → {after}") }
}

/// "7" for a layer that keeps its number, "7 → 6" for one that has another, "7 → –" for one that has left the model.
pub fn moved(from: usize, to: Option<usize>) -> String {
    to.map_or_else(|| format!("{from} → –"), |to| arrow(from, to))
}

/// Names that are listed before only their number is said.
const NAMED: usize = 3;

/// "a, b, c and 17 more": a sentence stays one however many there are.
pub fn few(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len() - names.len().min(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Two lower-case hexadecimal digits for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_shown_as_a_whole_unit_is_one() {
        assert_eq!([999, 999_400, 999_999].map(short_count), ["999", "999 k", "1.00 M"]);
        assert_eq!([1023, (1 << 20) - 1, 1 << 20].map(bytes), ["1023 B", "1.00 MiB", "1.00 MiB"]);
        assert_eq!([f64::NAN, 0.2].map(small_percent), ["–", "20.0 %"]);
    }

    #[test]
    fn a_list_stays_a_sentence() {
        let names = |n: usize| (0..n).map(|i| format!("t{i}")).collect::<Vec<_>>();
        assert_eq!([0, 1, 3, 20].map(|n| few(&names(n))), ["", "t0", "t0, t1, t2", "t0, t1, t2 and 17 more"]);
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_173_120].map(count), ["0", "999", "1,000", "1,173,120"]);
        assert_eq!([950, 1200, 5_439_000_000].map(short_count), ["950", "1.20 k", "5.44 B"]);
    }

    #[test]
    fn sizes_take_the_unit_that_fits() {
        assert_eq!([0, 12, 1536, 3 << 19, 5 << 30].map(bytes), ["0 B", "12 B", "1.50 KiB", "1.50 MiB", "5.00 GiB"]);
    }

    #[test]
    fn shares_keep_the_digits_that_matter() {
        assert_eq!([0.0, 0.2, 0.0005, 1e-7].map(small_percent), ["0", "20.0 %", "0.050 %", "< 0.0001 %"]);
    }

    #[test]
    fn times_are_said_as_one_would() {
        let measured = [0.0, 1.25, 59.94, 59.96, 65.0, 3599.7, 7380.0].map(seconds);
        assert_eq!(measured, ["0.0 s", "1.2 s", "59.9 s", "1 min 00 s", "1 min 05 s", "1 h 00 min", "2 h 03 min"]);
        assert_eq!([-1.0, 9.4, 59.6, 200.0].map(whole_seconds), ["0 s", "9 s", "1 min 00 s", "3 min 20 s"]);
    }

    #[test]
    fn small_and_large_numbers_have_exponents() {
        let shown = [0.0, 1.5, 0.01234, -250.0, 4e7, 2e-9].map(short);
        assert_eq!(shown, ["0", "1.500", "0.01234", "-250.0", "4.00e7", "2.00e-9"]);
        assert_eq!([0.0, 12346.0].map(scientific), ["0", "1.235e4"]);
    }

    #[test]
    fn an_arrow_only_where_something_went() {
        assert_eq!([arrow(8, 6), arrow(8, 8)], ["8 → 6", "8"]);
    }
}
