//! Numbers for people.

/// "1,173,120".
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "2.24 MiB".
pub fn bytes(n: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) => format!("{:.2} {unit}", n as f64 / *size as f64),
        None => format!("{n} bytes"),
    }
}

/// "20.0 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// "3 min 20 s".
pub fn seconds(s: f64) -> String {
    let whole = s.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) if s < 9.5 => format!("{s:.1} s"),
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// "32 → 24", or only "32" where nothing goes.
pub fn arrow(before: usize, after: usize) -> String {
    if before == after { before.to_string() } else { format!("{before} → {after}") }
}

/// A number with few digits: 0.012, 3.4e7.
pub fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if (1e-3..1e4).contains(&a) => {
            let digits = (3 - a.log10().floor() as i32).clamp(0, 5) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!([0, 999, 1000, 1_173_120].map(count), ["0", "999", "1,000", "1,173,120"]);
    }

    #[test]
    fn sizes_take_the_unit_that_fits() {
        assert_eq!([12, 1536, 5 << 30].map(bytes), ["12 bytes", "1.50 KiB", "5.00 GiB"]);
    }

    #[test]
    fn times_are_said_as_one_would() {
        assert_eq!(
            [0.0, 9.44, 59.0, 200.0, 7260.0].map(seconds),
            ["0.0 s", "9.4 s", "59 s", "3 min 20 s", "2 h 1 min"]
        );
    }

    #[test]
    fn small_and_large_numbers_have_exponents() {
        assert_eq!(
            [0.0, 1.5, 0.01234, -250.0, 4e7, 2e-9].map(short),
            ["0", "1.500", "0.01234", "-250.0", "4.00e7", "2.00e-9"]
        );
    }
}
