//! What a node is told at its start.

use std::time::Duration;

use crate::limit::Overshoot;
use crate::membership::MembershipConfig;

/// When a member that nobody reaches is given up, and its share handed to the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictAfter {
    /// Never: the promise holds through any partition, and a node that is gone for good must be
    /// forgotten by an operator.
    Never,
    /// After it was silent for so long. If it lives on behind a partition, its side and this one
    /// are two groups, and the bound is that of κ = 2.
    After(Duration),
}

/// What `acquire` does when no holder answers before the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Decides as `check` would: on this node's own share. Keeps the bound.
    #[default]
    OwnShare,
    /// Allows, charging nobody. Breaks the bound: only where being down is worse than overload.
    Allow,
    /// Refuses.
    Deny,
}

/// How a cluster comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Founding {
    /// How many nodes the operator expects. A cluster is founded when all of them are there, or,
    /// where eviction is allowed, when a majority is and a second has passed.
    pub expected: usize,
    /// Whether this node may found alone, at once.
    pub bootstrap: bool,
}

/// What a node is told at its start.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// How often rows are sent and shares moved.
    pub tick: Duration,
    /// ε.
    pub overshoot: Overshoot,
    /// When silent members are given up.
    pub evict_after: EvictAfter,
    /// What `acquire` does without an answer.
    pub fallback: Fallback,
    /// How the cluster is founded.
    pub founding: Founding,
    /// How long a holder waits for the parts of a key that it gathers.
    pub gather_timeout: Duration,
    /// The failure detector's settings.
    pub membership: MembershipConfig,
}

impl NodeConfig {
    /// So many ticks, in nanoseconds.
    pub(super) fn ticks_ns(&self, ticks: u32) -> u64 {
        let tick_ns = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        tick_ns.saturating_mul(u64::from(ticks))
    }
}
