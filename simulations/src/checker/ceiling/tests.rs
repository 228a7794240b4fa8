//! The judge is judged: honest histories pass, and one unit too many, one nanosecond too early,
//! does not.

use proptest::prelude::*;

use super::*;
use crate::checker::reference::{honest_on, plain};
use crate::history::{Arrival, Basis, Note, Outcome, Unanswered, What};

const S: u64 = 1_000_000_000;

/// C = 3, one a second.
fn small() -> Scenario {
    let mut scenario = plain();
    scenario.cluster.burst_units = 3;
    scenario.cluster.rate_units = 1;
    scenario
}

fn all_admitted(admitted: &[(u64, u64)], notes: &[(u64, What)]) -> Run {
    let arrival = |(at_ns, cost): &(u64, u64)| Arrival {
        at_ns: *at_ns,
        place: 0,
        key: 0,
        cost: *cost,
    };
    let outcome = |(index, (at_ns, _)): (u32, &(u64, u64))| Outcome {
        arrival: index,
        charged_ns: *at_ns,
        answered_ns: *at_ns,
        admitted: true,
        basis: Basis::OwnShare,
    };
    Run {
        arrivals: admitted.iter().map(arrival).collect(),
        outcomes: (0u32..).zip(admitted).map(outcome).collect(),
        notes: notes
            .iter()
            .map(|(at_ns, what)| Note {
                at_ns: *at_ns,
                what: what.clone(),
            })
            .collect(),
        ..Run::default()
    }
}

fn judged(scenario: &Scenario, admitted: &[(u64, u64)], notes: &[(u64, What)]) -> u8 {
    Ceiling
        .check(scenario, &all_admitted(admitted, notes))
        .rank()
}

/// The last instant, before the whole unit is back, that is still forgiven.
const FORGIVEN_NS: u64 = S / GRAIN as u64;

#[test]
fn one_unit_too_many_by_one_nanosecond_is_seen() {
    let scenario = small();
    assert_eq!(
        judged(&scenario, &[], &[]),
        1,
        "nothing admitted is unknown"
    );
    assert_eq!(judged(&scenario, &[(5, 3)], &[]), 0);
    assert_eq!(judged(&scenario, &[(5, 3), (5, 1)], &[]), 2);
    assert_eq!(judged(&scenario, &[(5, 3), (5 + S, 1)], &[]), 0);
    assert_eq!(
        judged(&scenario, &[(5, 3), (5 + S - FORGIVEN_NS, 1)], &[]),
        0
    );
    assert_eq!(
        judged(&scenario, &[(5, 3), (4 + S - FORGIVEN_NS, 1)], &[]),
        2
    );
    assert_eq!(
        judged(&scenario, &[(0, 3), (60 * S, 3), (60 * S, 1)], &[]),
        2,
        "idling buys nothing"
    );
}

#[test]
fn at_a_thousand_million_a_second_each_nanosecond_counts() {
    let mut scenario = small();
    scenario.cluster.rate_units = 1_000_000_000;
    assert_eq!(judged(&scenario, &[(0, 3), (7, 3)], &[]), 0);
    assert_eq!(judged(&scenario, &[(0, 3), (2, 2)], &[]), 0);
    assert_eq!(judged(&scenario, &[(0, 3), (2, 3)], &[]), 2);
    assert_eq!(
        judged(&scenario, &[(0, u64::MAX)], &[]),
        2,
        "and nothing overflows"
    );
}

#[test]
fn the_overdraft_and_fast_clocks_are_in_the_bound_and_nothing_more() {
    let mut scenario = small();
    scenario.cluster.overshoot_milli = 1_000;
    assert_eq!(judged(&scenario, &[(0, 6)], &[]), 0);
    assert_eq!(judged(&scenario, &[(0, 7)], &[]), 2);
    scenario.cluster.overshoot_milli = 0;
    let at_ns = 99 * S + S / 50;
    let mut run = all_admitted(&[(0, 3), (S, 1)], &[]);
    run.arrivals.extend((2..101u64).map(|s| Arrival {
        at_ns: s * (at_ns / 100),
        place: 0,
        key: 0,
        cost: 1,
    }));
    run.outcomes = (0u32..)
        .zip(&run.arrivals)
        .map(|(arrival, asked)| Outcome {
            arrival,
            charged_ns: asked.at_ns,
            answered_ns: asked.at_ns,
            admitted: true,
            basis: Basis::OwnShare,
        })
        .collect();
    assert_eq!(
        Ceiling.check(&scenario, &run).rank(),
        2,
        "100 units in 99 s"
    );
    run.clock_error_ppm = 10_000;
    assert_eq!(
        Ceiling.check(&scenario, &run).rank(),
        0,
        "by a clock one per cent fast"
    );
}

#[test]
fn groups_have_a_limit_each_only_while_they_are_apart() {
    let scenario = small();
    let apart = [(10 * S, What::Groups(2)), (20 * S, What::Groups(1))];
    let drained = |ns: u64| (10 * S + ns, 3 + 2 * (ns / S));
    // An interval that starts with κ = 1 has one burst and then twice the rate.
    assert_eq!(judged(&scenario, &[drained(0)], &apart), 0);
    assert_eq!(judged(&scenario, &[(10 * S, 3), (11 * S, 2)], &apart), 0);
    assert_eq!(judged(&scenario, &[(10 * S, 3), (11 * S, 3)], &apart), 2);
    // One that starts later has two bursts, if the rate since κ rose has paid for them.
    assert_eq!(judged(&scenario, &[(13 * S, 6)], &apart), 0);
    assert_eq!(judged(&scenario, &[(13 * S, 7)], &apart), 2);
    // Neither form is there before and after.
    assert_eq!(judged(&scenario, &[(9 * S, 4)], &apart), 2);
    assert_eq!(judged(&scenario, &[(25 * S, 4)], &apart), 2);
    assert_eq!(
        judged(&scenario, &[(20 * S, 6)], &apart),
        0,
        "at the instant itself"
    );
}

#[test]
fn each_founding_anew_brings_a_burst_once() {
    let scenario = small();
    let founded = [(10 * S, What::Founded)];
    assert_eq!(
        judged(&scenario, &[(10 * S - 1, 3), (10 * S, 3)], &founded),
        0
    );
    assert_eq!(
        judged(&scenario, &[(10 * S - 1, 3), (10 * S, 4)], &founded),
        2
    );
    assert_eq!(judged(&scenario, &[(20 * S, 4)], &founded), 2);
}

#[test]
fn a_founding_beside_the_living_brings_its_burst_whichever_is_noted_first() {
    let scenario = small();
    let notes = [(10 * S, What::Founded), (10 * S, What::Groups(2))];
    let swapped = [notes[1].clone(), notes[0].clone()];
    for notes in [notes, swapped] {
        assert_eq!(judged(&scenario, &[(10 * S + 1, 6)], &notes), 0);
        assert_eq!(judged(&scenario, &[(10 * S + 1, 7)], &notes), 2);
    }
}

#[test]
fn keys_are_judged_apart_and_the_tightest_is_told() {
    let scenario = small();
    let mut run = all_admitted(&[(0, 3), (0, 2)], &[]);
    run.arrivals[1].key = 1;
    let Verdict::Pass(finding) = Ceiling.check(&scenario, &run) else {
        panic!("two keys")
    };
    assert_eq!(
        (finding.measured, finding.bound, finding.slack),
        (3.0, 3.0, 0.0)
    );
    run.arrivals[1].key = 0;
    let Verdict::Fail(finding) = Ceiling.check(&scenario, &run) else {
        panic!("one key")
    };
    assert_eq!((finding.slack, finding.excess().0), (-2.0, 2.0));
    assert!((finding.excess().1 - 2.0 / 3.0).abs() < 1e-9);
    assert!(finding.timeline.len() <= timeline::LINES_MAX && finding.timeline.len() >= 3);
}

#[test]
fn what_may_not_have_been_charged_and_what_allow_gives_away_is_not_counted() {
    let mut scenario = small();
    let mut run = all_admitted(&[(0, 3), (0, 1)], &[]);
    run.outcomes.pop();
    run.unanswered.push(Unanswered {
        arrival: 1,
        maybe_charged: true,
    });
    assert_eq!(Ceiling.check(&scenario, &run).rank(), 0);
    let mut run = all_admitted(&[(0, 3), (0, 1)], &[]);
    run.outcomes[1].basis = Basis::Fallback;
    assert_eq!(Ceiling.check(&scenario, &run).rank(), 2);
    scenario.cluster.fallback = crate::scenario::Fallback::Allow;
    assert_eq!(Ceiling.check(&scenario, &run).rank(), 0);
}

fn histories() -> impl Strategy<Value = (Scenario, Vec<Arrival>)> {
    let limit = (1u64..50, 1u64..2_000, 1u64..5_000, 0u64..1_500);
    let asked = prop::collection::vec((0u64..300_000_000, 0u32..2, 1u64..4), 1..200);
    (limit, asked).prop_map(|((burst, rate, period_ms, overshoot), asked)| {
        let mut scenario = plain();
        scenario.cluster.burst_units = burst;
        scenario.cluster.rate_units = rate;
        scenario.cluster.rate_period_ms = period_ms;
        scenario.cluster.overshoot_milli = overshoot;
        let mut at_ns = 0;
        let arrival = |(gap_ns, key, cost): (u64, u32, u64)| {
            at_ns += gap_ns;
            Arrival {
                at_ns,
                place: 0,
                key,
                cost,
            }
        };
        (scenario, asked.into_iter().map(arrival).collect())
    })
}

/// Every interval, by brute force: the greatest of (admitted − regained) over all pairs of ends.
fn by_hand(scenario: &Scenario, run: &Run) -> Option<f64> {
    let rate = scenario.cluster.rate_units as f64 / (scenario.cluster.rate_period_ms as f64 * 1e6);
    let mut worst: Option<f64> = None;
    for key in [0, 1] {
        let of = |outcome: &Outcome| {
            let arrival = run.arrivals[outcome.arrival as usize];
            (arrival.key == key && outcome.admitted)
                .then_some((arrival.at_ns as f64, arrival.cost as f64))
        };
        let admitted: Vec<(f64, f64)> = run.outcomes.iter().filter_map(of).collect();
        for first in 0..admitted.len() {
            let mut sum = 0.0;
            for (at_ns, cost) in &admitted[first..] {
                sum += cost;
                let level = sum - (at_ns - admitted[first].0) * rate;
                worst = Some(worst.map_or(level, |most: f64| most.max(level)));
            }
        }
    }
    worst
}

proptest! {
    #[test]
    fn an_honest_bucket_passes_and_one_that_turns_a_refusal_round_does_not(
        (scenario, arrivals) in histories(),
    ) {
        let mut run = honest_on(&scenario, &arrivals);
        let rank = Ceiling.check(&scenario, &run).rank();
        prop_assert!(rank < 2);
        let refused = run.outcomes.iter().position(|outcome| !outcome.admitted);
        if let Some(index) = refused {
            // Refused by at least this much, or by less than is forgiven.
            run.outcomes.truncate(index + 1);
            run.outcomes[index].admitted = true;
            let bound = scenario.cluster.burst_units as f64
                * (1000 + scenario.cluster.overshoot_milli) as f64 / 1000.0;
            let excess = by_hand(&scenario, &run).expect("one was admitted") - bound;
            let expected = if excess > 0.001_001 { 2 } else { 0 };
            if !(0.000_999..=0.001_001).contains(&excess) {
                prop_assert_eq!(Ceiling.check(&scenario, &run).rank(), expected);
            }
        }
    }

    #[test]
    fn every_interval_is_looked_at((scenario, arrivals) in histories()) {
        let mut run = honest_on(&scenario, &arrivals);
        run.outcomes.iter_mut().for_each(|outcome| outcome.admitted = true);
        let verdict = Ceiling.check(&scenario, &run);
        let seen = verdict.finding().expect("some were admitted").measured;
        let by_hand = by_hand(&scenario, &run).expect("some were admitted");
        prop_assert!((seen - by_hand).abs() < 1e-6, "{} against {}", seen, by_hand);
    }
}
