//! Runs a swarm on a few threads and sums up what its checkers said.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::draw;
use crate::checker::{Coverage, Mark, Report};
use crate::trial::trial;
use crate::{Finding, Strategy, Verdict};

/// A claim that is false in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loss {
    /// The run's seed.
    pub seed: u64,
    /// The checker's name.
    pub checker: String,
    /// What it found.
    pub finding: Finding,
}

/// What a swarm says of one claim.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Claim {
    /// Runs in which it held.
    pub passed: u64,
    /// Runs that could not show it false.
    pub unknown: u64,
    /// Runs in which it is false.
    pub failed: u64,
    /// The least slack of all runs and its seed: how near the bound was come to.
    pub tightest: Option<(u64, Finding)>,
}

impl Claim {
    fn add(&mut self, seed: u64, verdict: &Verdict) {
        match verdict {
            Verdict::Pass(_) => self.passed += 1,
            Verdict::Unknown(_) => self.unknown += 1,
            Verdict::Fail(_) => self.failed += 1,
        }
        let Some(finding) = verdict.finding() else {
            return;
        };
        let relative = |finding: &Finding| finding.slack / finding.bound.abs().max(1e-9);
        let least = self
            .tightest
            .as_ref()
            .map(|(at, least)| (relative(least), *at));
        // Ties go to the lower seed, so that the order of threads does not show.
        if least.is_none_or(|least| (relative(finding), seed) < least) {
            let finding = Finding {
                timeline: Vec::new(),
                ..finding.clone()
            };
            self.tightest = Some((seed, finding));
        }
    }

    /// 0 passed, 1 unknown, 2 failed.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match (self.failed, self.passed) {
            (1.., _) => 2,
            (0, 1..) => 0,
            (0, 0) => 1,
        }
    }
}

/// What a swarm found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The first seed; the others follow it.
    pub seed: u64,
    /// Runs.
    pub runs: u64,
    /// Requests of all runs.
    pub requests: u64,
    /// Virtual seconds of all runs.
    pub virtual_s: f64,
    /// By checker.
    pub claims: BTreeMap<String, Claim>,
    /// What failed, by seed.
    pub losses: Vec<Loss>,
    /// Rare branches taken, the rarest first.
    pub marks: Vec<Mark>,
    /// Whether each of them was taken often enough.
    pub coverage: Option<Verdict>,
}

impl Summary {
    /// The worst claim's rank, coverage included: a claim that no run put to the test is unknown.
    #[must_use]
    pub fn rank(&self) -> u8 {
        let claims = self.claims.values().map(Claim::rank);
        let coverage = self.coverage.as_ref().map(Verdict::rank);
        claims.chain(coverage).max().unwrap_or(1)
    }

    fn add(&mut self, seen: Seen) {
        self.runs += 1;
        self.requests += seen.requests;
        self.virtual_s += seen.virtual_s;
        for (checker, verdict) in seen.report.verdicts {
            self.claims
                .entry(checker.clone())
                .or_default()
                .add(seen.seed, &verdict);
            if let Verdict::Fail(finding) = verdict {
                self.losses.push(Loss {
                    seed: seen.seed,
                    checker,
                    finding,
                });
            }
        }
    }
}

struct Seen {
    seed: u64,
    report: Report,
    marks: BTreeMap<String, u64>,
    requests: u64,
    virtual_s: f64,
}

/// Runs so many seeds from `first` on, on so many threads. `each` is told of every run, in the
/// order of their ends: the seed and what failed in it.
///
/// # Errors
/// A seed whose arrivals can't be drawn.
pub fn hunt(
    strategy: &(dyn Strategy + Sync),
    (first, runs): (u64, u64),
    threads: usize,
    marks: &[&str],
    mut each: impl FnMut(u64, &[Loss]),
) -> Result<Summary> {
    let next = AtomicU64::new(0);
    let mut summary = Summary {
        seed: first,
        ..Summary::default()
    };
    let mut coverage = Coverage::of(marks);
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(seed) = claimed(next, first, runs) {
                    if sender.send(seen(strategy, seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for seen in receiver {
            let seen = seen?;
            let (seed, known) = (seen.seed, summary.losses.len());
            coverage.add_marks(&seen.marks);
            summary.add(seen);
            each(seed, &summary.losses[known..]);
        }
        Ok(())
    })?;
    summary.losses.sort_by_key(|loss| loss.seed);
    summary.marks = coverage.marks();
    summary.coverage = (!summary.marks.is_empty()).then(|| coverage.verdict());
    Ok(summary)
}

fn claimed(next: &AtomicU64, first: u64, runs: u64) -> Option<u64> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    (number < runs).then(|| first.wrapping_add(number))
}

fn seen(strategy: &dyn Strategy, seed: u64) -> Result<Seen> {
    let trial = trial(strategy, &draw(seed))?;
    Ok(Seen {
        seed,
        requests: trial.run.arrivals.len() as u64,
        virtual_s: trial.run.ended_ns as f64 / 1e9,
        marks: trial.run.marks,
        report: trial.report,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;
    use crate::checker::reference::honest_on;
    use crate::history::{Arrival, Run};

    /// One bucket in the middle; where it is told to, twice the size.
    struct Central(u64);

    impl Strategy for Central {
        fn name(&self) -> &'static str {
            "central"
        }

        fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
            let mut larger = scenario.clone();
            assert!(scenario.seed != 13 || self.0 == 1, "thirteen");
            larger.cluster.burst_units *= self.0;
            honest_on(&larger, arrivals)
        }
    }

    #[test]
    fn a_swarm_says_the_same_on_any_number_of_threads() {
        let on = |threads| {
            let found = hunt(&Central(2), (10, 12), threads, &["rare"], |_, _| {});
            serde_json::to_string(&found.expect("it runs")).expect("it can be written")
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn an_honest_bucket_loses_nothing_and_a_double_one_does() {
        let honest = hunt(&Central(1), (10, 12), 2, &[], |_, _| {}).expect("it runs");
        assert!(honest.losses.is_empty(), "{:?}", honest.losses);
        assert_eq!((honest.runs, honest.claims["ceiling"].passed), (12, 12));
        assert_eq!(honest.claims["quiet"].rank(), 1, "nobody counted: unknown");
        let mut told = 0;
        let double = hunt(&Central(2), (10, 12), 2, &[], |_, losses| {
            told += losses.len();
        });
        let double = double.expect("it runs");
        assert_eq!(double.rank(), 2);
        assert_eq!(told, double.losses.len());
        assert!(double.claims["ceiling"].failed > 3);
        assert_eq!(double.claims["panic"].failed, 1, "a panic is a verdict");
    }
}
