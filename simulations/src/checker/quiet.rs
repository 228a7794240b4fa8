//! After load stops, contended keys become quiet ones again, and nothing is told of them any more.

use super::convergence::members_max;
use super::terms::Terms;
use super::timeline;
use super::weather::{gone_after_ms, ns};
use crate::history::{Run, What};
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// Ticks after which a key is quiet whose buckets are empty, by the library's own word (C12): what it
/// was asked for fades, shares return, and the last rows expire.
const RETURN_TICKS: u64 = 600;
/// Views that are made after healing reopen accounts: so long that may take.
const SETTLE_MS: u64 = 10_000;
/// A key of a slow limit whose base split is less than a unit each is remembered until a quarter of a
/// request is left of what was asked for it, which fades to a third in so many ticks.
const HABIT_TICKS: f64 = 1200.0;
/// Slow is a limit that gives back fewer units than this …
const SLOW_UNITS: u64 = 8;
/// … in so many ticks.
const SLOW_TICKS: u64 = 30;
/// A full bucket, overdraft included, drains in C/r by the whole rate; a debtor's part of the rate
/// is less than that, so twice the time is allowed.
const DRAINS: u64 = 2;

/// Contended keys return to none after load stops.
pub struct Quiet;

impl Checker for Quiet {
    fn name(&self) -> &'static str {
        "quiet"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let mut looks = run.notes.iter().filter_map(|note| match note.what {
            What::Contended(keys) => Some((note.at_ns, keys)),
            _ => None,
        });
        let Some((at_ns, left)) = looks.next_back() else {
            return Verdict::Unknown("nobody counted contended keys".to_owned());
        };
        let stopped_ns = run.arrivals.last().map_or(0, |last| last.at_ns);
        let since_ns = at_ns.saturating_sub(stopped_ns);
        let needed_ns =
            needed_ns(scenario).map(|ns| ns.saturating_add(remembered_ns(scenario, run)));
        if needed_ns.is_none_or(|needed_ns| needed_ns > since_ns) {
            return Verdict::Unknown(format!("{left} contended, too soon after load to tell"));
        }
        let finding = Finding {
            text: format!(
                "{left} keys contended {:.1} s after load stopped",
                since_ns as f64 / 1e9
            ),
            measured: left as f64,
            bound: 0.0,
            unit: "keys".to_owned(),
            slack: -(left as f64),
            at_ns,
            timeline: timeline::notes(run, stopped_ns, at_ns),
        };
        if left > 0 {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

/// How long the last requests of a key are remembered, at most.
fn remembered_ns(scenario: &Scenario, run: &Run) -> u64 {
    let cluster = &scenario.cluster;
    let given_back = cluster.rate_units * SLOW_TICKS * cluster.tick_ms / cluster.rate_period_ms;
    let crumbles = cluster.burst_units < members_max(scenario) as u64;
    if !crumbles || given_back >= SLOW_UNITS {
        return 0;
    }
    let asked: u64 = run.arrivals.iter().map(|arrival| arrival.cost).sum();
    let ticks = HABIT_TICKS * (1.0 + (4.0 * asked as f64).ln().max(0.0));
    ns(ticks as u64 * cluster.tick_ms)
}

/// How long after the last request all buckets are surely empty and shares are home.
fn needed_ns(scenario: &Scenario) -> Option<u64> {
    let drain_ns = Terms::of(scenario, 0).burst_ns()?;
    let drain_ns = drain_ns.saturating_mul(1000 + scenario.cluster.overshoot_milli) / 1000;
    let evict_ns = ns(gone_after_ms(scenario));
    let churn_ns = if scenario.faults.is_empty() {
        0
    } else {
        evict_ns + ns(SETTLE_MS)
    };
    let return_ns = ns(RETURN_TICKS * scenario.cluster.tick_ms);
    Some(
        drain_ns
            .saturating_mul(DRAINS)
            .saturating_add(return_ns)
            .saturating_add(churn_ns),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::reference::plain;
    use crate::history::Note;

    #[test]
    fn a_key_that_stays_contended_is_seen_once_it_had_time() {
        let scenario = plain();
        let needed = needed_ns(&scenario).expect("it drains");
        let judged = |at_ns, keys| {
            let notes = vec![Note {
                at_ns,
                what: What::Contended(keys),
            }];
            Quiet
                .check(
                    &scenario,
                    &Run {
                        notes,
                        ..Run::default()
                    },
                )
                .rank()
        };
        assert_eq!(judged(needed, 0), 0);
        assert_eq!(judged(needed, 1), 2);
        assert_eq!(judged(needed - 1, 1), 1, "too soon");
        assert_eq!(Quiet.check(&scenario, &Run::default()).rank(), 1);
    }
}
