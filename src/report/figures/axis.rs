//! An axis: where values stand, and at which of them there are marks.

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero or from a lowest value below it.
    Linear,
    /// Evenly, with marks at whole numbers only.
    Whole,
    /// By their logarithm; only positive values have a place.
    Log,
}

/// The values between the ends of an axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis that holds all of `values` that have a place on it; ends are widened to round numbers.
    pub fn around(values: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let placed = values.filter(|v| v.is_finite() && (scale != Scale::Log || *v > 0.0));
        let (low, high) = placed.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match scale {
            // Nothing has a place: any axis will do.
            _ if low > high => Self { scale, low: 1.0, high: 10.0 },
            // A single value has a place as well: the upper end stays above the lower one.
            Scale::Whole => Self { scale, low, high: high.max(low + 1.0) },
            // From zero, so that heights can be compared.
            Scale::Linear => Self { scale, low: low.min(0.0), high: rounded_up(high.max(low + 1e-9)) },
            Scale::Log => Self { scale, low: widened_down(low), high: widened_up(high.max(low * 1.01)) },
        }
    }

    /// An axis between two values.
    pub fn between(low: f64, high: f64, scale: Scale) -> Self {
        Self { scale, low, high }
    }

    /// The place of a value between 0 and 1; `None` where it has none.
    pub fn place(&self, value: f64) -> Option<f64> {
        // Any base will do: it falls out of the quotient.
        let of = |v: f64| if self.scale == Scale::Log { v.ln() } else { v };
        let place = (of(value) - of(self.low)) / (of(self.high) - of(self.low));
        place.is_finite().then_some(place)
    }

    /// The values that have a mark.
    pub fn marks(&self) -> Vec<f64> {
        match self.scale {
            // About five marks beside the plot and twelve below it do not touch.
            Scale::Linear => stepped(self.low, self.high, nice_step((self.high - self.low) / 5.0)),
            Scale::Whole => stepped(self.low, self.high, nice_step((self.high - self.low) / 12.0).max(1.0)),
            Scale::Log => self.log_marks(),
        }
    }

    /// 1, 2, 5, 10 … where there are few decades, powers of ten where there are many.
    fn log_marks(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        // Powers of ten are computed, and miss an end by a rounding.
        let within = |v: &f64| *v >= self.low * 0.999 && *v <= self.high * 1.001;
        // Powers of ten alone would be too few marks for two or three decades.
        let digits: &[f64] = if last - first <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        // About eight marks at most, however many decades there are.
        let every = ((last - first) / 8 + 1) as usize;
        let decades = (first..=last).step_by(if digits.len() == 1 { every } else { 1 });
        decades.flat_map(|p| digits.iter().map(move |d| d * 10f64.powi(p))).filter(within).collect()
    }
}

fn stepped(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step).ceil() as i64;
    // An end that is a multiple of the step but for a rounding keeps its mark.
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice_step(step: f64) -> f64 {
    // Zero has no logarithm.
    let power = 10f64.powf(step.max(1e-300).log10().floor());
    // A step that is round but for a rounding stays the same.
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|d| d * power >= step * 0.999).unwrap_or(10.0);
    digit * power
}

fn rounded_up(high: f64) -> f64 {
    let step = nice_step(high.abs() / 5.0);
    // An end that is round but for a rounding stays where it is.
    (high / step - 1e-9).ceil() * step
}

/// The next 1, 2 or 5 times a power of ten below.
fn widened_down(low: f64) -> f64 {
    let power = 10f64.powf(low.log10().floor());
    [5.0, 2.0].into_iter().map(|d| d * power).find(|v| *v <= low).unwrap_or(power)
}

fn widened_up(high: f64) -> f64 {
    let power = 10f64.powf(high.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|d| d * power).find(|v| *v >= high * 0.999).unwrap_or(10.0 * power)
}

/// A value beside its mark, in few characters.
pub fn label(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        // Three decimals show less than a thousandth as 0, and millions do not fit beside the axis.
        v if !(1e-3..1e6).contains(&v) => format!("{value:.0e}"),
        v if v >= 1000.0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_marks_are_whole_and_within() {
        for last in [1.0, 5.0, 11.0, 31.0, 79.0] {
            let marks = Axis::around([0.0, last].into_iter(), Scale::Whole).marks();
            assert!(marks.iter().all(|m| m.fract() == 0.0 && *m <= last), "{last}: {marks:?}");
            assert!(marks.len() >= 2 && marks.len() <= 14, "{last}: {marks:?}");
        }
    }

    #[test]
    fn every_value_has_a_place_between_the_ends() {
        for values in [[0.013, 0.4], [6.3, 31.0], [1e-9, 1e-2], [5.0, 5.0]] {
            let axis = Axis::around(values.into_iter(), Scale::Log);
            for value in values {
                let place = axis.place(value).unwrap();
                assert!((-1e-9..=1.0 + 1e-9).contains(&place), "{values:?}: {place}");
            }
            assert!(axis.marks().len() >= 2, "{values:?}: {:?}", axis.marks());
        }
        assert_eq!(Axis::around([1.0, 10.0].into_iter(), Scale::Log).place(0.0), None);
    }

    #[test]
    fn without_values_there_is_still_an_axis() {
        assert!(Axis::around([f64::NAN].into_iter(), Scale::Log).marks().len() > 1);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.0, 0.25, 30.0, 1e-5, 2e6].map(label), ["0", "0.25", "30", "1e-5", "2e6"]);
    }
}
