//! The judge against histories by hand and against a slower judge.

use proptest::prelude::*;

use super::*;

/// One unit every 10 ns.
const RATE: Rate = Rate {
    units: 1,
    per_ns: 10,
};

fn charge(client: u32, cost_units: u64, at_ns: u64) -> Charge {
    Charge {
        client,
        cost_units,
        at_ns,
    }
}

fn bound(burst_units: u64, overshoot: (u64, u64)) -> Bound {
    Bound {
        rate: RATE,
        burst_units,
        overshoot,
        groups: 1,
        grouped_ns: 0,
    }
}

#[test]
fn the_ideal_bucket_admits_a_burst_and_then_the_rate() {
    let mut arrivals: Vec<_> = [0, 0, 0, 9, 10, 10, 19, 20]
        .map(|at_ns| charge(1, 1, at_ns))
        .to_vec();
    assert_eq!(ideal_admitted(RATE, 2, &mut arrivals), 4);
}

#[test]
fn arrivals_are_taken_by_instant_and_clients_apart() {
    let mut arrivals = vec![charge(1, 2, 20), charge(1, 2, 0), charge(2, 2, 0)];
    assert_eq!(ideal_admitted(RATE, 2, &mut arrivals), 3);
}

#[test]
fn exactly_at_the_bound_passes_and_one_unit_over_does_not() {
    let at_bound: Vec<_> = (0..12).map(|_| charge(7, 1, 5)).collect();
    let judgement = judge(RATE, 10, &mut at_bound.clone());
    assert!(!judgement.exceeds(&bound(10, (2, 10))));
    assert_eq!(judgement.furthest, Some(7));

    let mut over = at_bound;
    over.push(charge(7, 1, 5));
    let judgement = judge(RATE, 10, &mut over);
    assert!(judgement.exceeds(&bound(10, (2, 10))));
    assert!((judgement.overshoot_units() - 3.0).abs() < 1e-12);
}

#[test]
fn a_hundredth_of_a_unit_over_is_over() {
    // A full bucket and one more unit a nanosecond too early: a tenth of a unit over.
    let mut history = vec![charge(1, 10, 0), charge(1, 1, 9)];
    assert!(judge(RATE, 10, &mut history).exceeds(&bound(10, (0, 1))));
    history[1].at_ns = 10;
    let judgement = judge(RATE, 10, &mut history);
    assert!(!judgement.exceeds(&bound(10, (0, 1))));
    assert_eq!(judgement.furthest, None);
}

/// C8, as the judge counts it.
#[test]
fn further_groups_widen_the_bound_by_their_overdraft_and_their_drain() {
    let mut split = bound(10, (1, 2));
    assert!((split.units() - 5.0).abs() < 1e-12);
    split.groups = 2;
    split.grouped_ns = 70;
    assert!((split.units() - 17.0).abs() < 1e-12);
}

#[test]
fn what_overflows_reads_as_exceeded() {
    let rate = Rate {
        units: 1,
        per_ns: u64::MAX,
    };
    let mut history = vec![charge(1, u64::MAX, 0), charge(1, u64::MAX, 0)];
    let judgement = judge(rate, 1, &mut history);
    let bound = Bound {
        rate,
        ..bound(1, (1, 1_000_000))
    };
    assert!(judgement.exceeds(&bound));
}

/// The definition, in quadratic time: over every interval that ends at a charge, what was spent in
/// it less what drained since its start. Returns units · 10.
fn slow_peak(history: &[Charge]) -> i128 {
    let mut peak = 0;
    for (end, last) in history.iter().enumerate() {
        for start in 0..=end {
            let same = |c: &&Charge| c.client == last.client;
            let spent: u64 = history[start..=end]
                .iter()
                .filter(same)
                .map(|c| c.cost_units)
                .sum();
            let passed = last.at_ns - history[start].at_ns;
            peak = peak.max(i128::from(spent) * 10 - i128::from(passed));
        }
    }
    peak
}

proptest! {
    #[test]
    fn the_level_is_the_worst_interval(
        steps in prop::collection::vec((0u32..3, 0u64..5, 0u64..40), 1..40),
        burst in 1u64..12,
    ) {
        let mut at_ns = 0;
        let mut history: Vec<_> = steps
            .into_iter()
            .map(|(client, cost, gap)| {
                at_ns += gap;
                charge(client, cost, at_ns)
            })
            .collect();
        let expected = (slow_peak(&history) - i128::from(burst) * 10).max(0);
        let judgement = judge(RATE, burst, &mut history);
        prop_assert_eq!(judgement.excess, u128::try_from(expected).expect("not negative"));
    }

    #[test]
    fn what_the_ideal_admits_never_exceeds(
        steps in prop::collection::vec((0u64..4, 0u64..40), 1..60),
        burst in 1u64..12,
    ) {
        let mut at_ns = 0;
        let mut ideal = Ideal::new(RATE, burst);
        let mut admitted = Vec::new();
        for (cost, gap) in steps {
            at_ns += gap;
            let asked = charge(0, cost, at_ns);
            if ideal.admit(asked) {
                admitted.push(asked);
            }
        }
        prop_assert!(!judge(RATE, burst, &mut admitted).exceeds(&bound(burst, (0, 1))));
    }
}
