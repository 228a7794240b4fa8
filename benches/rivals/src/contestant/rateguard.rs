//! rateguard 0.7: a node of its own, alone, as its documentation starts one.

use std::hint::black_box;

use rateguard::{Guard, Limit};
use tokio::runtime::Runtime;

use super::Quota;
use crate::measure::Check;

/// Most keys that it can be told to track.
pub const KEYS_MAX: u64 = 1 << 20;

/// A guard, and the runtime that its background work is on.
pub struct Rateguard {
    guard: Guard,
    _runtime: Runtime,
}

impl Rateguard {
    /// With room for `keys` keys, as far as it has any.
    pub fn new(quota: Quota, keys: u64) -> Self {
        let limit = match quota.period.as_secs() {
            1 => Limit::per_second(quota.units),
            _ => Limit::per_hour(quota.units),
        };
        let runtime = super::ours::runtime(1);
        let entered = runtime.enter();
        let guard = Guard::builder()
            .bind("127.0.0.1:0")
            .default_limit(limit.burst(quota.units.min(BURST_MAX)))
            .tracked_keys(keys.clamp(4_096, KEYS_MAX) as usize)
            .spawn();
        drop(entered);
        Self {
            guard: guard.expect("a port of loopback is free"),
            _runtime: runtime,
        }
    }
}

/// The largest burst that it knows.
const BURST_MAX: u32 = (1 << 22) - 1;

impl Check<String> for Rateguard {
    #[inline]
    fn check(&self, key: &String) -> bool {
        black_box(self.guard.check(key)).is_allowed()
    }
}
