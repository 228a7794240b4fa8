//! Random choices from one seed: the same on every machine and in every version.

/// splitmix64, with streams that can be split off by name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// A stream of its own for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mixed(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    /// The stream of one part of a run: nobody else's draws move it.
    #[must_use]
    pub fn split(seed: u64, part: &str, number: u64) -> Self {
        let of_part = part.bytes().fold(mixed(seed), |hash, byte| {
            mixed(hash ^ u64::from(byte).wrapping_mul(0x0100_0000_01b3))
        });
        Self(mixed(of_part ^ mixed(number)))
    }

    /// Any number.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.max(low) - low) + 1;
        low + ((u128::from(self.roll()) * span) >> 64) as u64
    }

    /// Whether a thing comes about that does so many times in a thousand.
    pub fn is_milli(&mut self, milli: u32) -> bool {
        milli > 0 && self.within(0, 999) < u64::from(milli)
    }

    /// One of several.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0, choices.len() as u64 - 1) as usize]
    }
}

const fn mixed(word: u64) -> u64 {
    let mut word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_apart_and_each_is_the_same_again() {
        let first = |mut dice: Dice| dice.roll();
        assert_eq!(
            first(Dice::split(1, "ids", 2)),
            first(Dice::split(1, "ids", 2))
        );
        let others = [
            Dice::split(2, "ids", 2),
            Dice::split(1, "net", 2),
            Dice::split(1, "ids", 3),
        ];
        for other in others {
            assert_ne!(first(Dice::split(1, "ids", 2)), first(other));
        }
    }

    #[test]
    fn both_ends_of_a_range_come_up_and_nothing_beyond() {
        let mut dice = Dice::new(7);
        let drawn: Vec<u64> = (0..200).map(|_| dice.within(3, 5)).collect();
        assert!((3..=5).all(|number| drawn.contains(&number)));
        assert!(drawn.iter().all(|number| (3..=5).contains(number)));
    }
}
