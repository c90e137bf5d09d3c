//! Bytes that cost steps of the engine while they are written: a value may be far longer as a text than in
//! memory, and the engine itself counts only what is finished.

use std::fmt;
use std::io;

#[cfg(not(target_arch = "wasm32"))]
use minijinja::ErrorKind;
use minijinja::value::Value;
use minijinja::{Error, Output, State};

/// Bytes that one step of the engine pays for.
const PAID: usize = 64;

/// A place to write to, and who pays for it.
pub(super) struct Paid<'a, 'b, 'c, W> {
    pub out: W,
    state: &'a State<'b, 'c>,
    unpaid: usize,
    /// Why it could not be paid.
    refused: Option<Error>,
}

impl<'a, 'b, 'c, W> Paid<'a, 'b, 'c, W> {
    pub fn new(state: &'a State<'b, 'c>, out: W) -> Self {
        Self { out, state, unpaid: 0, refused: None }
    }

    fn pay(&mut self, bytes: usize) -> Result<(), Error> {
        self.unpaid += bytes;
        self.state.consume_fuel((self.unpaid / PAID) as u64)?;
        self.unpaid %= PAID;
        Ok(())
    }
}

impl<W: io::Write> io::Write for Paid<'_, '_, '_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pay(bytes.len()).map_err(io::Error::other)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: fmt::Write> fmt::Write for Paid<'_, '_, '_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Err(error) = self.pay(text.len()) {
            // The engine visits a list to its end whatever becomes of the writing, and one that is repeated may
            // have none: it is left by force, and whoever renders takes that for a fault of the template.
            #[cfg(not(target_arch = "wasm32"))]
            if error.kind() == ErrorKind::OutOfFuel {
                std::panic::resume_unwind(Box::new(super::TOO_MUCH.to_owned()));
            }
            self.refused = Some(error);
            return Err(fmt::Error);
        }
        self.out.write_str(text)
    }
}

/// Writes a value where a template prints it. A list that is repeated is printed piece by piece, and its
/// length is only a number before.
pub(super) fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    use fmt::Write as _;
    let mut paid = Paid::new(state, out);
    write!(paid, "{value}").map_err(|error| paid.refused.take().unwrap_or_else(|| Error::from(error)))
}

/// What the operator `~` makes of its sides.
pub(super) fn concatenation(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    text(state, format_args!("{left}{right}"))
}

/// The filter `string`.
pub(super) fn string(state: &State, value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(_) => Ok(value),
        None => text(state, format_args!("{value}")),
    }
}

fn text(state: &State, arguments: fmt::Arguments<'_>) -> Result<Value, Error> {
    use fmt::Write as _;
    let mut paid = Paid::new(state, String::new());
    match paid.write_fmt(arguments) {
        Ok(()) => Ok(Value::from(paid.out)),
        Err(error) => Err(paid.refused.unwrap_or_else(|| Error::from(error))),
    }
}

/// The methods of Python's values. What `format` pads to, and what `join` makes texts of, is paid before.
pub(super) fn method(state: &mut State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str().filter(|_| method == "format") {
        Paid::new(state, ()).pay(widths(text))?;
    }
    if let Some(joined) = arguments.first().filter(|_| method == "join") {
        joined.try_iter()?.try_for_each(|item| string(state, item).map(drop))?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}

/// The numbers in a text, all together: of a format, no less than its widths.
fn widths(text: &str) -> usize {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    // What does not fit is too much in any case.
    numbers.map(|digits| digits.parse().unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widths_of_a_format_are_its_numbers() {
        assert_eq!(widths("{:>10} {0:.5f} {}"), 15);
        assert_eq!((widths("no"), widths("{:99999999999999999999} {:2}")), (0, usize::MAX));
    }
}
