//! Numbers as people read them.

/// "1,173,120".
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// "1.17 M": three digits that matter.
pub fn short_count(n: usize) -> String {
    let units = [(1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")];
    let unit = units.into_iter().find(|(size, _)| n as f64 >= *size);
    unit.map_or_else(|| n.to_string(), |(size, name)| format!("{}{name}", digits(n as f64 / size)))
}

/// "2.24 MiB".
pub fn bytes(n: u64) -> String {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(size, _)| n >= *size);
    unit.map_or_else(|| format!("{n} B"), |(size, name)| format!("{} {name}", digits(n as f64 / size as f64)))
}

/// Three digits that matter: 1.17, 11.7, 117.
fn digits(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// "20.0 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// "0.012 %" where shares are small, "12.3 %" where they are not.
pub fn small_percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0".into(),
        p if p >= 10.0 => format!("{p:.1} %"),
        p if p >= 0.01 => format!("{p:.3} %"),
        p if p >= 0.0001 => format!("{p:.4} %"),
        _ => "< 0.0001 %".into(),
    }
}

/// "1.235e4".
pub fn scientific(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.3e}") }
}

/// "12.3 s", "4 min 05 s", "2 h 03 min".
pub fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match value {
        v if v < 60.0 => format!("{v:.1} s"),
        v if v < 3600.0 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// "32 → 24", or only "32" where nothing went.
pub fn arrow(before: usize, after: usize) -> String {
    if before == after { count(before) } else { format!("{} → {}", count(before), count(after)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_173_120].map(count), ["0", "999", "1,000", "1,173,120"]);
        assert_eq!([950, 1200, 5_439_000_000].map(short_count), ["950", "1.20 k", "5.44 B"]);
    }

    #[test]
    fn bytes_seconds_and_shares_have_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(3 << 19), "1.50 MiB");
        assert_eq!([1.25, 65.0, 7380.0].map(seconds), ["1.2 s", "1 min 05 s", "2 h 03 min"]);
        assert_eq!([0.0, 0.2, 0.0005, 1e-7].map(small_percent), ["0", "20.0 %", "0.050 %", "< 0.0001 %"]);
    }
}
