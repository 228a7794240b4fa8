//! Goal: memory is bounded, and what the bound costs is refusals, never admissions (C6, INV-10).
//!
//! Method: many more keys than a small table may hold, on a clock that the test moves, beside a
//! plain bucket for every key that forgets nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use distributary::proto::{
    Ask, KeyId, LimitId, LimitIndex, Nanos, NodeId, Pace, Policy, Table, TableConfig,
};
use distributary::{Limit, Refusal, Verdict};

const BURST: u64 = 3;
const KEYS_MAX: usize = 640;
const SECOND_NS: u64 = 1_000_000_000;

fn table(clustered: bool) -> Table {
    let limit = Limit::per_second(1).burst(BURST);
    let policy = Policy {
        id: LimitId(1),
        limit,
        pace: Pace::new(limit),
    };
    let tick_ns = u64::try_from(Duration::from_millis(100).as_nanos()).expect("a small number");
    let config = TableConfig {
        policies: vec![policy],
        keys_max: KEYS_MAX,
        capacity: 0,
        tick_ns,
        clustered,
    };
    let table = Table::new(NodeId(1), config);
    table.hold_all();
    table
}

/// The `index`-th key: spread over all shards, as hashes are.
fn key(index: u64) -> KeyId {
    KeyId(u128::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn ask(index: u64, cost_units: u64) -> Ask {
    Ask {
        limit: LimitIndex(0),
        key: key(index),
        cost_units,
    }
}

/// Nanoseconds of debt of each key: the leaky bucket at one unit a second.
#[derive(Default)]
struct Reference(BTreeMap<u64, u64>);

impl Reference {
    /// Notes an admission; false if no bucket that remembers would have made it.
    fn may_admit(&mut self, index: u64, now_ns: u64) -> bool {
        let full_until = self.0.entry(index).or_default();
        *full_until = (*full_until).max(now_ns) + SECOND_NS;
        *full_until <= now_ns + BURST * SECOND_NS
    }
}

#[test]
fn more_keys_than_fit_burn_a_little_and_mint_nothing() {
    let table = table(false);
    let (mut reference, mut refused) = (Reference::default(), 0);
    for round in 0..20_000_u64 {
        let now_ns = 5 * SECOND_NS + round * 2_000_000;
        // Three thousand keys by turns, each asked for again while it is still in use.
        let index = round * 7 % 3000;
        for _ in 0..2 {
            let decision = table.check(ask(index, 1), Nanos(now_ns));
            let admitted = decision.is_allowed();
            refused += u64::from(!admitted);
            assert!(
                !admitted || reference.may_admit(index, now_ns),
                "minted at round {round}"
            );
        }
        assert!(table.counters().keys <= KEYS_MAX as u64);
    }
    let counters = table.counters();
    assert!(
        counters.keys_given_up > 0,
        "the maximum was never reached: {counters:?}"
    );
    assert!(
        refused > 0 && counters.admitted_units > 5000,
        "{refused} refused: {counters:?}"
    );
}

#[test]
fn a_table_full_of_contended_keys_refuses_and_says_so() {
    let table = table(true);
    let now = Nanos(5 * SECOND_NS);
    let mut no_room = 0;
    for index in 0..2000 {
        let decision = table.check(ask(index, 2), now);
        no_room += u64::from(decision.verdict() == Verdict::Refused(Refusal::NoRoom));
    }
    let counters = table.counters();
    assert!(counters.keys_contended <= KEYS_MAX as u64);
    assert_eq!(counters.refused_no_room, no_room);
    assert_eq!(counters.admitted_units, 2 * counters.keys_contended);
    assert_eq!(no_room + counters.keys_contended, 2000);
}

#[test]
fn drained_slots_are_reused_before_anything_is_given_up() {
    let table = table(false);
    for index in 0..10_000 {
        // One unit drains in a second; a second brings a tenth of what fits.
        let now = Nanos(5 * SECOND_NS + index * SECOND_NS / 64);
        assert!(table.check(ask(index, 1), now).is_allowed());
    }
    let counters = table.counters();
    assert_eq!(counters.keys_given_up, 0);
    assert!(
        counters.keys_drained > 5000 && counters.keys <= KEYS_MAX as u64,
        "{counters:?}"
    );
}
