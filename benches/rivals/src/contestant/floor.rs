//! What no limiter of many keys can do without: a hash of the key, and one locked add at a random
//! place.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::measure::Check;

/// Eight bytes for each key, the next power of two of them; no key is compared, no clock read.
pub struct Floor(Box<[AtomicU64]>);

impl Floor {
    /// For `keys` keys.
    pub fn new(keys: u64) -> Self {
        let slots = keys.next_power_of_two();
        Self((0..slots).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    fn add(&self, hash: u64) -> bool {
        let slot = hash as usize & (self.0.len() - 1);
        black_box(self.0[slot].fetch_add(1, Ordering::Relaxed)) < u64::MAX
    }
}

impl Check<String> for Floor {
    #[inline]
    fn check(&self, key: &String) -> bool {
        self.add(rapidhash::v3::rapidhash_v3(key.as_bytes()))
    }
}

impl Check<u64> for Floor {
    #[inline]
    fn check(&self, key: &u64) -> bool {
        let folded = u128::from(*key ^ SECRET) * u128::from(SECRET);
        self.add((folded >> 64) as u64 ^ folded as u64)
    }
}

/// An odd constant in place of a secret: here nobody attacks.
const SECRET: u64 = 0xa076_1d64_78bd_642f;
