//! From values to places on the page, with ticks at sensible numbers.

use crate::{Axis, Scaling, Ticks, number};

/// What part of a logarithmic axis the place of zero takes.
const ZERO_PART: f64 = 0.12;

/// Most decades that are shown with every tick labelled between them.
const DECADES_FINE_MAX: f64 = 2.0;

/// From values to places.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    scaling: Scaling,
    /// Ends of the axis; for a logarithmic one, of what is above zero.
    from: f64,
    to: f64,
    /// Whether a logarithmic axis has a place for zero.
    has_zero: bool,
    pixels: (f64, f64),
    ticks: Ticks,
    ticks_count: usize,
}

/// A tick.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) at: f64,
    pub(crate) text: String,
}

impl Scale {
    /// An axis that has room for all values, drawn from the first pixel to the second. Ends are
    /// rounded outwards where `rounds`; about `ticks_count` ticks.
    pub(crate) fn new(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        pixels: (f64, f64),
        ticks_count: usize,
        rounds: bool,
    ) -> Self {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let mut scale = Self {
            scaling: axis.scaling,
            from: 0.0,
            to: 1.0,
            has_zero: false,
            pixels,
            ticks: axis.ticks.clone(),
            ticks_count,
        };
        match axis.scaling {
            Scaling::Linear => scale.fit_linear(&values, axis.from_zero, rounds),
            Scaling::Logarithmic => scale.fit_logarithmic(&values, rounds),
        }
        scale
    }

    fn fit_linear(&mut self, values: &[f64], from_zero: bool, rounds: bool) {
        let zero = from_zero.then_some(0.0);
        let with_zero = || values.iter().copied().chain(zero);
        self.from = with_zero().min_by(f64::total_cmp).unwrap_or(0.0);
        self.to = with_zero().max_by(f64::total_cmp).unwrap_or(1.0);
        if self.to - self.from < f64::EPSILON * self.to.abs().max(1.0) {
            self.to = self.from + 1.0;
        }
        if rounds {
            let step = number::round_step(self.to - self.from, self.ticks_count);
            self.from = (self.from / step + 1e-9).floor() * step;
            self.to = (self.to / step - 1e-9).ceil() * step;
        }
    }

    fn fit_logarithmic(&mut self, values: &[f64], rounds: bool) {
        let positive = || values.iter().copied().filter(|value| *value > 0.0);
        let from = positive().min_by(f64::total_cmp).unwrap_or(1.0);
        let to = positive().max_by(f64::total_cmp).unwrap_or(10.0);
        self.has_zero = values.iter().any(|value| *value <= 0.0);
        (self.from, self.to) = match rounds {
            true => (decade(from, f64::floor), decade(to, f64::ceil)),
            false => (from, to),
        };
        if self.to / self.from < 1.000_001 {
            self.to = self.from * 10.0;
        }
    }

    /// Where a value is.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let (first, last) = self.pixels;
        first + self.part(value) * (last - first)
    }

    fn part(&self, value: f64) -> f64 {
        match self.scaling {
            Scaling::Linear => (value - self.from) / (self.to - self.from),
            Scaling::Logarithmic if value <= 0.0 => 0.0,
            Scaling::Logarithmic => {
                let below = if self.has_zero { ZERO_PART } else { 0.0 };
                let part = (value / self.from).ln() / (self.to / self.from).ln();
                below + part * (1.0 - below)
            }
        }
    }

    /// Ticks by value, ascending.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let ticks = self.tick_values().into_iter();
        let ticks = ticks.map(|(value, text)| Tick {
            value,
            at: self.at(value),
            text,
        });
        ticks.collect()
    }

    fn tick_values(&self) -> Vec<(f64, String)> {
        match (&self.ticks, self.scaling) {
            (Ticks::At(values), _) => {
                let ticks = values.iter().map(|value| (*value, number::brief(*value)));
                ticks.collect()
            }
            (Ticks::Round, Scaling::Linear) => self.even_ticks(),
            (Ticks::Round, Scaling::Logarithmic) => self.decade_ticks(),
        }
    }

    fn even_ticks(&self) -> Vec<(f64, String)> {
        let step = number::round_step(self.to - self.from, self.ticks_count);
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        let values = (first..=last).map(|index| index as f64 * step);
        values
            .map(|value| (value, number::tick(value, step)))
            .collect()
    }

    fn decade_ticks(&self) -> Vec<(f64, String)> {
        let (first, last) = (self.from.log10(), self.to.log10());
        let factors: &[f64] = match last - first <= DECADES_FINE_MAX {
            true => &[1.0, 2.0, 5.0],
            false => &[1.0],
        };
        let every = ((last - first) / self.ticks_count.max(1) as f64)
            .ceil()
            .max(1.0) as usize;
        let zero = self.has_zero.then(|| (0.0, "0".to_owned()));
        let decades = (first.floor() as i32..=last.ceil() as i32).step_by(every);
        let values = decades.flat_map(|power| factors.iter().map(move |f| f * 10_f64.powi(power)));
        let inside =
            values.filter(|value| *value >= self.from * 0.999_999 && *value <= self.to * 1.000_001);
        zero.into_iter()
            .chain(inside.map(|value| (value, number::brief(value))))
            .collect()
    }

    /// Where the place of zero ends, if there is one apart from the rest.
    pub(crate) fn zero_ends_at(&self) -> Option<f64> {
        let (first, last) = self.pixels;
        let has_gap = self.scaling == Scaling::Logarithmic && self.has_zero;
        has_gap.then_some(first + ZERO_PART * 0.5 * (last - first))
    }
}

/// The power of ten next to a value, rounded so.
fn decade(value: f64, round: fn(f64) -> f64) -> f64 {
    let exponent = value.log10();
    let near = exponent.round();
    let exact = if (exponent - near).abs() < 1e-9 {
        near
    } else {
        round(exponent)
    };
    10_f64.powf(exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn an_even_axis_ends_at_ticks() {
        let values = [3.0, 58.0, f64::NAN].into_iter();
        let scale = Scale::new(&Axis::from_zero(""), values, (100.0, 0.0), 6, true);
        assert_eq!(texts(&scale), ["0", "10", "20", "30", "40", "50", "60"]);
        assert!((scale.at(30.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn zero_has_its_own_place_on_a_logarithmic_axis() {
        let values = [0.0, 3.0, 250.0].into_iter();
        let scale = Scale::new(&Axis::logarithmic(""), values, (0.0, 100.0), 5, true);
        assert_eq!(texts(&scale), ["0", "1", "10", "100", "1,000"]);
        assert!(scale.at(0.0) < scale.zero_ends_at().expect("a gap"));
        assert!(scale.at(1.0) > scale.zero_ends_at().expect("a gap"));
        assert!((scale.at(1000.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_draw_and_one_value_still_make_an_axis() {
        for scaling in [Scaling::Linear, Scaling::Logarithmic] {
            for values in [vec![], vec![5.0], vec![0.0], vec![f64::INFINITY]] {
                let axis = Axis {
                    scaling,
                    ..Axis::default()
                };
                for rounds in [true, false] {
                    let scale = Scale::new(&axis, values.iter().copied(), (0.0, 9.0), 4, rounds);
                    let places = scale.ticks().into_iter().map(|tick| tick.at);
                    let all = places.chain([scale.at(5.0)]);
                    assert!(
                        all.into_iter().all(f64::is_finite),
                        "{scaling:?} {values:?}"
                    );
                }
            }
        }
    }
}
