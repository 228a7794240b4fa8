//! Planted bugs, and which checker finds each: what the checkers are worth.
//!
//! A bug counts as caught by a checker at a seed if the drawn run fails that checker with the bug
//! planted, and passes it without.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::Result;
use distributary::mutant::{Mutant, plant};
use serde::{Deserialize, Serialize};

use crate::checker::Report;
use crate::strategy::Shares;
use crate::swarm::{draw, first_of};
use crate::trial::{PANIC, trial};

/// Which checker has caught a bug, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caught {
    /// The bug.
    pub mutant: String,
    /// The checker's name.
    pub oracle: String,
    /// The swarm's seed.
    pub seed: u64,
    /// How many runs it took from the seed that the search began at.
    pub runs: u64,
}

/// All of them: the form of the committed table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The bugs, in their order.
    pub caught: Vec<Caught>,
}

/// Claims of which a single run may say little: what is fair weather enough for them to hold is a
/// matter of judgement, and a bug that changes the course of a run changes that, too.
const SOFT: &[&str] = &["needless", "convergence", "quiet", "members"];

/// Bugs that break none of the hard claims, and which of the others they are to be caught by.
const CAUGHT_SOFTLY: &[(Mutant, &str)] = &[(Mutant::RowsKept, "quiet")];

/// Whether a checker may be what catches a bug.
fn may_catch(oracle: &str, mutant: Mutant) -> bool {
    let hard = oracle != PANIC && !SOFT.contains(&oracle);
    hard || CAUGHT_SOFTLY.contains(&(mutant, oracle))
}

/// Looks for the first seed at which a bug is caught.
#[derive(Debug)]
pub struct Search {
    threads: usize,
    /// What the checkers say of runs without a bug, by seed: the same for all bugs.
    sound: BTreeMap<u64, Report>,
}

impl Search {
    /// On so many threads.
    #[must_use]
    pub const fn new(threads: usize) -> Self {
        Self {
            threads,
            sound: BTreeMap::new(),
        }
    }

    /// The first of so many seeds from `first` on at which `mutant` is caught, by the gravest
    /// checker of those that catch it there; only by `oracle` if one is given.
    ///
    /// # Errors
    /// A seed whose arrivals can't be drawn.
    pub fn of(
        &mut self,
        mutant: Mutant,
        (first, runs): (u64, u64),
        oracle: Option<&str>,
    ) -> Result<Option<Caught>> {
        let mut looked = 0;
        while looked < runs {
            let range = (first.wrapping_add(looked), runs - looked);
            let Some((seed, failed)) = self.first_failed(mutant, range, oracle)? else {
                return Ok(None);
            };
            looked = seed.wrapping_sub(first) + 1;
            let sound = self.sound(seed)?;
            let passes = |name: &&String| sound.of(name).is_some_and(|of| of.rank() == 0);
            if let Some(oracle) = failed.iter().find(passes) {
                return Ok(Some(Caught {
                    mutant: mutant.name().to_owned(),
                    oracle: oracle.clone(),
                    seed,
                    runs: looked,
                }));
            }
        }
        Ok(None)
    }

    /// The first seed at which a claim is false with a bug planted, and which claims are.
    fn first_failed(
        &self,
        mutant: Mutant,
        range: (u64, u64),
        oracle: Option<&str>,
    ) -> Result<Option<(u64, Vec<String>)>> {
        let asked = |name: &str| match oracle {
            Some(oracle) => name == oracle,
            None => may_catch(name, mutant),
        };
        plant(Some(mutant));
        let found = first_of(range, self.threads, |seed| {
            let report = report(seed)?;
            let failed = report.failed().map(|(name, _)| name.clone());
            let failed: Vec<String> = failed.filter(|name| asked(name)).collect();
            Ok((!failed.is_empty()).then_some(failed))
        });
        plant(None);
        found
    }

    /// What the checkers say of a run without a bug.
    fn sound(&mut self, seed: u64) -> Result<&Report> {
        Ok(match self.sound.entry(seed) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(report(seed)?),
        })
    }
}

fn report(seed: u64) -> Result<Report> {
    Ok(trial(&Shares, &draw(seed))?.report)
}
