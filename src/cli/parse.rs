//! Small values as they are typed: counts, bytes, ratios, sizes.

use slimgpt::allocate::{FinalShape, SiteRatio, TimeBudget};

/// "5.4B", "350M", "12k" or a plain number.
pub fn count(text: &str) -> Result<usize, String> {
    let units = [("B", 1e9), ("b", 1e9), ("G", 1e9), ("M", 1e6), ("m", 1e6), ("K", 1e3), ("k", 1e3)];
    scaled(text, &units).ok_or_else(|| format!("{text} is not a count such as 5.4B, 350M or 1200000"))
}

/// How sizes are written, for help texts.
pub const SIZES: &str = "8G, 8GiB and 8192M are 8 · 2^30 bytes, as for docker, Slurm and dd; 8GB is 8 · 10^9";

/// "8G", "8GiB", "500MB" or a plain number of bytes, in capitals or not.
pub fn bytes(text: &str) -> Result<u64, String> {
    // Powers of 1024 with an i, powers of 1000 without (IEC 80000-13). A letter alone is a power of 1024
    // for docker, Slurm, dd and java.
    let powers = [("t", 4), ("g", 3), ("m", 2), ("k", 1)];
    let lower = text.trim().to_lowercase();
    let of = |(letter, power): (&str, i32)| {
        let binary = [format!("{letter}ib"), format!("{letter}i"), letter.to_owned()];
        let unit = binary.into_iter().map(move |unit| (unit, 1024f64.powi(power)));
        unit.chain([(format!("{letter}b"), 1000f64.powi(power))])
    };
    let units: Vec<(String, f64)> = powers.into_iter().flat_map(of).chain([("b".to_owned(), 1.0)]).collect();
    let units: Vec<(&str, f64)> = units.iter().map(|(name, scale)| (name.as_str(), *scale)).collect();
    scaled(&lower, &units).map(|n| n as u64).ok_or_else(|| format!("{text} is not a size: {SIZES}"))
}

/// A ratio strictly between 0 and 1.
pub fn ratio(text: &str) -> Result<f64, String> {
    let inside = |r: &f64| *r > 0.0 && *r < 1.0;
    number(text, inside).ok_or_else(|| {
        format!("{text} is not between 0 and 1 (both excluded); 0.2 removes a fifth of the decoder layers")
    })
}

/// The ratio of one layer: 0 leaves it whole.
pub fn first_ratio(text: &str) -> Result<f64, String> {
    number(text, |r| (0.0..1.0).contains(r))
        .ok_or_else(|| format!("{text} is not a ratio of at least 0 and less than 1"))
}

/// A number of at least 0.
pub fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |n| *n >= 0.0).ok_or_else(|| format!("{text} is not a number of at least 0"))
}

/// A probability above 0, up to 1.
pub fn probability(text: &str) -> Result<f64, String> {
    number(text, |p| *p > 0.0 && *p <= 1.0)
        .ok_or_else(|| format!("{text} is not above 0 and at most 1; 1 leaves all tokens, 0.9 is usual"))
}

/// A share from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text} is no number from 0 to 1")),
    }
}

/// By how much something may rise: "5%" or "0.05".
pub fn rise(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text} is no rise such as 5% or 0.05");
    match text.trim().strip_suffix('%') {
        Some(percent) => number(percent.trim(), |p| *p > 0.0).map(|p| p / 100.0).ok_or_else(wrong),
        // Without the sign 5 may be meant as 5 %, and would be 500 %.
        None => number(text.trim(), |share| *share > 0.0 && *share < 1.0).ok_or_else(wrong),
    }
}

/// How long a token may take: "0.8x" of what the model takes as it is, or "12ms".
pub fn time(text: &str) -> Result<TimeBudget, String> {
    let lower = text.trim().to_lowercase();
    let share =
        lower.strip_suffix(['x', '×']).map(|n| number(n.trim(), |n| *n > 0.0 && *n < 1.0).map(TimeBudget::Share));
    let milliseconds =
        || lower.strip_suffix("ms").map(|n| number(n.trim(), |n| *n > 0.0).map(TimeBudget::Milliseconds));
    share.or_else(milliseconds).flatten().ok_or_else(|| {
        format!("{text} is no time for a token such as 0.8x (of what it takes as it is, below 1) or 12ms")
    })
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text, |n| *n > 0.0).ok_or_else(|| format!("{text} is not a number above 0"))
}

fn number(text: &str, is_right: impl Fn(&f64) -> bool) -> Option<f64> {
    // "NaN" and "inf" are numbers to `parse`.
    text.parse().ok().filter(|n: &f64| n.is_finite() && is_right(n))
}

/// A whole number of at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| format!("{text} is not a whole number of at least 1"))
}

/// Tokens of a window: a token and one to predict.
pub fn window_length(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&n| n > 1)
        .ok_or_else(|| format!("{text} is not a whole number of at least 2: a window needs a token to predict"))
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<usize> {
    let unit = units.iter().find_map(|(name, scale)| text.strip_suffix(name).map(|digits| (digits, *scale)));
    let (digits, scale) = unit.unwrap_or((text, 1.0));
    let value = digits.trim().parse::<f64>().ok()? * scale;
    // Rounded, because a product with a decimal fraction may miss the whole number that was meant.
    (value >= 1.0 && value.is_finite()).then_some(value.round() as usize)
}

/// "0.5", a factor; or "0.1,0.2,0.3", one ratio for each layer.
pub fn site_ratio(text: &str) -> Result<SiteRatio, String> {
    match text.contains(',') {
        false => not_negative(text).map(SiteRatio::Factor),
        true => text.split(',').map(|r| first_ratio(r.trim())).collect::<Result<_, _>>().map(SiteRatio::List),
    }
}

/// "kv_heads=2,channels=1024": sizes by their names, of which "heads" is one too.
pub fn shape(text: &str) -> Result<FinalShape, String> {
    let wrong = |part: &str| format!("\"{part}\" is not heads=N, kv_heads=N or channels=N with N of at least 1");
    let mut shape = FinalShape::default();
    for part in text.split(',') {
        let (name, count) = part.split_once('=').ok_or_else(|| wrong(part))?;
        let count = at_least_one(count.trim()).map_err(|_| wrong(part))?;
        let place = match name.trim() {
            "heads" => &mut shape.heads,
            "kv_heads" => &mut shape.kv_heads,
            "channels" => &mut shape.channels,
            _ => return Err(wrong(part)),
        };
        *place = Some(count);
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_units() {
        assert_eq!(count("5.4B"), Ok(5_400_000_000));
        assert_eq!(count("350M"), Ok(350_000_000));
        assert_eq!(count("1200"), Ok(1200));
        assert!(count("many").is_err() && count("-3").is_err() && count("0").is_err());
    }

    #[test]
    fn a_ratio_excludes_its_ends() {
        assert_eq!(ratio("0.2"), Ok(0.2));
        for wrong in ["0", "1", "1.5", "-0.1", "NaN", "inf", "20%", ""] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
        assert_eq!(first_ratio("0"), Ok(0.0));
        assert!(first_ratio("1").is_err());
    }

    #[test]
    fn a_rise_is_a_share_or_per_cent() {
        assert_eq!((rise("5%"), rise("0.05"), rise("150 %")), (Ok(0.05), Ok(0.05), Ok(1.5)));
        for wrong in ["5", "0", "0%", "-5%", "NaN%", "inf%", "%", ""] {
            assert!(rise(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_a_share_or_milliseconds() {
        assert_eq!((time("0.8x"), time(".5 ×")), (Ok(TimeBudget::Share(0.8)), Ok(TimeBudget::Share(0.5))));
        assert_eq!(
            (time("12ms"), time("0.25 MS")),
            (Ok(TimeBudget::Milliseconds(12.0)), Ok(TimeBudget::Milliseconds(0.25)))
        );
        for wrong in ["", "0.8", "1x", "0x", "-1ms", "ms", "x", "NaNx", "infms", "12s", "80%"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        // As it is told it can be typed.
        for budget in [TimeBudget::Share(0.75), TimeBudget::Milliseconds(3.5)] {
            assert_eq!(time(&budget.to_string()), Ok(budget));
        }
    }

    #[test]
    fn a_probability_includes_only_its_upper_end() {
        assert_eq!((probability("1"), probability("0.9")), (Ok(1.0), Ok(0.9)));
        assert!(["0", "1.1", "-0.5", "NaN"].iter().all(|wrong| probability(wrong).is_err()));
        assert!(positive("0").is_err() && positive("1.2").is_ok());
    }

    #[test]
    fn a_window_holds_two_tokens_at_least() {
        assert_eq!(window_length("2"), Ok(2));
        assert!(window_length("1").is_err() && at_least_one("0").is_err() && not_negative("-1").is_err());
    }

    #[test]
    fn bytes_are_binary_or_decimal() {
        for binary in ["8G", "8g", "8GiB", "8gib", "8Gi", "8192M", "8 GiB", "8388608K", "8589934592", "8589934592B"] {
            assert_eq!(bytes(binary), Ok(8 << 30), "{binary}");
        }
        for decimal in ["8GB", "8gb", "8Gb", "8000MB", "8000000kB", "0.008TB"] {
            assert_eq!(bytes(decimal), Ok(8_000_000_000), "{decimal}");
        }
        assert_eq!((bytes("1.5GB"), bytes("512M"), bytes("0.5T")), (Ok(1_500_000_000), Ok(512 << 20), Ok(1 << 39)));
        for wrong in ["8 apples", "", "G", "-8G", "0", "8GG", "NaN", "8e", "inf"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        // What help and errors say about sizes is so.
        assert_eq!((bytes("8G"), bytes("8GB")), (bytes("8192M"), Ok(8_000_000_000)));
    }

    #[test]
    fn a_site_has_a_factor_or_a_list() {
        assert_eq!(site_ratio("0.5"), Ok(SiteRatio::Factor(0.5)));
        assert_eq!(site_ratio("0.1, 0"), Ok(SiteRatio::List(vec![0.1, 0.0])));
        assert!(site_ratio("-1").is_err() && site_ratio("0.1,1").is_err());
    }

    #[test]
    fn a_final_shape_names_what_it_changes() {
        let want = FinalShape { kv_heads: Some(2), channels: Some(1024), heads: None };
        assert_eq!(shape("kv_heads=2,channels=1024"), Ok(want));
        for wrong in ["", "2", "layers=2", "heads=0", "heads=x"] {
            assert!(shape(wrong).is_err(), "{wrong}");
        }
    }
}
