//! How wide words are, roughly: there is no font here to ask.

/// Width of a text in pixels at a size in pixels, a little more than most fonts need.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// The text cut off so that it fits, with a mark where it is.
pub(crate) fn fitted(text: &str, size: f64, width_max: f64) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let mut left = width_max - width("…", size);
    let fits = |character: &char| {
        left -= em(*character) * size;
        left >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

fn em(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.3,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | '-' | ' ' | 'I' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        _ if character.is_ascii_uppercase() => 0.72,
        _ if character.is_ascii() => 0.6,
        // Letters of other scripts and signs: some are as wide as they are high.
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits() {
        let long = "a name that goes on and on";
        for width_max in [20.0, 60.0, 120.0] {
            let cut = fitted(long, 12.0, width_max);
            assert!(
                cut.ends_with('…') && width(&cut, 12.0) <= width_max,
                "{cut}"
            );
        }
        assert_eq!(fitted("short", 12.0, 60.0), "short");
    }
}
