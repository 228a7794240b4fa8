//! The few figures that every row of a table has, from the history alone.
//!
//! All arithmetic that decides is on integers: a level is kept in units times the nanoseconds of
//! the rate's period, so that nothing is rounded.

use std::collections::BTreeMap;

use crate::history::{Arrival, Run, What};
use crate::scenario::{Cluster, Scenario};

/// Units times the period's nanoseconds.
type Level = i128;

/// One central bucket per key.
struct Central {
    rate_units: Level,
    period_ns: Level,
    capacity: Level,
    buckets: BTreeMap<u32, (Level, u64)>,
}

impl Central {
    fn new(cluster: &Cluster) -> Self {
        let period_ns = Level::from(cluster.rate_period_ms) * 1_000_000;
        Self {
            rate_units: Level::from(cluster.rate_units),
            period_ns,
            capacity: Level::from(cluster.burst_units) * period_ns,
            buckets: BTreeMap::new(),
        }
    }

    /// The bucket's level above what fits, were the units charged now.
    fn excess(&mut self, key: u32, at_ns: u64, units: u64) -> Level {
        let (level, drained_ns) = self.buckets.entry(key).or_insert((0, at_ns));
        let passed_ns = Level::from(at_ns.saturating_sub(*drained_ns));
        *level = (*level - passed_ns * self.rate_units).max(0);
        *drained_ns = at_ns.max(*drained_ns);
        *level + Level::from(units) * self.period_ns - self.capacity
    }

    fn charge(&mut self, key: u32, units: u64) {
        if let Some((level, _)) = self.buckets.get_mut(&key) {
            *level += Level::from(units) * self.period_ns;
        }
    }
}

/// Units that one central bucket per key admits of these arrivals.
#[must_use]
pub fn ideal_units(cluster: &Cluster, arrivals: &[Arrival]) -> u64 {
    let mut central = Central::new(cluster);
    let mut admitted = 0;
    for arrival in arrivals {
        if central.excess(arrival.key, arrival.at_ns, arrival.cost) <= 0 {
            central.charge(arrival.key, arrival.cost);
            admitted += arrival.cost;
        }
    }
    admitted
}

/// Units admitted in a run.
#[must_use]
pub fn admitted_units(run: &Run) -> u64 {
    let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
    admitted
        .map(|outcome| run.arrivals[outcome.arrival as usize].cost)
        .sum()
}

/// How far a run went above the central bucket's burst over all intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overshoot {
    excess: Level,
    period_ns: Level,
    bound: Level,
}

impl Overshoot {
    /// The furthest that any key's central bucket came above C when it was charged, without
    /// refusing, all that was admitted: the largest excess over `C + r·T` of any interval.
    #[must_use]
    pub fn of(scenario: &Scenario, run: &Run) -> Self {
        let cluster = &scenario.cluster;
        let mut charged: Vec<_> = run.outcomes.iter().filter(|o| o.admitted).collect();
        charged.sort_by_key(|outcome| outcome.charged_ns);
        let mut central = Central::new(cluster);
        let mut excess = 0;
        for outcome in charged {
            let arrival = &run.arrivals[outcome.arrival as usize];
            let above = central.excess(arrival.key, outcome.charged_ns, arrival.cost);
            central.charge(arrival.key, arrival.cost);
            excess = above.max(excess);
        }
        Self {
            excess,
            period_ns: central.period_ns,
            bound: central.capacity * Level::from(cluster.overshoot_milli),
        }
    }

    /// In units: for people.
    #[must_use]
    pub fn units(&self) -> f64 {
        self.excess as f64 / self.period_ns as f64
    }

    /// ε·C, in units: for people.
    #[must_use]
    pub fn bound_units(&self) -> f64 {
        self.bound as f64 / 1000.0 / self.period_ns as f64
    }

    /// Whether it is above ε·C, exactly.
    #[must_use]
    pub const fn exceeds_bound(&self) -> bool {
        self.excess * 1000 > self.bound
    }
}

/// How long after the last cut was healed rows and merged views were equal; `None` where nobody
/// looked, or they never were.
#[must_use]
pub fn converged_ms(run: &Run) -> Option<f64> {
    let healed = run.notes.iter().rposition(|note| match &note.what {
        What::Healed => true,
        What::Fault(text) => text.eq_ignore_ascii_case("heal"),
        _ => false,
    })?;
    let later = &run.notes[healed..];
    let converged = later.iter().find(|note| note.what == What::Converged)?;
    Some(converged.at_ns.saturating_sub(later[0].at_ns) as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Basis, Note, Outcome};

    const SECOND_NS: u64 = 1_000_000_000;

    fn scenario(overshoot_milli: u64) -> Scenario {
        let text = format!(
            "name = \"test\"\nseed = 1\nduration_ms = 60000\n[cluster]\nnodes = 5\n\
             burst_units = 100\nrate_units = 100\novershoot_milli = {overshoot_milli}\n\
             [workload]\nload_milli = 1000"
        );
        toml::from_str(&text).expect("a scenario")
    }

    fn asked(costs: &[(u64, u64)]) -> Vec<Arrival> {
        let arrival = |(at_ns, cost): &(u64, u64)| Arrival {
            at_ns: *at_ns,
            place: 0,
            key: 0,
            cost: *cost,
        };
        costs.iter().map(arrival).collect()
    }

    fn all_admitted(costs: &[(u64, u64)]) -> Run {
        let outcome = |(number, (at_ns, _)): (u32, &(u64, u64))| Outcome {
            arrival: number,
            charged_ns: *at_ns,
            answered_ns: *at_ns,
            admitted: true,
            basis: Basis::OwnShare,
        };
        Run {
            outcomes: (0..).zip(costs).map(outcome).collect(),
            arrivals: asked(costs),
            ..Run::default()
        }
    }

    #[test]
    fn the_ideal_admits_a_burst_and_then_the_rate() {
        let cluster = scenario(0).cluster;
        let arrivals = asked(&[
            (0, 100),
            (0, 1),
            (9_999_999, 1),
            (10_000_000, 1),
            (SECOND_NS, 99),
        ]);
        assert_eq!(ideal_units(&cluster, &arrivals), 200);
    }

    #[test]
    fn overshoot_is_exact_to_the_nanosecond_and_held_against_the_bound() {
        let exact = all_admitted(&[(0, 100), (SECOND_NS, 100)]);
        let overshoot = Overshoot::of(&scenario(0), &exact);
        assert_eq!(overshoot.units(), 0.0);
        assert!(!overshoot.exceeds_bound());
        let early = all_admitted(&[(0, 100), (SECOND_NS - 1, 100)]);
        assert!(Overshoot::of(&scenario(0), &early).exceeds_bound());
        let twenty = all_admitted(&[(0, 100), (0, 20)]);
        assert_eq!(Overshoot::of(&scenario(200), &twenty).units(), 20.0);
        assert_eq!(Overshoot::of(&scenario(200), &twenty).bound_units(), 20.0);
        assert!(!Overshoot::of(&scenario(200), &twenty).exceeds_bound());
        assert!(Overshoot::of(&scenario(199), &twenty).exceeds_bound());
    }

    #[test]
    fn an_overshoot_late_in_the_run_is_not_hidden_by_idle_time_before() {
        let late = all_admitted(&[(0, 1), (50 * SECOND_NS, 130)]);
        assert_eq!(Overshoot::of(&scenario(0), &late).units(), 30.0);
    }

    #[test]
    fn convergence_counts_from_the_last_healing() {
        let note = |at_ns, what| Note { at_ns, what };
        let mut run = Run::default();
        run.notes.push(note(1_000_000, What::Converged));
        run.notes
            .push(note(5_000_000, What::Fault("Heal".to_owned())));
        assert_eq!(converged_ms(&run), None);
        run.notes.push(note(7_500_000, What::Converged));
        assert_eq!(converged_ms(&run), Some(2.5));
    }
}
