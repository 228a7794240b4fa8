//! A table of one limit for the tests of this module.

use super::{LimitIndex, Policy, Settlement, Table, TableConfig};
use crate::limit::{Fullness, Limit, Pace};
use crate::units::{LimitId, Nanos, NodeId, Share};

pub(super) const LIMIT: LimitIndex = LimitIndex(0);
pub(super) const NOW: Nanos = Nanos(1_000_000_000);
pub(super) const TICK_NS: u64 = 100_000_000;

/// Of a node that holds `base` of each key, drained.
pub(super) fn table(limit: Limit, base: Share) -> Table {
    let policy = Policy {
        id: LimitId(7),
        limit,
        pace: Pace::new(limit),
    };
    let config = TableConfig {
        policies: vec![policy],
        keys_max: 100_000,
        capacity: 0,
        tick_ns: TICK_NS,
        clustered: true,
    };
    let table = Table::new(NodeId(1), config);
    table.install(&grown(base, Fullness::EMPTY), NOW);
    table
}

/// A view that leaves a node `base` of each key; what grows arrives so full.
pub(super) fn grown(base: Share, growth: Fullness) -> Settlement {
    Settlement {
        base,
        growth: vec![growth],
        ..Settlement::default()
    }
}
