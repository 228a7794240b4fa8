//! What was refused although one central bucket would have admitted it. Always measured; a claim
//! only where nothing is wrong (until the first fault) and what is there can be used: units lie where
//! requests come once these have come from there for a while, if a node's part is room for some.

use std::collections::BTreeMap;

use super::rate::usable;
use super::terms::Terms;
use super::weather::fair_until_ns;
use crate::history::{Arrival, Run};
use crate::scenario::{Mode, Timing};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// With nothing wrong, less than this of the ideal is a failure.
const UTILISATION_MIN: f64 = 0.8;

/// Over less than this, how units were spread at first is what shows.
const FAIR_NS_MIN: u64 = 20_000_000_000;
/// A burst that takes so many ticks is a stream.
const BURST_TICKS_MIN: u64 = 20;
/// A cluster that had less time is still being founded.
const WARM_UP_MS_MIN: u64 = 2_000;

/// Needless refusals against the ideal.
pub struct Needless;

impl Checker for Needless {
    fn name(&self) -> &'static str {
        "needless"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let fair_ns = fair_until_ns(scenario);
        let fair = run
            .arrivals
            .partition_point(|arrival| arrival.at_ns < fair_ns);
        let ideal = ideal_units(scenario, &run.arrivals[..fair]);
        if ideal == 0 {
            return Verdict::Unknown("the ideal would have admitted nothing".to_owned());
        }
        let admitted = run.outcomes.iter().filter(|outcome| outcome.admitted);
        let costs =
            admitted.filter_map(|outcome| run.arrivals[..fair].get(outcome.arrival as usize));
        let admitted: u128 = costs.map(|arrival| u128::from(arrival.cost)).sum();
        let utilisation = admitted as f64 / ideal as f64;
        let long = fair_ns >= FAIR_NS_MIN && scenario.warm_up_ms >= WARM_UP_MS_MIN;
        let claimed = long && usable(scenario) && is_steady(scenario);
        let bound = if claimed { UTILISATION_MIN } else { 0.0 };
        let finding = Finding {
            text: format!("{admitted} units admitted of the {ideal} that one bucket would have"),
            measured: utilisation,
            bound,
            unit: "of the ideal".to_owned(),
            slack: utilisation - bound,
            at_ns: run.ended_ns,
            timeline: Vec::new(),
        };
        if utilisation < bound {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

/// Whether requests come no faster than units can follow. A burst finds what lies where it lands, and
/// what can be fetched before it is over; how much that is the tables show. One that comes everywhere
/// finds all there is, unless some of it was gathered by `acquire` from where others come by `check`.
const fn is_steady(scenario: &Scenario) -> bool {
    let is_mixed = matches!(scenario.mode, Mode::Mixed(_));
    match scenario.workload.timing {
        Timing::Bursts {
            within_ms,
            everywhere,
            ..
        } => (everywhere && !is_mixed) || within_ms >= BURST_TICKS_MIN * scenario.cluster.tick_ms,
        _ => true,
    }
}

/// What one central bucket per key admits of the same arrivals, without an overdraft.
pub fn ideal_units(scenario: &Scenario, arrivals: &[Arrival]) -> u128 {
    let terms = Terms::of(scenario, 0);
    let full = terms.bursts(1, 0);
    let mut buckets: BTreeMap<u32, (u64, i128)> = BTreeMap::new();
    let mut units = 0;
    for arrival in arrivals {
        let (at_ns, level) = buckets.entry(arrival.key).or_default();
        let regained = terms.regained(1, arrival.at_ns.saturating_sub(*at_ns));
        *at_ns = arrival.at_ns;
        *level = (*level - regained).max(0);
        let with = level.saturating_add(terms.cost(arrival.cost));
        if with <= full {
            *level = with;
            units += u128::from(arrival.cost);
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::{honest, plain};

    #[test]
    fn a_short_burst_everywhere_is_steady_where_all_ask_alike() {
        let mut scenario = plain();
        scenario.workload.timing = Timing::Bursts {
            count: 10,
            within_ms: scenario.cluster.tick_ms,
            each_ms: 2_000,
            everywhere: true,
        };
        let steady = |mode| {
            let scenario = Scenario {
                mode,
                ..scenario.clone()
            };
            is_steady(&scenario)
        };
        assert!(steady(Mode::Check) && steady(Mode::Acquire));
        assert!(!steady(Mode::Mixed(50)));
    }

    #[test]
    fn the_ideal_itself_uses_everything_and_half_of_it_fails() {
        let scenario = plain();
        let mut run = honest(&scenario);
        let Verdict::Pass(finding) = Needless.check(&scenario, &run) else {
            panic!("the ideal passes");
        };
        assert!((finding.measured - 1.0).abs() < 1e-9, "{}", finding.text);
        for outcome in run.outcomes.iter_mut().step_by(2) {
            outcome.admitted = false;
        }
        assert_eq!(Needless.check(&scenario, &run).rank(), 2);
        let nothing = Run::default();
        assert_eq!(Needless.check(&scenario, &nothing).rank(), 1);
    }
}
