//! Keys, and the order in which they are asked for.

/// What a key can be made from: a number below the count of keys.
pub trait Numbered: Clone + Send + Sync {
    /// The key of this number; the same each time, another for every other number.
    fn numbered(number: u64) -> Self;
}

impl Numbered for String {
    /// 36 bytes in the shape of a UUID.
    fn numbered(number: u64) -> Self {
        let (high, low) = (mixed(number), mixed(!number));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

impl Numbered for u64 {
    fn numbered(number: u64) -> Self {
        mixed(number)
    }
}

/// A bijection that leaves no pattern (Stafford's thirteenth, as SplitMix64 has it).
pub const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Random numbers that are the same in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mixed(self.0)
    }

    /// One below `limit`, all alike.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    /// One from 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Keys drawn uniformly, laid out in the order in which they are asked for: the walk over them is
/// sequential, so that a key is in the cache when it is checked (as it is in a request handler that
/// has just read it) and only the limiter's own memory is met at random.
#[derive(Debug)]
pub struct Stream<K>(Vec<K>);

impl<K: Numbered> Stream<K> {
    /// `length` draws from `count` keys.
    pub fn uniform(count: u64, length: usize) -> Self {
        let mut random = Random::new(count);
        Self(
            (0..length)
                .map(|_| K::numbered(random.below(count)))
                .collect(),
        )
    }
}

impl<K> Stream<K> {
    /// How many draws it has.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// `count` of them, from about `at` on; after the last comes the first.
    pub fn part(&self, at: usize, count: usize) -> &[K] {
        let at = at % (self.0.len() - count + 1);
        &self.0[at..at + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_36_bytes_and_differ() {
        let keys: std::collections::BTreeSet<_> = (0..1_000).map(String::numbered).collect();
        assert!(keys.len() == 1_000 && keys.iter().all(|key| key.len() == 36));
    }

    #[test]
    fn a_stream_draws_from_all_its_keys() {
        let stream = Stream::<u64>::uniform(8, 1_000);
        let seen: std::collections::BTreeSet<_> = stream.part(0, 1_000).iter().collect();
        assert_eq!(seen.len(), 8);
        assert_eq!(stream.part(999, 500).len(), 500);
    }
}
