//! The learning rate of a step: a linear rise, then half a cosine down to nothing.

/// The share of the highest rate at `step`, counted from 0, of `steps`.
pub fn rate(step: usize, steps: usize, warm_up: usize) -> f64 {
    if step < warm_up {
        // The first step already moves: a rate of zero would waste it.
        return (step + 1) as f64 / warm_up as f64;
    }
    let done = (step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_stays_below_one_and_falls() {
        let all: Vec<f64> = (0..100).map(|step| rate(step, 100, 10)).collect();
        assert!((all[0] - 0.1).abs() < 1e-12 && all[9] == 1.0 && all[10] == 1.0);
        assert!(all[10..].windows(2).all(|pair| pair[1] < pair[0]) && all[99] > 0.0);
        // Half way down the cosine is half.
        assert!((rate(55, 100, 10) - 0.5).abs() < 1e-12);
        assert_eq!(rate(0, 5, 0), 1.0);
        assert!(rate(3, 2, 10) <= 1.0);
    }
}
