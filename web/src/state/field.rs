//! A value of a lesson's state, as it stands in an address. An address may come from anywhere:
//! what is out of bounds is refused and never corrected without a word.

/// A value with what it may be.
pub enum Field<'a> {
    /// A number, written with so many digits after the point.
    Number {
        /// Where it is kept.
        value: &'a mut f64,
        /// Least value.
        least: f64,
        /// Greatest value.
        most: f64,
        /// Digits after the point.
        digits: usize,
    },
    /// A whole number.
    Count {
        /// Where it is kept.
        value: &'a mut usize,
        /// Least value.
        least: usize,
        /// Greatest value.
        most: usize,
    },
    /// Yes or no.
    Switch(&'a mut bool),
    /// Different numbers below a bound, in an order that matters.
    Picks {
        /// Where they are kept.
        value: &'a mut Vec<usize>,
        /// All are less than this.
        below: usize,
        /// No more than so many.
        most: usize,
    },
    /// So many numbers.
    Numbers {
        /// Where they are kept; empty means that none is set.
        value: &'a mut Vec<f64>,
        /// How many there are where there are any.
        count: usize,
        /// Least of each.
        least: f64,
        /// Greatest of each.
        most: f64,
    },
    /// Cells of matrices that were given other values.
    Edits {
        /// Where they are kept.
        value: &'a mut Vec<Edit>,
        /// Rows and columns of each matrix that can be edited.
        shapes: &'static [[usize; 2]],
    },
    /// A text of at most so many bytes.
    Text {
        /// Where it is kept.
        value: &'a mut String,
        /// Most bytes.
        longest: usize,
    },
}

/// A cell with a value of the reader's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edit {
    /// Which matrix, by its place among those that can be edited.
    pub matrix: usize,
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// The value, at most [`Edit::LARGEST`] in size.
    pub value: f64,
}

impl Edit {
    /// Largest magnitude of a value.
    pub const LARGEST: f64 = 9.99;

    /// The nearest value that a cell can have: what is computed with is what is seen, and what a link leads to.
    pub fn nearest(typed: f64) -> f64 {
        rounded(typed.clamp(-Self::LARGEST, Self::LARGEST), DIGITS)
    }
}

/// Digits after the point of the numbers in lists.
const DIGITS: usize = 2;

/// More cells than any matrix of a lesson has.
const MOST_EDITS: usize = 400;

impl Field<'_> {
    /// The value as text.
    pub fn written(&self) -> String {
        match self {
            Self::Number { value, digits, .. } => format!("{value:.digits$}"),
            Self::Count { value, .. } => value.to_string(),
            Self::Switch(value) => if **value { "1" } else { "0" }.into(),
            Self::Picks { value, .. } => joined(value.iter()),
            Self::Numbers { value, .. } => joined(value.iter().map(|v| format!("{v:.DIGITS$}"))),
            Self::Edits { value, .. } => joined(value.iter().map(|e| {
                let Edit { matrix, row, column, value } = e;
                format!("{matrix}_{row}_{column}_{value:.DIGITS$}")
            })),
            Self::Text { value, .. } => (*value).clone(),
        }
    }

    /// Takes the value from a text; `None` where it is none of those that are allowed.
    pub fn read(&mut self, text: &str) -> Option<()> {
        match self {
            Self::Number { value, least, most, digits } => **value = number(text, *least, *most, *digits)?,
            Self::Count { value, least, most } => **value = within(text.parse().ok()?, *least, *most)?,
            Self::Switch(value) => **value = ["0", "1"].iter().position(|&word| word == text)? == 1,
            Self::Picks { value, below, most } => **value = picks(text, *below, *most)?,
            Self::Numbers { value, count, least, most } => {
                let numbers: Option<Vec<f64>> = parts(text).map(|part| number(part, *least, *most, DIGITS)).collect();
                **value = numbers.filter(|numbers| numbers.is_empty() || numbers.len() == *count)?;
            }
            Self::Edits { value, shapes } => {
                // One more than allowed: enough to see that a list is too long.
                let edits: Option<Vec<Edit>> = parts(text).take(MOST_EDITS + 1).map(|e| edit(e, shapes)).collect();
                **value = edits.filter(|edits| edits.len() <= MOST_EDITS)?;
            }
            Self::Text { value, longest } => {
                **value = Some(fitting(text, *longest)).filter(|fitting| fitting == text)?;
            }
        }
        Some(())
    }
}

/// The nearest text that has its place in a field of so many bytes.
pub fn fitting(typed: &str, longest: usize) -> String {
    let mut text = String::new();
    // What no keyboard writes is no more than a space to a prompt of this page, and neither is the end of a line.
    for letter in typed.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if text.len() + letter.len_utf8() > longest {
            break;
        }
        text.push(letter);
    }
    text
}

/// Lists have commas between: a point is part of a number, and a minus its sign.
fn joined(values: impl Iterator<Item = impl ToString>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

fn within<T: PartialOrd>(value: T, least: T, most: T) -> Option<T> {
    // NaN lies between no bounds, and is refused like all else.
    (least..=most).contains(&value).then_some(value)
}

fn number(text: &str, least: f64, most: f64, digits: usize) -> Option<f64> {
    // More digits than are ever written would be another picture than the one that its own link leads to.
    within(text.parse().ok()?, least, most).filter(|value| rounded(*value, digits) == *value)
}

/// The nearest number of so many digits: the very one that is read where it is written.
fn rounded(value: f64, digits: usize) -> f64 {
    let scale = 10f64.powi(digits as i32);
    (value * scale).round() / scale
}

fn picks(text: &str, below: usize, most: usize) -> Option<Vec<usize>> {
    let mut picked = Vec::new();
    for part in parts(text) {
        let pick: usize = part.parse().ok()?;
        if pick >= below || picked.contains(&pick) || picked.len() == most {
            return None;
        }
        picked.push(pick);
    }
    Some(picked)
}

fn edit(text: &str, shapes: &[[usize; 2]]) -> Option<Edit> {
    let numbers: Vec<&str> = text.split('_').collect();
    let [matrix, row, column, value] = numbers[..] else { return None };
    let matrix: usize = matrix.parse().ok()?;
    let [rows, columns] = *shapes.get(matrix)?;
    let (row, column) = (row.parse().ok().filter(|&r| r < rows)?, column.parse().ok().filter(|&c| c < columns)?);
    Some(Edit { matrix, row, column, value: number(value, -Edit::LARGEST, Edit::LARGEST, DIGITS)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_so_many_digits_is_taken_as_it_is_written() {
        for hundredths in -999..=999 {
            let text = format!("{:.2}", f64::from(hundredths) / 100.0);
            let value = number(&text, -Edit::LARGEST, Edit::LARGEST, 2).expect(&text);
            assert_eq!((value, Edit::nearest(value)), (text.parse().unwrap(), value));
        }
        assert_eq!([Edit::nearest(4.5678), Edit::nearest(-1e9), Edit::nearest(0.004)], [4.57, -9.99, 0.0]);
    }

    #[test]
    fn a_typed_text_is_cut_between_letters_and_has_no_controls() {
        assert_eq!(fitting("a\nb\u{7f}c\u{85}d", 20), "a b c d");
        assert_eq!(fitting("\u{e9}\u{e9}\u{e9}", 5), "\u{e9}\u{e9}");
        assert_eq!(fitting("whole", 5), "whole");
    }
}
