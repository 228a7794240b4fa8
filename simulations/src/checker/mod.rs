//! What a run is judged by: one file per claim, each from the history alone, none of them sharing
//! code with the library. The worst verdict is the run's; nothing checked is unknown, not passed.

mod ceiling;
mod conservation;
mod convergence;
mod coverage;
mod groups;
mod ledger;
mod liveness;
mod members;
mod monotone;
mod needless;
mod quiet;
mod rate;
mod resources;
mod room;
mod terms;
mod timeline;
mod weather;

#[cfg(test)]
pub(crate) mod reference;

use serde::{Deserialize, Serialize};

pub use ceiling::Ceiling;
pub(crate) use convergence::{MEMBERS_ALL_HEAR, TICKS_MAX, TICKS_UNHURRIED};
pub use coverage::{Coverage, Mark};
pub use ledger::{Admission, admissions};
pub use timeline::{line, notes};

use crate::verdict::Checker;
use crate::{Run, Scenario, Verdict};

/// All checkers of single runs, the gravest claim first.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(Ceiling),
        Box::new(room::Room),
        Box::new(conservation::Conservation),
        Box::new(groups::Groups),
        Box::new(rate::Rate),
        Box::new(needless::Needless),
        Box::new(liveness::Liveness),
        Box::new(monotone::Monotone),
        Box::new(convergence::Convergence),
        Box::new(quiet::Quiet),
        Box::new(resources::Bounded),
        Box::new(members::Members),
    ]
}

/// What all checkers say of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Each checker's name and verdict, in the order of [`all`].
    pub verdicts: Vec<(String, Verdict)>,
}

impl Report {
    /// The names and verdicts that rank highest; the first of them is the gravest.
    #[must_use]
    pub fn worst(&self) -> Option<&(String, Verdict)> {
        let mut worst: Option<&(String, Verdict)> = None;
        for entry in &self.verdicts {
            if worst.is_none_or(|(_, verdict)| verdict.rank() < entry.1.rank()) {
                worst = Some(entry);
            }
        }
        worst
    }

    /// The highest rank: 0 if all passed, 1 if something was never put to the test, 2 if a claim
    /// is false.
    #[must_use]
    pub fn rank(&self) -> u8 {
        self.worst().map_or(1, |(_, verdict)| verdict.rank())
    }

    /// The process's exit code: 1 if a claim is false, 0 if all that were looked at held, 3 if none
    /// was.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let ranks = || self.verdicts.iter().map(|(_, verdict)| verdict.rank());
        match (ranks().max(), ranks().min()) {
            (Some(2), _) => 1,
            (_, Some(0)) => 0,
            _ => 3,
        }
    }

    /// The verdict of a checker.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Verdict> {
        let found = self.verdicts.iter().find(|(checker, _)| checker == name);
        found.map(|(_, verdict)| verdict)
    }

    /// Those that failed.
    pub fn failed(&self) -> impl Iterator<Item = &(String, Verdict)> {
        self.verdicts
            .iter()
            .filter(|(_, verdict)| verdict.rank() == 2)
    }
}

/// Has every checker judge a run.
#[must_use]
pub fn judge_all(scenario: &Scenario, run: &Run) -> Report {
    let judged =
        |checker: Box<dyn Checker>| (checker.name().to_owned(), checker.check(scenario, run));
    Report {
        verdicts: all().into_iter().map(judged).collect(),
    }
}
