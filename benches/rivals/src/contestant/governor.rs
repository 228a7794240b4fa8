//! governor 0.10, keyed: a `DashMap` from the key to an atomic time.

use std::hash::{BuildHasher, Hash};
use std::hint::black_box;
use std::num::NonZeroU32;

use governor::RateLimiter;
use governor::clock::{DefaultClock, QuantaInstant};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;

use super::Quota;
use crate::measure::Check;

/// A keyed limiter with the hasher `S`.
pub struct Governor<K: Hash + Eq + Clone, S: BuildHasher + Clone>(
    RateLimiter<K, DashMapStateStore<K, S>, DefaultClock, NoOpMiddleware<QuantaInstant>>,
);

impl<K: Hash + Eq + Clone, S: BuildHasher + Clone + Default> Governor<K, S> {
    /// With its default clock (the processor's counter) and its default answer, which is only
    /// whether and until when.
    pub fn new(quota: Quota) -> Self {
        let units = NonZeroU32::new(quota.units).expect("a limit is above zero");
        let each = quota.period / quota.units;
        let quota = governor::Quota::with_period(each).expect("a period is above zero");
        let clock = DefaultClock::default();
        let hasher = S::default();
        Self(RateLimiter::dashmap_with_clock_and_hasher(
            quota.allow_burst(units),
            clock,
            hasher,
        ))
    }
}

impl<K, S> Check<K> for Governor<K, S>
where
    K: Hash + Eq + Clone + Send + Sync,
    S: BuildHasher + Clone + Send + Sync,
{
    #[inline]
    fn check(&self, key: &K) -> bool {
        black_box(self.0.check_key(key)).is_ok()
    }
}
