//! Which key is asked for.

use crate::dice::Dice;
use crate::scenario::Popularity;

use super::unit_interval;

/// Draws keys by their likelihood.
pub(super) struct Keys {
    count: u64,
    /// Sums of the likelihoods up to each key; empty where all are as likely.
    sums: Vec<f64>,
    dice: Dice,
}

impl Keys {
    pub(super) fn new(keys: usize, popularity: Popularity, dice: Dice) -> Self {
        let sums = match popularity {
            Popularity::Even => Vec::new(),
            Popularity::Zipf(exponent_milli) => zipf_sums(keys, exponent_milli),
        };
        let count = keys as u64;
        Self { count, sums, dice }
    }

    pub(super) fn draw(&mut self) -> u32 {
        let drawn = match self.sums.last() {
            _ if self.count <= 1 => 0,
            None => self.dice.within(0, self.count - 1) as usize,
            Some(total) => {
                let point = unit_interval(&mut self.dice) * total;
                let before = self.sums.partition_point(|sum| *sum <= point);
                before.min(self.sums.len() - 1)
            }
        };
        u32::try_from(drawn).expect("keys are fewer than 2³²")
    }
}

/// Key k, counted from 1, is asked for in proportion to k to the power of minus the exponent.
fn zipf_sums(keys: usize, exponent_milli: u64) -> Vec<f64> {
    let exponent = exponent_milli as f64 / 1000.0;
    let parts = (1..=keys).map(|rank| (rank as f64).powf(-exponent));
    let sums = parts.scan(0.0, |sum, part| {
        *sum += part;
        Some(*sum)
    });
    sums.collect()
}
