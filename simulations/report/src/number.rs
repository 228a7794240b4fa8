//! Numbers as people read them.

/// So many places, thousands apart; what is no number is a dash.
pub(crate) fn fixed(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{:.places$}", value.abs());
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    format!("{sign}{}{rest}", grouped(whole))
}

/// As many places as four digits that count need, and no more.
pub(crate) fn brief(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() || magnitude == 0.0 {
        return fixed(value, 0);
    }
    if !(1e-6..1e15).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let places = (3.0 - magnitude.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = fixed(value, places);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A tick's number, in a scale whose ticks are `step` apart.
pub(crate) fn tick(value: f64, step: f64) -> String {
    if value.abs() >= 1e6 && step >= 1e5 {
        let places = places_of(step / 1e6);
        return format!("{}M", fixed(value / 1e6, places));
    }
    fixed(value, places_of(step))
}

/// Steps of 1, 2 or 5 times a power of ten, so that about `count` of them make up the span.
pub(crate) fn round_step(span: f64, count: usize) -> f64 {
    let rough = (span / count.max(1) as f64).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 5.0];
    let fits = factors
        .iter()
        .find(|factor| **factor * power >= rough * 0.999);
    fits.unwrap_or(&10.0) * power
}

fn places_of(step: f64) -> usize {
    let places = (-(step.abs() * 1.000_001).log10().floor()).clamp(0.0, 9.0);
    places as usize
}

fn grouped(whole: &str) -> String {
    let count = whole.len();
    let digits = whole.chars().enumerate();
    let with_marks = digits.map(|(index, digit)| {
        let is_mark = index > 0 && (count - index).is_multiple_of(3);
        if is_mark {
            format!(",{digit}")
        } else {
            digit.to_string()
        }
    });
    with_marks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_and_nothing_is_minus_nothing() {
        assert_eq!(fixed(1_234_567.891, 1), "1,234,567.9");
        assert_eq!(fixed(-1_000.0, 0), "−1,000");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(999.0, 0), "999");
        assert_eq!(fixed(f64::NAN, 2), "–");
    }

    #[test]
    fn brief_numbers_keep_four_digits() {
        let shown = [0.0, 0.999_95, 0.123_456, 12.5, 12_345.6, 1e-9].map(brief);
        assert_eq!(shown, ["0", "1", "0.1235", "12.5", "12,346", "1.000e-9"]);
    }

    #[test]
    fn steps_are_round() {
        for (span, count, step) in [
            (60.0, 6, 10.0),
            (1.0, 5, 0.2),
            (7.3, 5, 2.0),
            (6_100.0, 5, 2_000.0),
            (0.004, 4, 0.001),
        ] {
            let found = round_step(span, count);
            assert!((found / step - 1.0).abs() < 1e-9, "{span}: {found}");
        }
    }

    #[test]
    fn ticks_have_the_places_of_their_step() {
        assert_eq!(tick(0.2, 0.1), "0.2");
        assert_eq!(tick(20.0, 10.0), "20");
        assert_eq!(tick(0.005, 0.001), "0.005");
        assert_eq!(tick(2_500_000.0, 500_000.0), "2.5M");
    }
}
