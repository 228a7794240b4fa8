//! Bounded memory: the keys of one node, and the hot path's home.
//!
//! A key is **quiet** or **contended**. A quiet key is one word: the point in its limit's
//! units-time at which its bucket will have drained, at the base split. A key without a slot has
//! drained, or reads as its shard's floor. A contended key has an [`Entry`]: an account, a meter of
//! demand, the rows heard of it. A check that takes a quiet key past the threshold makes it
//! contended; the protocol lets it go back.
//!
//! Keys are spread over shards, each behind its own short lock, which also holds the constants
//! (base share, overdraft, floor) that its checks use. So a view change lowers the constants shard
//! by shard, and when it has been through all, every check begun before has ended.
//!
//! Memory is bounded: at the maximum no live key is forgotten. The quiet key that drains first is
//! given up, and its time becomes the shard's floor, from which keys without a slot are read: that
//! burns a little, and never mints. It is counted.

mod check;
mod constants;
mod counters;
mod entry;
#[cfg(test)]
mod fixture;
mod freeze;
mod here;
mod page;
mod places;
mod quiet;
mod receipts;
mod refunds;
mod retry;
mod shard;
mod signals;
mod slots;
mod supply;
mod view;

pub use constants::Constants;
pub use counters::Counters;
pub use entry::{Entry, Granted};
pub use here::KEEP_TICKS;
pub use signals::Wake;
pub use view::{Listed, Settlement};

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::limit::{Decision, Limit, Pace, Spot};
use crate::row::Standing;
use crate::units::{KeyId, LimitId, Nanos, NodeId};
use check::Case;
use shard::Shard;
use signals::{Signal, Signals};

/// Which of a table's limits: its place in the list that the table was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitIndex(pub u16);

/// A limit as the table keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its id.
    pub id: LimitId,
    /// As the user stated it.
    pub limit: Limit,
    /// Ready for arithmetic.
    pub pace: Pace,
}

/// One request for units.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Under which limit.
    pub limit: LimitIndex,
    /// Which key.
    pub key: KeyId,
    /// How many units.
    pub cost_units: u64,
}

/// What a table is made with.
#[derive(Debug)]
pub struct TableConfig {
    /// The limits, by index.
    pub policies: Vec<Policy>,
    /// Most keys that may have a slot, contended ones included.
    pub keys_max: usize,
    /// For how many keys to make room at once; 0 lets the table grow as they come.
    pub capacity: usize,
    /// Length of a tick: demand is counted by it.
    pub tick_ns: u64,
    /// Whether keys can be shared with others at all. If not, every key stays quiet.
    pub clustered: bool,
}

/// All keys of one node. Shared between the callers of `check` and the protocol.
pub struct Table {
    shards: Box<[Guarded]>,
    signals: Signals,
    config: TableConfig,
}

/// A shard behind its lock, on cache lines of its own: who works on one does not slow its neighbours.
#[repr(align(64))]
struct Guarded(Mutex<Shard>);

impl Guarded {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.0.lock()
    }
}

/// A power of two, so that a key's top bits choose; enough that two cores seldom meet.
const SHARDS: usize = 64;

impl Table {
    /// An empty table in which `node` holds nothing yet.
    #[must_use]
    pub fn new(node: NodeId, config: TableConfig) -> Self {
        let shard = |number| Guarded(Mutex::new(Shard::new(number, node, &config)));
        let shards = (0..SHARDS).map(shard).collect();
        Self {
            shards,
            signals: Signals::default(),
            config,
        }
    }

    #[inline]
    fn shard(&self, key: KeyId) -> &Guarded {
        &self.shards[(key.0 >> 122) as usize & (SHARDS - 1)]
    }

    /// The limits, by index.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.config.policies
    }

    /// One limit.
    #[must_use]
    pub fn policy(&self, limit: LimitIndex) -> &Policy {
        &self.config.policies[usize::from(limit.0)]
    }

    /// The index of a limit by its id.
    #[must_use]
    pub fn index_of(&self, id: LimitId) -> Option<LimitIndex> {
        let index = self
            .config
            .policies
            .iter()
            .position(|policy| policy.id == id)?;
        u16::try_from(index).ok().map(LimitIndex)
    }

    /// Which tick an instant lies in.
    #[must_use]
    pub fn tick_of(&self, now: Nanos) -> u64 {
        now.0 / self.config.tick_ns
    }

    /// Length of a tick.
    #[must_use]
    pub fn tick_ns(&self) -> u64 {
        self.config.tick_ns
    }

    /// Decides on a request with what this node holds, and charges it if it is allowed.
    #[inline(always)]
    pub fn check(&self, ask: Ask, now: Nanos) -> Decision {
        self.decide(ask, now, true)
    }

    /// The same for who has asked where the rights are and had no answer in time: a refusal is a want, but what
    /// is here is not kept for the next such request.
    pub fn check_unanswered(&self, ask: Ask, now: Nanos) -> Decision {
        let checked_until = self.with_contended(ask.key, |entry, _| entry.checked_until);
        let decision = self.check(ask, now);
        self.with_contended(ask.key, |entry, _| {
            entry.checked_until = checked_until.unwrap_or(Nanos::ZERO);
        });
        decision
    }

    /// The same for who has asked where the rights are: a refusal is no want of this node's.
    pub fn admit(&self, ask: Ask, now: Nanos) -> Decision {
        self.decide(ask, now, false)
    }

    #[inline(always)]
    fn decide(&self, ask: Ask, now: Nanos, wants: bool) -> Decision {
        let case = self.case(ask, now, wants);
        let mut signal = Signal::Silent;
        let decision = check::check(&mut self.shard(ask.key).lock(), case, &mut signal);
        self.signals.raise(ask.key, signal);
        decision
    }

    #[inline(always)]
    fn case(&self, ask: Ask, now: Nanos, wants: bool) -> Case<'_> {
        Case {
            config: &self.config,
            policy: self.policy(ask.limit),
            ask,
            now,
            wants,
        }
    }

    /// Asks for the memory that a check of this key will look at, and does not wait for it.
    pub fn prefetch(&self, key: KeyId) {
        self.shard(key).lock().slots.prefetch(key);
    }

    /// What a check would see, charging and counting nothing.
    #[must_use]
    pub fn peek(&self, limit: LimitIndex, key: KeyId, now: Nanos) -> Peek {
        check::peek(&mut self.shard(key).lock(), &self.config, limit, key, now)
    }

    /// Takes back charge `number` of a key, once: by its receipt's word of where it lies, or by what
    /// was kept of it. Says whether it was taken back.
    pub(crate) fn refund(&self, ask: Ask, (number, spot): (u64, Spot), now: Nanos) -> bool {
        let mut shard = self.shard(ask.key).lock();
        let refunded = refunds::refund(&mut shard, &self.config, ask, (number, spot), now);
        drop(shard);
        if refunded {
            self.signals.raise(ask.key, Signal::Changed);
        }
        refunded
    }

    /// Runs `with` on the entry of a contended key, or of a key made contended for it; `None` if
    /// there is no room for it.
    pub fn with_entry<T>(
        &self,
        limit: LimitIndex,
        key: KeyId,
        now: Nanos,
        with: impl FnOnce(&mut Entry, &Constants) -> T,
    ) -> Option<T> {
        let mut shard = self.shard(key).lock();
        let (entry, constants) = shard.contend(&self.config, limit, key, now)?;
        Some(with(entry, constants))
    }

    /// Runs `with` on the entry of a key that is contended already.
    pub fn with_contended<T>(
        &self,
        key: KeyId,
        with: impl FnOnce(&mut Entry, &Constants) -> T,
    ) -> Option<T> {
        let mut shard = self.shard(key).lock();
        let (entry, constants) = shard.contended(key)?;
        Some(with(entry, constants))
    }

    /// Lets a contended key be quiet again, if its slot alone can say all there is to say; else runs
    /// `with` on its entry. `None` if it is quiet now.
    pub fn tend<T>(
        &self,
        key: KeyId,
        now: Nanos,
        with: impl FnOnce(&mut Entry, &Constants) -> T,
    ) -> Option<T> {
        let mut shard = self.shard(key).lock();
        if shard.settle(&self.config, key, now) {
            return None;
        }
        let (entry, constants) = shard.contended(key)?;
        Some(with(entry, constants))
    }

    /// Keys whose entries changed since this was last asked, in order.
    #[must_use]
    pub fn take_changed(&self) -> Vec<KeyId> {
        self.signals.take_changed()
    }

    /// Keys that need the protocol's attention before the next tick, in order.
    #[must_use]
    pub fn take_urgent(&self) -> Vec<KeyId> {
        self.signals.take_urgent()
    }

    /// Sets whom to wake when a key becomes urgent.
    pub fn set_wake(&self, wake: Arc<dyn Wake>) {
        self.signals.set_wake(wake);
    }

    /// Drops drained slots among the next `count` of each shard.
    pub fn sweep(&self, now: Nanos, count: usize) {
        for shard in &self.shards {
            shard.lock().sweep(&self.config, now, count);
        }
    }

    /// Every contended key, in order.
    #[must_use]
    pub fn contended_keys(&self) -> Vec<KeyId> {
        self.shards
            .iter()
            .flat_map(|shard| shard.lock().contended_keys())
            .collect()
    }

    /// Counts of decisions and keys, summed over all shards.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shards
            .iter()
            .map(|shard| shard.lock().counters())
            .sum()
    }

    /// Tells every shard which other members there are and what they hold of quiet keys.
    pub fn set_others(&self, others: &Arc<[Standing]>) {
        for shard in &self.shards {
            shard.lock().set_others(others);
        }
    }
}

/// What a node knows of a key, without charging anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peek {
    /// The share of the burst that this node holds.
    pub share: crate::units::Share,
    /// The share of the rate that this node holds.
    pub rate: crate::units::Share,
    /// The right of overdraft that this node holds.
    pub overdraft: crate::units::Share,
    /// How full this node's part of the bucket is, in units.
    pub level_units: f64,
    /// Units that the cluster still has by what this node knows, rounded down.
    pub remaining: u64,
    /// After what time the key is as good as new if nobody asks.
    pub reset_after: std::time::Duration,
    /// Whether the key is contended here: it has more to tell than a quiet one.
    pub contended: bool,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
