//! Makes a failing scenario small: what is left is what the failure needs.
//!
//! Each step tries simpler scenarios in an order that saves the most first, and keeps one if the
//! same claim is false in it. Every candidate is smaller by one measure and larger by none, so that
//! it ends; the number of runs is bounded besides.

mod simpler;

use anyhow::{Result, bail};

use crate::trial::{Trial, trial};
use crate::{Finding, Scenario, Strategy, Verdict};

/// What is left of a failing scenario.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The smallest scenario found.
    pub scenario: Scenario,
    /// The claim that is false in it.
    pub checker: String,
    /// What its checker found.
    pub finding: Finding,
    /// Runs that it took.
    pub runs: usize,
}

/// Shrinks a scenario in which a claim is false, in at most so many runs. Without a claim's name it
/// is the gravest that is false.
///
/// # Errors
/// If the scenario can't be run, or no such claim is false in it.
pub fn shrink(
    strategy: &dyn Strategy,
    scenario: &Scenario,
    checker: Option<&str>,
    runs_max: usize,
) -> Result<Witness> {
    let first = trial(strategy, scenario)?;
    let Some((checker, finding)) = lost(&first, checker) else {
        bail!("no such claim is false in {}", scenario.name);
    };
    let mut hunt = Hunt {
        strategy,
        runs_max,
        best: Witness {
            scenario: scenario.clone(),
            checker,
            finding,
            runs: 1,
        },
    };
    while hunt.pass() {}
    Ok(hunt.best)
}

/// A claim that is false in a trial: the one named, or the gravest.
fn lost(trial: &Trial, checker: Option<&str>) -> Option<(String, Finding)> {
    let mut failed = trial.report.failed();
    let (name, verdict) = failed.find(|(name, _)| checker.is_none_or(|wanted| wanted == name))?;
    match verdict {
        Verdict::Fail(finding) => Some((name.clone(), finding.clone())),
        _ => None,
    }
}

struct Hunt<'a> {
    strategy: &'a dyn Strategy,
    runs_max: usize,
    best: Witness,
}

impl Hunt<'_> {
    /// One pass over all ways to be simpler; whether any of them was one.
    fn pass(&mut self) -> bool {
        let mut simpler = false;
        for way in simpler::WAYS {
            // What came of a way is tried again at once, from where it left off.
            let mut skip = 0;
            while self.best.runs < self.runs_max {
                let candidates = way(&self.best.scenario, self.best.finding.at_ns);
                let Some(candidate) = candidates.into_iter().nth(skip) else {
                    break;
                };
                if self.fails(candidate) {
                    simpler = true;
                } else {
                    skip += 1;
                }
            }
        }
        simpler && self.best.runs < self.runs_max
    }

    /// Keeps a candidate if the same claim is false in it.
    fn fails(&mut self, candidate: Scenario) -> bool {
        if candidate == self.best.scenario {
            return false;
        }
        self.best.runs += 1;
        let Ok(seen) = trial(self.strategy, &candidate) else {
            return false;
        };
        let Some((_, finding)) = lost(&seen, Some(&self.best.checker)) else {
            return false;
        };
        self.best.scenario = candidate;
        self.best.finding = finding;
        true
    }
}

#[cfg(test)]
mod tests;
