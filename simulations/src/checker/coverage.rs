//! Whether a swarm went where bugs live: each named rare branch is taken in at least one run of a
//! hundred. Judged over a whole swarm; a single run can't show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Finding, Run, Verdict};

/// So many thousandths of all runs have to take each branch.
const RUNS_MILLI_MIN: u64 = 10;
/// Fewer runs than these show nothing about one in a hundred: a branch that is taken in one run of
/// fifty is then missed too often by chance.
const RUNS_MIN: u64 = 2_000;

/// What a swarm covered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Runs counted.
    pub runs: u64,
    /// In how many of them each branch was taken.
    pub hits: BTreeMap<String, u64>,
}

/// A rare branch, and in what part of the runs it was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// In so many runs.
    pub runs: u64,
    /// In so many thousandths of all.
    pub milli: u64,
}

impl Coverage {
    /// Which branches there are: one that is never taken has to be known to be missed.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        let hits = names.iter().map(|name| ((*name).to_owned(), 0)).collect();
        Self { runs: 0, hits }
    }

    /// Counts a run.
    pub fn add(&mut self, run: &Run) {
        self.add_marks(&run.marks);
    }

    /// Counts a run by its marks.
    pub fn add_marks(&mut self, marks: &BTreeMap<String, u64>) {
        self.runs += 1;
        for (name, times) in marks {
            *self.hits.entry(name.clone()).or_default() += u64::from(*times > 0);
        }
    }

    /// All branches, the rarest first.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let mark = |(name, runs): (&String, &u64)| Mark {
            name: name.clone(),
            runs: *runs,
            milli: runs * 1000 / self.runs.max(1),
        };
        let mut marks: Vec<Mark> = self.hits.iter().map(mark).collect();
        marks.sort_by_key(|mark| mark.runs);
        marks
    }

    /// Whether each was taken often enough.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let marks = self.marks();
        let Some(rarest) = marks.first().filter(|_| self.runs >= RUNS_MIN) else {
            return Verdict::Unknown(format!("{} runs, {} marks", self.runs, marks.len()));
        };
        let rare = marks
            .iter()
            .filter(|mark| mark.runs * 1000 < self.runs * RUNS_MILLI_MIN);
        let names: Vec<&str> = rare.map(|mark| mark.name.as_str()).collect();
        let measured = rarest.runs as f64 / self.runs as f64;
        let bound = RUNS_MILLI_MIN as f64 / 1000.0;
        let text = if names.is_empty() {
            format!(
                "the rarest of {} marks, {}, in {measured:.4} of runs",
                marks.len(),
                rarest.name
            )
        } else {
            format!("too rare: {}", names.join(", "))
        };
        let finding = Finding {
            text,
            measured,
            bound,
            unit: "of runs".to_owned(),
            slack: measured - bound,
            ..Finding::default()
        };
        if names.is_empty() {
            Verdict::Pass(finding)
        } else {
            Verdict::Fail(finding)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_in_fewer_than_one_run_of_a_hundred_is_named() {
        let mut coverage = Coverage::of(&["seldom", "never"]);
        for run in 0..2_400u64 {
            coverage.add_marks(&BTreeMap::from([(
                "seldom".to_owned(),
                u64::from(run % 100 == 0),
            )]));
            if run == 1_200 {
                assert_eq!(coverage.verdict().rank(), 1, "too few runs");
            }
        }
        let Verdict::Fail(finding) = coverage.verdict() else {
            panic!("never was never taken")
        };
        assert!(finding.text.contains("never") && !finding.text.contains("seldom"));
        coverage.add_marks(&BTreeMap::from([("never".to_owned(), 1)]));
        coverage.hits.insert("never".to_owned(), 25);
        assert_eq!(
            coverage.verdict().rank(),
            2,
            "24 of 2,401 is less than one in a hundred"
        );
        coverage.hits.insert("seldom".to_owned(), 25);
        assert_eq!(coverage.verdict().rank(), 0);
    }
}
