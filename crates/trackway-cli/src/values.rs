//! Numbers as text and back.
//!
//! A finite value is written with the fewest digits that read back to the same bits. `NaN`, `Infinity` and `-Infinity`
//! are written as MLflow writes them. A NaN is more than one bit pattern: `NaN` stands for the one that `f64::NAN` is,
//! and any other is written `nan:` and its 16 hex digits, so that text keeps every bit.

use serde_json::Value;
use std::io::Write as _;

/// The bits that the text `NaN` stands for.
const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;

/// Marks a NaN that is written bit by bit.
const NAN_BITS: &[u8] = b"nan:";

/// Reads a value as Rust, Python, C or [`push_value`] write it; `None` when it is none.
pub fn parse_value(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    if let Some(hex) = text.strip_prefix(NAN_BITS) {
        return parse_nan_bits(hex);
    }
    // Rust's own reader is correctly rounded and knows inf, infinity and nan in either case, with a sign.
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn parse_nan_bits(hex: &[u8]) -> Option<f64> {
    if hex.len() != 16 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let value = f64::from_bits(u64::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
    value.is_nan().then_some(value)
}

/// Reads a whole number; `None` when it is none or does not fit.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    // 19 digits fit u64.
    let magnitude = digits.iter().fold(0_u64, |n, digit| n * 10 + u64::from(digit - b'0'));
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Appends a whole number.
pub fn push_int(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        // The remainder of a division by ten is below ten.
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends a value so that [`parse_value`] gives back its bits.
pub fn push_value(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        // Writing to a vector does not fail.
        let _ = write!(out, "{value:?}");
    } else {
        out.extend_from_slice(special(value).as_bytes());
    }
}

/// A value as text that reads back to the same bits.
pub fn exact(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { special(value) }
}

fn special(value: f64) -> String {
    match value {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ if value.to_bits() == CANONICAL_NAN => "NaN".to_owned(),
        _ => format!("nan:{:016x}", value.to_bits()),
    }
}

/// A value in JSON: a number, or the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
pub fn json(value: f64) -> Value {
    if value.is_nan() {
        return Value::from("NaN");
    }
    if value.is_finite() { Value::from(value) } else { Value::from(special(value)) }
}

/// A value for a table: at most five significant digits.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { if value > 0.0 { "inf" } else { "-inf" }.to_owned() };
    }
    let size = value.abs();
    if value == 0.0 || value.fract() == 0.0 && size < 1e7 {
        return format!("{value:.0}");
    }
    if !(1e-4..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let whole_digits = if size < 1.0 { 1 } else { size.log10() as usize + 1 };
    let text = format!("{value:.*}", 5_usize.saturating_sub(whole_digits).max(1));
    if size < 0.01 { format!("{value:.6}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: f64) -> Option<u64> {
        let mut text = Vec::new();
        push_value(&mut text, value);
        assert_eq!(String::from_utf8(text.clone()).unwrap(), exact(value));
        parse_value(&text).map(f64::to_bits)
    }

    #[test]
    fn every_bit_pattern_survives_as_text() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            bits = bits.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555;
            assert_eq!(round_trip(f64::from_bits(bits)), Some(bits));
        }
        let ends =
            [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
        for value in ends {
            assert_eq!(round_trip(value), Some(value.to_bits()), "{value:?}");
        }
        assert_eq!(exact(f64::from_bits(0x7ff8_0000_0000_0001)), "nan:7ff8000000000001");
    }

    #[test]
    fn values_of_other_languages_are_read() {
        let reads = |text: &str| parse_value(text.as_bytes());
        assert_eq!((reads("1e-05"), reads("+3"), reads(" .5 ")), (Some(1e-5), Some(3.0), Some(0.5)));
        assert_eq!((reads("inf"), reads("-Infinity")), (Some(f64::INFINITY), Some(f64::NEG_INFINITY)));
        assert!(reads("nan").unwrap().is_nan() && reads("NaN").unwrap().to_bits() == CANONICAL_NAN);
        for wrong in ["", "1,5", "0x10", "one", "nan:", "nan:3ff0000000000000", "nan:7ff80000000000010", "1 2"] {
            assert_eq!(reads(wrong).map(f64::to_bits), None, "{wrong:?}");
        }
    }

    #[test]
    fn whole_numbers_at_the_ends_of_their_range() {
        for number in [0, 7, -7, 1_000_000_000_000, i64::MAX, i64::MIN] {
            let mut text = Vec::new();
            push_int(&mut text, number);
            assert_eq!(text, number.to_string().as_bytes());
            assert_eq!(parse_int(&text), Some(number));
        }
        assert_eq!(parse_int(b"+12"), Some(12));
        assert_eq!(parse_int(b"00000000000000000000000012"), Some(12));
        for wrong in ["", "-", "1.0", "9223372036854775808", "-9223372036854775809", "12a", "--1", "+-1"] {
            assert_eq!(parse_int(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn short_values_fit_a_table() {
        let cases =
            [(0.123_456_7, "0.1235"), (12.3456, "12.346"), (3.0, "3"), (1e-7, "1.000e-7"), (0.001_234_56, "0.001235")];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
        assert_eq!(
            (short(f64::NAN), short(f64::NEG_INFINITY), short(1e12)),
            ("NaN".into(), "-inf".into(), "1.000e12".into())
        );
    }
}
