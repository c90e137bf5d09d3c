//! Amounts from a handful to thousands of millions of millions, so that they can be read.

/// A whole amount: with commas up to a million, beyond that as a power of ten.
pub fn amount(value: f64) -> String {
    if value.abs() < 1e6 { grouped(value.round() as i64) } else { power(value) }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "\u{2212}".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "3.7 · 10¹⁵".
fn power(value: f64) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    // What is rounded to 10.0 becomes 1.0 of the next power here, as it should.
    let text = format!("{value:.1e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let raised: String = exponent.chars().filter_map(|c| c.to_digit(10)).map(|d| RAISED[d as usize]).collect();
    format!("{digits} \u{b7} 10{raised}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_can_be_read() {
        let amounts = [0.0, 999.6, 11_008.0, -1234.0, 999_999.0, 1e6, 3.67e15].map(amount);
        assert_eq!(amounts, ["0", "1,000", "11,008", "\u{2212}1,234", "999,999", "1.0 · 10⁶", "3.7 · 10¹⁵"]);
    }
}
