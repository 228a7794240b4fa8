//! The divergence report: does the library keep its promise where rivals lose theirs, by how much,
//! and how does anybody see it again?
//!
//! [`gather`] makes the runs and has them judged; [`document`] says in words, tables and pictures
//! what they showed. Nothing in it is written by hand that a run could contradict.

mod answer;
mod claims;
mod design;
mod divergence;
mod evidence;
mod findings;
mod over_time;
mod picture;
mod usage;

#[cfg(test)]
mod tests;

pub use evidence::{Evidence, OverTime, Partitioned, Plan, Setting, gather};

use distributary_report::{Document, Fact, Standing};

/// The report on what was gathered. `facts` are what only the caller knows: date, commit, command.
#[must_use]
pub fn document(evidence: &Evidence, facts: Vec<Fact>) -> Document {
    let sections = vec![
        design::background(),
        design::design(evidence),
        claims::results(evidence),
        findings::findings(evidence),
        divergence::divergence(evidence),
        over_time::over_time(evidence),
        usage::usage(evidence),
        answer::conclusions(evidence),
        answer::limits(),
        answer::reproduce(evidence),
    ];
    Document {
        question: "Do rate limits divided into shares keep their ceiling while the cluster is \
                   partitioned?"
            .to_owned(),
        standing: Some(standing(evidence)),
        facts,
        summary: answer::summary(evidence),
        sections,
    }
}

/// How all that was gathered stands: the worst of its claims.
#[must_use]
pub fn standing(evidence: &Evidence) -> Standing {
    let settings = evidence
        .settings
        .iter()
        .map(|setting| of_rank(setting.rank));
    let exceeded = evidence.ours().any(|run| run.exceeds);
    let partitions = if exceeded {
        Standing::Fail
    } else {
        Standing::Pass
    };
    let swarm = of_rank(evidence.swarm.rank());
    settings
        .chain([partitions, swarm])
        .max()
        .unwrap_or(Standing::Unknown)
}

const fn of_rank(rank: u8) -> Standing {
    match rank {
        0 => Standing::Pass,
        1 => Standing::Unknown,
        _ => Standing::Fail,
    }
}
