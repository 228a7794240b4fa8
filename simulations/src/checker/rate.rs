//! In the long run a key that is asked for too much admits exactly r: debts are repaid from it, and
//! what a node holds is not left unused. Judged over long stretches in which demand exceeds r all
//! the time and nothing is wrong with the world yet.
//!
//! What may or may not have been charged makes the measured value an interval: only one that lies
//! wholly outside the bound is a failure.

use super::ledger::admissions;
use super::terms::Terms;
use super::timeline;
use super::weather::fair_until_ns;
use crate::history::{Arrival, Run};
use crate::scenario::{Mode, Placement};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// A stretch is cut into slices of at least this; each of them has to be saturated.
const SLICE_NS_MIN: u64 = 1_000_000_000;
/// A slice is saturated with so many thousandths of what is regained in it.
const SATURATED_MILLI: i128 = 1_200;
/// A stretch is long with so many seconds…
const STRETCH_NS_MIN: u64 = 20_000_000_000;
/// …and so many times the time in which a burst is regained.
const STRETCH_BURSTS: u64 = 5;
/// Where what is regained should be used, so many hundredths of r are: no sharp figure (the tables are
/// for those), but what a limiter that loses parts, or does not move them, falls below.
const USED_PERCENT: i128 = 80;
/// Where requests come from may change, but not sooner than after so long…
const STAYS_MS_MIN: u64 = 2_000;
/// …a node's part of a burst holds so many of the dearest requests…
const REQUESTS_FIT: u128 = 4;
/// …and no more than one datagram in twenty is lost.
const LOSS_MILLI_MAX: u32 = 50;

/// Long-run rate exactly r.
pub struct Rate;

impl Checker for Rate {
    fn name(&self) -> &'static str {
        "rate"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let terms = Terms::of(scenario, run.clock_error_ppm);
        let keys = admissions(scenario, run);
        let mut worst: Option<(f64, Verdict)> = None;
        for (key, (from_ns, to_ns)) in stretches(scenario, &terms, &run.arrivals) {
            let within = |at_ns: u64| (from_ns..to_ns).contains(&at_ns);
            let admitted = keys.get(&key).into_iter().flatten();
            let sure = admitted.filter(|one| within(one.at_ns));
            let sure: i128 = sure.map(|one| terms.cost(one.cost)).sum();
            let maybe = run.unanswered.iter().filter(|one| one.maybe_charged);
            let maybe = maybe.filter_map(|one| run.arrivals.get(one.arrival as usize));
            let maybe = maybe.filter(|arrival| arrival.key == key && within(arrival.at_ns));
            let maybe: i128 = maybe.map(|arrival| terms.cost(arrival.cost)).sum();
            let seen = Stretch {
                key,
                from_ns,
                to_ns,
                sure,
                maybe,
            };
            let judged = seen.judged(scenario, &terms);
            if worst.as_ref().is_none_or(|(slack, _)| judged.0 < *slack) {
                worst = Some(judged);
            }
        }
        let none = || Verdict::Unknown("no key was asked for too much for long".to_owned());
        worst.map_or_else(none, |(_, verdict)| verdict)
    }
}

struct Stretch {
    key: u32,
    from_ns: u64,
    to_ns: u64,
    sure: i128,
    maybe: i128,
}

impl Stretch {
    fn judged(&self, scenario: &Scenario, terms: &Terms) -> (f64, Verdict) {
        let ns = self.to_ns - self.from_ns;
        let fair = terms.regained(1, ns);
        let upper = fair + terms.bursts(1, 1);
        let lower = if usable(scenario) {
            fair / 100 * USED_PERCENT - terms.bursts(1, 1)
        } else {
            0
        };
        let slack = (upper - self.sure).min(self.sure + self.maybe - lower);
        let share = self.sure as f64 / (fair as f64).max(1.0);
        let text = format!(
            "key {}: {:.4} of r over {:.1} s of too much demand ({:.3} units, {:.3} to {:.3} allowed)",
            self.key,
            share,
            ns as f64 / 1e9,
            terms.in_units(self.sure),
            terms.in_units(lower.max(0)),
            terms.in_units(upper),
        );
        let finding = Finding {
            measured: share,
            bound: 1.0,
            unit: "of r".to_owned(),
            slack: slack as f64 / (fair as f64).max(1.0),
            at_ns: self.to_ns,
            timeline: vec![
                timeline::line(self.from_ns, "saturated"),
                timeline::line(self.to_ns, &text),
            ],
            text,
        };
        let fails = slack < -terms.unit() / 1000;
        let verdict = if fails {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        };
        (terms.in_units(slack), verdict)
    }
}

/// Whether what is regained should be used: a node's part of a burst is room for several requests,
/// there is time to follow where they come from, and answers come in time.
pub fn usable(scenario: &Scenario) -> bool {
    let (cluster, workload) = (&scenario.cluster, &scenario.workload);
    let stays = !matches!(workload.placement, Placement::Moving(ms) if ms < STAYS_MS_MIN);
    // What costs more than a burst nobody could admit.
    let costs = workload.costs.iter().copied();
    let cost_max = costs.filter(|cost| *cost <= cluster.burst_units).max();
    let dearest = u128::from(cost_max.unwrap_or(0)) * cluster.nodes as u128;
    let roomy = u128::from(cluster.burst_units) >= REQUESTS_FIT * dearest;
    let kept = workload.keys <= cluster.keys_max;
    let lossless = scenario.network.loss_milli <= LOSS_MILLI_MAX;
    stays && roomy && kept && lossless && answers_in_time(scenario)
}

/// Whether an answer of `acquire` comes before its deadline; what comes later is given back, and was
/// not to be had meanwhile.
fn answers_in_time(scenario: &Scenario) -> bool {
    let network = &scenario.network;
    let round_trip_us = 2 * network.delay_us_max;
    let swift = round_trip_us < scenario.cluster.acquire_deadline_ms * 1_000;
    let sure = network.loss_milli <= 10 && network.tail_milli == 0;
    scenario.mode == Mode::Check || (swift && sure)
}

/// Each key's longest stretch in which every slice had too much demand.
fn stretches(scenario: &Scenario, terms: &Terms, arrivals: &[Arrival]) -> Vec<(u32, (u64, u64))> {
    let (Some(unit_ns), Some(burst_ns)) = (terms.unit_ns(), terms.burst_ns()) else {
        return Vec::new();
    };
    let slice_ns = SLICE_NS_MIN.max(unit_ns.saturating_mul(5));
    let long_ns = STRETCH_NS_MIN.max(burst_ns.saturating_mul(STRETCH_BURSTS));
    let end_ns = fair_until_ns(scenario);
    let slices = (end_ns / slice_ns) as usize;
    if end_ns < long_ns || slices == 0 {
        return Vec::new();
    }
    let mut asked: std::collections::BTreeMap<u32, Vec<i128>> = std::collections::BTreeMap::new();
    // What costs more than a burst nobody could admit, however little else is asked for.
    let could = |arrival: &&Arrival| arrival.cost <= scenario.cluster.burst_units;
    for arrival in arrivals.iter().filter(could) {
        let slice = (arrival.at_ns / slice_ns) as usize;
        let asked = asked.entry(arrival.key).or_insert_with(|| vec![0; slices]);
        if let Some(units) = asked.get_mut(slice) {
            *units += terms.cost(arrival.cost);
        }
    }
    let enough = terms.regained(1, slice_ns) / 1000 * SATURATED_MILLI;
    let found = asked.into_iter().filter_map(|(key, units)| {
        let (from, to) = longest(&units, enough);
        let (from_ns, to_ns) = (from as u64 * slice_ns, to as u64 * slice_ns);
        (to_ns - from_ns >= long_ns).then_some((key, (from_ns, to_ns)))
    });
    found.collect()
}

/// The longest run of slices with enough, as a range.
fn longest(units: &[i128], enough: i128) -> (usize, usize) {
    let (mut best, mut start) = ((0, 0), 0);
    for (index, asked) in units.iter().enumerate() {
        if *asked < enough {
            start = index + 1;
        } else if index + 1 - start > best.1 - best.0 {
            best = (start, index + 1);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{honest, plain};

    #[test]
    fn a_bucket_that_admits_exactly_r_passes_and_one_that_loses_a_third_does_not() {
        let scenario = plain();
        let run = honest(&scenario);
        assert_eq!(Rate.check(&scenario, &run).rank(), 0);
        let mut lossy = run.clone();
        let mut count = 0;
        for outcome in lossy.outcomes.iter_mut().filter(|one| one.admitted) {
            count += 1;
            outcome.admitted = count % 3 != 0;
        }
        assert_eq!(Rate.check(&scenario, &lossy).rank(), 2);
        let mut maybe = lossy.clone();
        maybe
            .outcomes
            .retain(|one| one.admitted || !admitted(&run, one.arrival));
        maybe.unanswered = unanswered(&run, &lossy);
        assert_eq!(
            Rate.check(&scenario, &maybe).rank(),
            0,
            "they may have been charged"
        );
    }

    #[test]
    fn a_bucket_a_tenth_too_fast_is_seen() {
        let scenario = plain();
        let mut fast = scenario.clone();
        fast.cluster.rate_units = fast.cluster.rate_units * 11 / 10;
        fast.duration_ms = 120_000;
        let run = honest(&fast);
        let slow = Scenario {
            duration_ms: 120_000,
            ..scenario
        };
        assert_eq!(Rate.check(&slow, &run).rank(), 2);
    }

    #[test]
    fn without_too_much_demand_nothing_is_known() {
        let mut scenario = plain();
        scenario.workload.load_milli = 500;
        assert_eq!(Rate.check(&scenario, &honest(&scenario)).rank(), 1);
    }

    #[test]
    fn what_costs_more_than_a_burst_is_no_demand() {
        let scenario = plain();
        let terms = Terms::of(&scenario, 0);
        let stretches_of = |cost| {
            let arrival = |tenth| Arrival {
                at_ns: tenth * SLICE_NS_MIN / 10,
                place: 0,
                key: 0,
                cost,
            };
            let arrivals: Vec<_> = (0..10_000).map(arrival).collect();
            stretches(&scenario, &terms, &arrivals).len()
        };
        assert_eq!(stretches_of(scenario.cluster.burst_units), 1);
        assert_eq!(stretches_of(scenario.cluster.burst_units + 1), 0);
    }

    fn admitted(run: &Run, arrival: u32) -> bool {
        run.outcomes
            .iter()
            .any(|one| one.arrival == arrival && one.admitted)
    }

    fn unanswered(run: &Run, lossy: &Run) -> Vec<crate::history::Unanswered> {
        let lost = |one: &&crate::history::Outcome| one.admitted && !admitted(lossy, one.arrival);
        let unanswered = |one: &crate::history::Outcome| crate::history::Unanswered {
            arrival: one.arrival,
            maybe_charged: true,
        };
        run.outcomes.iter().filter(lost).map(unanswered).collect()
    }
}
