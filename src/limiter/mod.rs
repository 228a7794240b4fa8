//! What users hold: the [`Limiter`], its clock and its keys.

mod clock;
mod key;
mod local;
mod many;

pub(crate) use clock::GuardedClock;
pub use clock::{Clock, ManualClock, MonotonicClock, TscClock};
pub use key::{Hashing, Key, KeyHash, subscriber};
pub(crate) use key::{KeyHasher, limit_id};
pub use local::LocalBuilder;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::limit::{Basis, Charge, Decision, Limit, NO_RETRY, Refusal, Verdict};
use crate::table::{Ask, Counters, LimitIndex, Peek, Table};
use crate::units::{KeyId, Nanos, NodeId};

/// A handle on one named limit, for all its keys. Cheap to clone, `Send` and `Sync`.
///
/// ```
/// use distributary::{Limit, Limiter};
///
/// let limiter = Limiter::local(Limit::per_second(100).burst(2));
/// assert!(limiter.check("ann").is_allowed());
/// assert!(limiter.check_n("ann", 1).is_allowed());
/// let refused = limiter.check("ann");
/// assert!(!refused.is_allowed() && refused.retry_after().is_some());
/// assert!(limiter.check("bob").is_allowed());
/// ```
#[derive(Clone)]
pub struct Limiter {
    core: Arc<Core>,
    limit: LimitIndex,
}

/// What all limiters of one node (or of one local limiter) share.
pub(crate) struct Core {
    pub(crate) table: Arc<Table>,
    pub(crate) clock: GuardedClock,
    /// The hasher of each limit's keys, by index.
    pub(crate) hashers: Box<[KeyHasher]>,
    pub(crate) cluster: Option<Arc<dyn Cluster>>,
}

/// A decision that may take a round trip.
pub(crate) type Deciding = Pin<Box<dyn Future<Output = Option<Decision>> + Send>>;

/// What a limiter asks of the rest of its cluster.
pub(crate) trait Cluster: Send + Sync {
    /// Asks for units wherever they are. Nothing comes if the node has stopped.
    fn acquire(&self, ask: Ask) -> Deciding;
    /// Who owns a key, the one that decides for it first.
    fn owners(&self, key: KeyId) -> Vec<NodeId>;
    /// Takes back a charge made by another node.
    fn refund(&self, limit: LimitIndex, charge: Charge) -> bool;
}

/// Keys that a limiter keeps at most, unless told otherwise.
pub(crate) const KEYS_MAX: usize = 1 << 24;

impl Limiter {
    /// A limiter for this process alone: no cluster, no runtime, no background work.
    ///
    /// It keeps up to about sixteen million keys, at about 27 bytes each; beyond that the key that drains
    /// first is given up, which refuses a little too much and never admits too much. What can be chosen
    /// is chosen with [`Limiter::builder`].
    #[must_use]
    pub fn local(limit: Limit) -> Self {
        Self::builder(limit).build()
    }

    /// The same on another clock.
    #[must_use]
    pub fn local_with_clock(limit: Limit, clock: Arc<dyn Clock>) -> Self {
        Self::builder(limit).clock(clock).build()
    }

    /// A limiter for this process alone, with a choice of clock, hash and memory.
    #[must_use]
    pub fn builder(limit: Limit) -> LocalBuilder {
        LocalBuilder::new(limit)
    }

    #[cfg(feature = "quic")]
    pub(crate) fn clustered(core: Arc<Core>, limit: LimitIndex) -> Self {
        Self { core, limit }
    }

    /// Decides on one unit for `key`, here and now, with what this node holds. Never waits, never
    /// fails. One clock reading, one hash and one short lock on a part of the table.
    pub fn check(&self, key: impl Key) -> Decision {
        self.check_n(key, 1)
    }

    /// Decides on `cost_units` for `key`, all or nothing. A cost of 0 is allowed and charges
    /// nothing; one above the burst is refused for ever, with its own reason.
    pub fn check_n(&self, key: impl Key, cost_units: u64) -> Decision {
        if key.is_empty() {
            return self.nobody();
        }
        self.decide(self.ask(&key, cost_units), self.core.clock.now())
    }

    /// The decision, whatever kind of key it was.
    #[inline(never)]
    fn decide(&self, ask: Ask, now: Nanos) -> Decision {
        self.stamped(self.core.table.check(ask, now))
    }

    /// What is known of a key, charging and counting nothing.
    #[must_use]
    pub fn peek(&self, key: impl Key) -> Peek {
        self.core
            .table
            .peek(self.limit, self.id(&key), self.core.clock.now())
    }

    /// Decides on one unit for `key` wherever its rights are: exact while the cluster is connected.
    ///
    /// Where all of the key lies here and stays here it costs what a check costs. Else it asks the node
    /// that decides for the key, one round trip away (none if that is this node), and waits no longer
    /// than the node's acquire deadline; then the configured fallback decides. On a local limiter it
    /// is `check`. Cancel-safe: a charge that nobody waits for any more is taken back.
    pub async fn acquire(&self, key: impl Key) -> Decision {
        self.acquire_n(key, 1).await
    }

    /// The same for `cost_units`.
    pub async fn acquire_n(&self, key: impl Key, cost_units: u64) -> Decision {
        if key.is_empty() {
            return self.nobody();
        }
        let ask = self.ask(&key, cost_units);
        let now = self.core.clock.now();
        let Some(cluster) = &self.core.cluster else {
            return self.decide(ask, now);
        };
        if let Some(decision) = self.core.table.acquire_here(ask, now) {
            return self.stamped(decision);
        }
        let decided = cluster.acquire(ask).await;
        match decided {
            Some(decision) => self.stamped(decision),
            None => self.decide(ask, self.core.clock.now()),
        }
    }

    /// Takes back what a decision charged, at the node that was charged, once: the level never
    /// falls below zero, and a second refund of one decision does nothing. Says whether it was
    /// taken back, or is on its way to another node; it is not if nothing was charged, if it was
    /// refunded before, if it is too long ago (some thousand charges), or if the node that was
    /// charged cannot be reached.
    pub fn refund(&self, decision: &Decision) -> bool {
        let Some(charge) = decision.charge else {
            return false;
        };
        if let Some(cluster) = &self.core.cluster {
            return cluster.refund(self.limit, charge);
        }
        let ask = Ask {
            limit: self.limit,
            key: charge.key,
            cost_units: charge.cost_units.get(),
        };
        self.core
            .table
            .refund(ask, (charge.number, charge.spot), self.core.clock.now())
    }

    /// The nodes that own `key`, the one that decides for it first: route its requests there and
    /// every `check` is exact. Empty for a local limiter.
    #[must_use]
    pub fn owners(&self, key: impl Key) -> Vec<NodeId> {
        let cluster = self.core.cluster.as_ref();
        cluster.map_or_else(Vec::new, |cluster| cluster.owners(self.id(&key)))
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.core.table.policy(self.limit).limit
    }

    /// Decisions and keys counted so far, of all limits of this node.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core.table.counters()
    }

    /// How often the clock has panicked, and how often it has stepped back by more than 10 ms: in
    /// either case the latest time that it gave was used.
    #[must_use]
    pub fn clock_faults(&self) -> (u64, u64) {
        (self.core.clock.panics(), self.core.clock.steps_back())
    }

    fn id(&self, key: &impl Key) -> KeyId {
        self.core.hashers[usize::from(self.limit.0)].id(key)
    }

    fn ask(&self, key: &impl Key, cost_units: u64) -> Ask {
        Ask {
            limit: self.limit,
            key: self.id(key),
            cost_units,
        }
    }

    /// With the time of decision as the caller's clock tells it.
    #[inline(always)]
    fn stamped(&self, mut decision: Decision) -> Decision {
        let era_ns = self.core.clock.era_ns();
        decision.decided_at_ns = decision.decided_at_ns.saturating_add(era_ns);
        decision
    }

    /// An empty key is refused: it would be one bucket for everybody who forgot to say who they are.
    fn nobody(&self) -> Decision {
        self.stamped(Decision {
            verdict: Verdict::Refused(Refusal::EmptyKey),
            basis: Basis::OwnShare,
            burst_units: self.limit().burst_units(),
            remaining_units: 0,
            retry_after_ns: NO_RETRY,
            reset_after_ns: 0,
            view_age_ns: 0,
            decided_at_ns: self.core.clock.now().0,
            charge: None,
        })
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("limit", &self.limit())
            .finish_non_exhaustive()
    }
}
