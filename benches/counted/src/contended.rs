//! Checks of contended keys at one of three nodes, of which the others have told something.

use std::hint::black_box;
use std::time::Duration;

use distributary::Limit;
use distributary::proto::parts::{Fullness, Settlement};
use distributary::proto::{
    Amount, Ask, KeyId, LimitId, LimitIndex, Nanos, NodeId, Pace, Policy, Row, Share, Standing,
    Table, TableConfig,
};

/// A check of them after the other, so far apart.
const STEP_NS: u64 = 1_000;
const KEYS: u64 = 1_000;
const FIRST: LimitIndex = LimitIndex(0);
const START: Nanos = Nanos(1_000_000_000);

/// Much more than is asked for.
pub const AMPLE: Limit = Limit::per_second(1_000_000).burst(100_000_000);
/// Used up from the beginning: nothing to speak of drains.
pub const SPENT: Limit = Limit::per(1, Duration::from_secs(3_600)).burst(3);

pub fn walk(limit: Limit, count: u64) {
    let table = table(limit);
    let mut now = START;
    for number in 0..KEYS {
        contend(&table, number, limit.burst_units() / 3);
    }
    for number in (0..KEYS).cycle().take(count as usize) {
        now.0 += STEP_NS;
        let _decided = black_box(table.check(black_box(ask(number, 1)), now));
    }
}

fn table(limit: Limit) -> Table {
    let id = LimitId(7);
    let pace = Pace::new(limit);
    let config = TableConfig {
        policies: vec![Policy { id, limit, pace }],
        keys_max: 100_000,
        capacity: 0,
        tick_ns: 100_000_000,
        clustered: true,
    };
    let table = Table::new(NodeId(1), config);
    let base = Share::WHOLE.portion(1, 3);
    let others = [2, 3].map(|node| Standing {
        node: NodeId(node),
        base,
    });
    let settlement = Settlement {
        base,
        overdraft: base,
        growth: vec![Fullness::EMPTY],
        others: others.to_vec(),
        ..Settlement::default()
    };
    table.install(&settlement, START);
    table
}

/// Half of what this node has of a key, or all of what little that is, is used; the others say the same.
fn contend(table: &Table, number: u64, part_units: u64) {
    let used_units = part_units.div_ceil(2);
    let _decided = table.check(ask(number, used_units), START);
    table.with_entry(FIRST, key(number), START, |entry, constants| {
        for node in [2, 3] {
            let row = Row {
                seq: 1,
                filled: Amount::from_units(used_units),
                share: constants.base(),
                rate: constants.base(),
                ..Row::new(LimitId(7), key(number))
            };
            entry.rows.join(NodeId(node), row, START);
        }
    });
}

fn ask(number: u64, cost_units: u64) -> Ask {
    Ask {
        limit: FIRST,
        key: key(number),
        cost_units,
    }
}

/// Spread over all shards.
fn key(number: u64) -> KeyId {
    KeyId(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}
