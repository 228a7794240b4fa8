//! No interval admits more than the promise allows.
//!
//! With one group: `(1 + ε)·C + (1 + ρ)·r·T`, for every interval. With κ groups: an interval in
//! which κ is at most k holds `k·(1 + ε)·C + (1 + ρ)·∫κ·r dt`, and one that starts while κ is 1
//! holds `(1 + k·ε)·C + (1 + ρ)·∫κ·r dt`. Every interval is judged.
//!
//! What may or may not have been charged (an answer that never came) is not counted: whatever the
//! truth, what surely was admitted has to hold.

pub(super) mod pass;

use self::pass::{Taken, Tightest, changes, tightest};
use super::ledger::{Admission, admissions};
use super::terms::Terms;
use super::timeline;
use crate::history::Run;
use crate::{Finding, Scenario, Verdict, verdict::Checker};

/// The library keeps time in 2⁻²⁰ of a unit and rounds it at each node's two readings, never adding
/// that up: an interval can gain at most one such step per node, 64 · 2⁻²⁰ < 1/16,000 unit in the
/// largest cluster. One thousandth of a unit per key is forgiven; whole units never are.
const GRAIN: i128 = 1000;

/// `(1 + ε)·C + (1 + ρ)·r·T`, over every interval, for each key.
pub struct Ceiling;

impl Checker for Ceiling {
    fn name(&self) -> &'static str {
        "ceiling"
    }

    fn check(&self, scenario: &Scenario, run: &Run) -> Verdict {
        let terms = Terms::of(scenario, run.clock_error_ppm);
        let changes = changes(scenario, run);
        let keys = admissions(scenario, run);
        let judged = keys.iter().filter_map(|(key, admitted)| {
            let taken: Vec<Taken> = admitted.iter().map(|one| Taken::of(one, &terms)).collect();
            let tightest = tightest(&terms, &changes, &taken)?;
            Some((*key, tightest))
        });
        let Some((key, worst)) = judged.min_by_key(|(_, tightest)| tightest.slack()) else {
            return Verdict::Unknown("nothing was admitted".to_owned());
        };
        let admitted = &keys[&key][worst.first..=worst.last];
        let finding = found(&terms, key, &worst, admitted, run);
        if worst.slack() < -terms.unit() / GRAIN {
            Verdict::Fail(finding)
        } else {
            Verdict::Pass(finding)
        }
    }
}

fn found(terms: &Terms, key: u32, worst: &Tightest, admitted: &[Admission], run: &Run) -> Finding {
    let at_ns = admitted.last().map_or(0, |one| one.at_ns);
    let measured = terms.in_units(worst.level);
    let bound = terms.in_units(worst.bound);
    let slack = terms.in_units(worst.slack());
    let length_s = at_ns.saturating_sub(worst.from_ns) as f64 / 1e9;
    let side = if slack < 0.0 { "above" } else { "below" };
    let text = format!(
        "key {key}: an interval of {length_s:.3} s admitted {:.6} units {side} the bound (κ ≤ {}): \
         {measured:.6} beyond the rate, {bound:.6} allowed",
        slack.abs(),
        worst.groups
    );
    Finding {
        text,
        measured,
        bound,
        unit: "units".to_owned(),
        slack,
        at_ns,
        timeline: timeline::witness(run, key, worst.from_ns, admitted),
    }
}

#[cfg(test)]
mod tests;
