//! From what a run was seen to do to whether it kept its promise.

use super::{
    drive::Outcome,
    judge::{Bound, Charge, Judgement},
    options::Options,
    schedule::Schedule,
};

/// Whether a run kept what it promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Kept,
    Exceeded,
}

impl Verdict {
    pub(crate) fn of(judgement: &Judgement, bound: &Bound) -> Self {
        match judgement.exceeds(bound) {
            true => Self::Exceeded,
            false => Self::Kept,
        }
    }
}

/// What every client asked for, at the instants it was to ask.
pub(crate) fn arrivals(schedule: &Schedule) -> Vec<Charge> {
    let requests = schedule.requests.iter();
    let arrivals = requests.map(|request| Charge {
        client: request.client,
        cost_units: 1,
        at_ns: request.at_ns,
    });
    arrivals.collect()
}

/// What was admitted, at the instants that the nodes decided with.
pub(crate) fn admitted(outcomes: &[Outcome]) -> Vec<Charge> {
    let allowed = outcomes.iter().filter(|outcome| outcome.allowed);
    let admitted = allowed.map(|outcome| Charge {
        client: outcome.client,
        cost_units: 1,
        at_ns: outcome.decided_at_ns,
    });
    admitted.collect()
}

/// What the run may exceed the burst by.
///
/// A cut shorter than the eviction leaves one view in use throughout. A longer one makes each half
/// a group from the eviction on; until when they are two is not observed, so the run's end counts.
pub(crate) fn bound(options: &Options, duration_ns: u64) -> Bound {
    let grouped_ns = options.partition.and_then(|partition| {
        let evict_ns = u64::try_from(options.evict_after?.as_nanos()).ok()?;
        let outlasts = partition.duration_ns() >= evict_ns;
        outlasts.then(|| duration_ns.saturating_sub(partition.from_ns + evict_ns))
    });
    Bound {
        rate: options.rate,
        burst_units: options.limit.burst_units,
        overshoot: (options.overshoot.digits, options.overshoot.scale),
        groups: 1 + u64::from(grouped_ns.is_some()),
        grouped_ns: grouped_ns.unwrap_or(0),
    }
}
