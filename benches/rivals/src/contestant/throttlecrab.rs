//! throttlecrab's library: GCRA over a map, behind a lock as its documentation says.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::SystemTime;

use throttlecrab::{AdaptiveStore, RateLimiter};

use super::Quota;
use crate::measure::Check;

/// A limiter with its adaptive store, told beforehand how many keys will come.
pub struct Throttlecrab {
    limiter: Mutex<RateLimiter<AdaptiveStore>>,
    units: i64,
    period_s: i64,
}

impl Throttlecrab {
    /// With room for `keys` keys.
    pub fn new(quota: Quota, keys: u64) -> Self {
        let store = AdaptiveStore::with_capacity(keys as usize);
        Self {
            limiter: Mutex::new(RateLimiter::new(store)),
            units: i64::from(quota.units),
            period_s: quota.period.as_secs() as i64,
        }
    }
}

impl Check<String> for Throttlecrab {
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "this is what it is to be given")]
    fn check(&self, key: &String) -> bool {
        let now = SystemTime::now();
        let mut limiter = self.limiter.lock().expect("nobody panics with it");
        let answer = limiter.rate_limit(key, self.units, self.units, self.period_s, 1, now);
        black_box(answer).is_ok_and(|(allowed, _)| allowed)
    }
}
