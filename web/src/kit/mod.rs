//! What the lessons are put together from. Each piece draws what it is given and says what was
//! asked for; none knows a lesson.

mod amount;
mod bars;
mod choice;
mod count;
mod figure;
mod grid;
mod lit;
mod outcome;
mod plot;
mod section;
mod slider;
mod stepper;
mod toggles;
mod toolbar;

pub use amount::amount;
pub use bars::{Bar, Bars};
pub use choice::Choice;
pub use count::Count;
pub use figure::Figure;
pub use grid::{Grid, Place};
pub use lit::light_symbols;
pub use outcome::Outcome;
pub use plot::{Plot, drawn, provide_room, room};
pub use section::Section;
pub use slider::Slider;
pub use stepper::Stepper;
pub use toggles::Toggles;
pub use toolbar::{Address, Toolbar};

/// A number as figures show it: few digits, and a minus that is as wide as a plus.
pub fn shown(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let is_zero = !text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    match text.strip_prefix('-') {
        // Rounded to nothing it has no sign.
        Some(rest) if is_zero => rest.to_owned(),
        Some(rest) => format!("\u{2212}{rest}"),
        None => text,
    }
}

/// A share as a percentage with one digit.
pub fn percent(share: f64) -> String {
    shown(100.0 * share, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_true_minus_and_nothing_has_no_sign() {
        assert_eq!([shown(-1.25, 1), shown(-0.04, 1), shown(2.0, 0)], ["\u{2212}1.2", "0.0", "2"]);
        assert_eq!(percent(0.123), "12.3");
    }
}
