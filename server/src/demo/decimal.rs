//! Decimal fractions as people type them, kept exact.

use std::{fmt, str::FromStr};

/// A decimal fraction: `digits / scale`, the scale a power of ten.
///
/// Kept as typed because the verdict is exact arithmetic: 0.2 has no exact binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) digits: u64,
    pub(crate) scale: u64,
}

/// Most digits before the point; with those behind it they fit 64 bits.
const WHOLE_DIGITS_MAX: usize = 10;

/// Most digits behind the point.
const FRACTION_DIGITS_MAX: usize = 6;

impl Decimal {
    /// So many whole ones.
    pub(crate) const fn whole(digits: u64) -> Self {
        Self { digits, scale: 1 }
    }

    /// The nearest binary fraction: for people and for interfaces that take nothing else.
    pub(crate) fn as_f64(self) -> f64 {
        self.digits as f64 / self.scale as f64
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("`{text}` is not a number like 5 or 0.2"));
        }
        if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > FRACTION_DIGITS_MAX {
            return Err(format!(
                "`{text}` has more than {WHOLE_DIGITS_MAX} digits before the point or \
                 {FRACTION_DIGITS_MAX} behind it"
            ));
        }
        let places = u32::try_from(fraction.len()).expect("few digits");
        Ok(Self {
            digits: digits.parse().map_err(|error| format!("{error}"))?,
            scale: 10u64.pow(places),
        })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_kept_as_typed() {
        let expected = |digits, scale| Ok(Decimal { digits, scale });
        assert_eq!("0.2".parse(), expected(2, 10));
        assert_eq!("5".parse(), expected(5, 1));
        assert_eq!(".25".parse(), expected(25, 100));
        assert_eq!(
            "9999999999.999999".parse(),
            expected(9_999_999_999_999_999, 1_000_000)
        );
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for text in [
            "",
            ".",
            "-1",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "1.2.3",
            "0.1234567",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert!("12345678901".parse::<Decimal>().is_err());
    }
}
