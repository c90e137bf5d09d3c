//! Small values as they are typed: counts, bytes, schedules, steps.

use std::path::Path;

use slimgpt::obs::ChannelSteps;
use slimgpt::obs::schedule::Shape;
use slimgpt::pipeline::Schedule;

/// "5.4B", "350M", "12k" or a plain number.
pub fn count(text: &str) -> Result<usize, String> {
    let units = [("B", 1e9), ("b", 1e9), ("G", 1e9), ("M", 1e6), ("m", 1e6), ("K", 1e3), ("k", 1e3)];
    scaled(text, &units).ok_or_else(|| format!("{text} is not a count such as 5.4B, 350M or 1200000"))
}

/// "8GiB", "500MB" or a plain number of bytes.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("TiB", 1024f64.powi(4)),
        ("GiB", 1024f64.powi(3)),
        ("MiB", 1024f64.powi(2)),
        ("KiB", 1024.0),
        ("TB", 1e12),
        ("GB", 1e9),
        ("MB", 1e6),
        ("KB", 1e3),
        ("kB", 1e3),
    ];
    scaled(text, &units).map(|n| n as u64).ok_or_else(|| format!("{text} is not a size such as 8GiB or 500MB"))
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

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text, |n| *n > 0.0).ok_or_else(|| format!("{text} is not a number above 0"))
}

fn number(text: &str, is_right: impl Fn(&f64) -> bool) -> Option<f64> {
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
    (value >= 1.0 && value.is_finite()).then_some(value.round() as usize)
}

/// "one-by-one", "dynamic", "dynamic:64", "fixed:128".
pub fn channel_steps(text: &str) -> Result<ChannelSteps, String> {
    let (name, number) = text.split_once(':').map_or((text, None), |(n, v)| (n, Some(v)));
    let number = number.map(|v| v.parse::<usize>().ok().filter(|&n| n > 0)).map_or(Ok(None), |n| n.map(Some).ok_or(()));
    match (name, number) {
        ("one-by-one", Ok(None)) => Ok(ChannelSteps::OneByOne),
        ("dynamic", Ok(floor)) => Ok(ChannelSteps::Dynamic { floor: floor.unwrap_or(8) }),
        ("fixed", Ok(Some(size))) => Ok(ChannelSteps::Fixed(size)),
        _ => Err(format!("{text} is not one-by-one, dynamic, dynamic:FLOOR or fixed:N")),
    }
}

/// A schedule's name, or a file with one ratio for each layer.
pub fn schedule(text: &str) -> Result<Schedule, String> {
    Ok(Schedule::Shape(match text {
        "log" => Shape::Log,
        "linear" => Shape::Linear,
        "uniform" => Shape::Uniform,
        "log-decrease" => Shape::LogDecrease,
        "linear-decrease" => Shape::LinearDecrease,
        file => return ratios(Path::new(file)).map(Schedule::List),
    }))
}

fn ratios(file: &Path) -> Result<Vec<f64>, String> {
    let names = "log, linear, uniform, log-decrease, linear-decrease";
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("{} is neither one of {names} nor a readable file ({e})", file.display()))?;
    listed(&text).map_err(|word| format!("{}: \"{word}\" is not a ratio of at least 0 and less than 1", file.display()))
}

/// Ratios between spaces, line ends or commas, or as a JSON list; the first word that is none.
fn listed(text: &str) -> Result<Vec<f64>, String> {
    let words = text.split(|c: char| c.is_whitespace() || ",[]".contains(c)).filter(|w| !w.is_empty());
    words.map(|w| first_ratio(w).map_err(|_| w.to_owned())).collect()
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
        assert_eq!(bytes("8GiB"), Ok(8 << 30));
        assert_eq!(bytes("500MB"), Ok(500_000_000));
        assert!(bytes("8 apples").is_err());
    }

    #[test]
    fn steps_have_a_floor_or_a_size() {
        assert_eq!(channel_steps("dynamic"), Ok(ChannelSteps::Dynamic { floor: 8 }));
        assert_eq!(channel_steps("dynamic:64"), Ok(ChannelSteps::Dynamic { floor: 64 }));
        assert_eq!(channel_steps("fixed:128"), Ok(ChannelSteps::Fixed(128)));
        for wrong in ["fixed", "fixed:0", "dynamic:x", "one-by-one:3", "all"] {
            assert!(channel_steps(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_of_ratios_may_be_json_or_lines() {
        assert_eq!(listed("[0.1, 0.2]"), Ok(vec![0.1, 0.2]));
        assert_eq!(listed("0.1\n0.2\n"), Ok(vec![0.1, 0.2]));
        assert_eq!(listed("0.1 x"), Err("x".into()));
        assert_eq!(listed("0.1 1.2"), Err("1.2".into()));
    }

    #[test]
    fn a_schedule_that_is_neither_name_nor_file_names_both() {
        let error = schedule("exponential").unwrap_err();
        assert!(error.contains("log-decrease") && error.contains("exponential"), "{error}");
    }
}
