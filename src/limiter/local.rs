//! A limiter for one process, and what can be chosen of it.

use std::fmt;
use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;

use super::{Clock, Core, GuardedClock, Hashing, KEYS_MAX, KeyHasher, Limiter, limit_id};
use crate::limit::{Limit, Pace};
use crate::table::{LimitIndex, Policy, Table, TableConfig};
use crate::units::NodeId;

/// What a local limiter is made with.
///
/// ```
/// use distributary::{Hashing, Limit, Limiter};
///
/// let limiter = Limiter::builder(Limit::per_second(100))
///     .keys_max(1_000_000)
///     .hashing(Hashing::Xxh3)
///     .build();
/// assert!(limiter.check(42_u64).is_allowed());
/// ```
pub struct LocalBuilder {
    limit: Limit,
    clock: Option<Arc<dyn Clock>>,
    hashing: Hashing,
    keys_max: usize,
    capacity: usize,
}

/// Length of the ticks that a local table counts demand by: it has nobody to tell.
const LOCAL_TICK_NS: u64 = 100_000_000;

impl LocalBuilder {
    pub(super) const fn new(limit: Limit) -> Self {
        Self {
            limit,
            clock: None,
            hashing: Hashing::Sip,
            keys_max: KEYS_MAX,
            capacity: 0,
        }
    }

    /// Another clock; a [`super::TscClock`] otherwise. Tests use a [`super::ManualClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Another hash of keys: what each costs and withstands is said at [`Hashing`]. The faster one under
    /// keys that attackers choose lets them find keys that share a bucket.
    #[must_use]
    pub fn hashing(mut self, hashing: Hashing) -> Self {
        self.hashing = hashing;
        self
    }

    /// Most keys that are kept at once: as many as are in use within the time that a burst drains in,
    /// and some more. With too few live keys are given up, and others refused a little too early;
    /// `Counters::keys_given_up` counts them. Memory that was taken is used again, not given back.
    #[must_use]
    pub fn keys_max(mut self, count: usize) -> Self {
        self.keys_max = count;
        self
    }

    /// Makes room for so many keys as soon as one comes, at 21 bytes each, instead of as they come at
    /// about 27. For when the number is known; too large a one takes memory that nobody uses.
    #[must_use]
    pub fn capacity(mut self, count: usize) -> Self {
        self.capacity = count;
        self
    }

    /// The limiter.
    #[must_use]
    pub fn build(self) -> Limiter {
        let policy = Policy {
            id: limit_id("local", self.hashing),
            limit: self.limit,
            pace: Pace::new(self.limit),
        };
        let hasher = KeyHasher::new(random_secret(), self.hashing, policy.id);
        let table = Table::new(
            NodeId(0),
            TableConfig {
                policies: vec![policy],
                keys_max: self.keys_max,
                capacity: self.capacity.min(self.keys_max),
                tick_ns: LOCAL_TICK_NS,
                clustered: false,
            },
        );
        table.hold_all();
        let core = Core {
            table: Arc::new(table),
            clock: GuardedClock::new(self.clock),
            hashers: Box::new([hasher]),
            cluster: None,
        };
        Limiter {
            core: Arc::new(core),
            limit: LimitIndex(0),
        }
    }
}

impl fmt::Debug for LocalBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBuilder")
            .field("limit", &self.limit)
            .field("hashing", &self.hashing)
            .field("keys_max", &self.keys_max)
            .finish_non_exhaustive()
    }
}

/// A secret from the operating system. Without one keys still work; they could be chosen to
/// collide, which costs whoever does it a shared bucket.
fn random_secret() -> [u8; 16] {
    let mut secret = [0; 16];
    if SysRng.try_fill_bytes(&mut secret).is_err() {
        tracing::warn!("no randomness from the operating system: key ids are predictable");
    }
    secret
}
