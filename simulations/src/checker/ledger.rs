//! What was admitted of each key, in the order of charging.

use std::collections::BTreeMap;

use crate::Scenario;
use crate::history::{Basis, Outcome, Run, What};
use crate::scenario::Fallback;

/// Units that went out at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// When they were charged.
    pub at_ns: u64,
    /// When that was known where the request had arrived.
    pub answered_ns: u64,
    /// How many.
    pub cost: u64,
    /// Where the request arrived.
    pub place: u32,
    /// On what grounds.
    pub basis: Basis,
    /// The request's number.
    pub arrival: u32,
}

/// All that was surely admitted and charged, by key. What a fallback allows without charging
/// anybody is no part of any bound, as the setting's description says; it is counted apart.
pub fn admissions(scenario: &Scenario, run: &Run) -> BTreeMap<u32, Vec<Admission>> {
    let unbounded = scenario.cluster.fallback == Fallback::Allow;
    let counts =
        |outcome: &&Outcome| outcome.admitted && !(unbounded && outcome.basis == Basis::Fallback);
    let mut keys: BTreeMap<u32, Vec<Admission>> = BTreeMap::new();
    for outcome in run.outcomes.iter().filter(counts) {
        let Some(arrival) = run.arrivals.get(outcome.arrival as usize) else {
            continue;
        };
        keys.entry(arrival.key).or_default().push(Admission {
            at_ns: outcome.charged_ns,
            answered_ns: outcome.answered_ns,
            cost: arrival.cost,
            place: arrival.place,
            basis: outcome.basis,
            arrival: outcome.arrival,
        });
    }
    for admitted in keys.values_mut() {
        admitted.sort_by_key(|admission| admission.at_ns);
    }
    keys
}

/// Whether somebody looked at all into who counts with whom: rivals have no groups to look at.
pub fn is_watched(run: &Run) -> bool {
    let looks = |what: &What| matches!(what, What::Groups(_) | What::Resources(_));
    run.notes.iter().any(|note| looks(&note.what))
}
