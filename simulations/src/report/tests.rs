//! Reports on strategies whose behaviour is known.

use distributary_report::{html, markdown};

use super::*;
use crate::history::{Arrival, Run};
use crate::strategy::{self, Strategy};
use crate::tables::bars::OURS;
use crate::{Scenario, swarm};

/// Another strategy under the library's name.
struct Disguised(Box<dyn Strategy + Send + Sync>);

impl Strategy for Disguised {
    fn name(&self) -> &'static str {
        OURS
    }

    fn run(&self, scenario: &Scenario, arrivals: &[Arrival]) -> Run {
        self.0.run(scenario, arrivals)
    }
}

fn disguised(name: &str) -> Vec<Box<dyn Strategy + Send + Sync>> {
    let mut all = strategy::rivals();
    let at = all
        .iter()
        .position(|strategy| strategy.name() == name)
        .expect("a rival");
    let hidden: Box<dyn Strategy + Send + Sync> = Box::new(Disguised(all.remove(at)));
    let merged = strategy::rivals()
        .into_iter()
        .filter(|rival| rival.name() == "merged");
    [hidden].into_iter().chain(merged).collect()
}

fn gathered(name: &str) -> Evidence {
    let plan = Plan {
        swarm_runs: 3,
        lengths_s: vec![1, 5],
        sizes: vec![3],
        workloads: "even-2x".to_owned(),
        ..Plan::new(1, true)
    };
    gather(plan, &disguised(name), &|_| {}).expect("it runs")
}

#[test]
fn whoever_breaks_the_ceiling_is_told_so_with_a_witness() {
    let evidence = gathered("merged");
    assert_eq!(standing(&evidence), Standing::Fail);
    assert!(evidence.ours().any(|run| run.exceeds));
    let document = document(&evidence, Vec::new());
    let page = markdown(&document);
    assert!(page.contains("**✗ fail**"), "{page}");
    assert!(page.contains("Do not rely on"), "{page}");
    assert!(!evidence.witnesses.is_empty());
    assert!(page.contains("cargo simulate replay"), "{page}");
}

#[test]
fn whoever_keeps_it_is_not_blamed_and_what_was_not_tested_is_not_passed() {
    let evidence = gathered("ideal");
    assert!(evidence.ours().all(|run| !run.exceeds));
    assert!(
        evidence
            .swarm
            .losses
            .iter()
            .all(|loss| loss.checker != "ceiling")
    );
    // Nobody looked at shares: conservation is unknown, and so is the whole.
    assert_eq!(evidence.swarm.claims["conservation"].rank(), 1);
    assert_ne!(standing(&evidence), Standing::Pass);
    let page = html(&document(&evidence, Vec::new()));
    for part in [
        "Background",
        "Test design",
        "Results",
        "Divergence",
        "Limits",
        "How to reproduce",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let longest = evidence
        .lengths
        .iter()
        .find(|run| run.strategy == "merged" && run.length_s == 5);
    assert!(
        longest.is_some_and(|run| run.overshoot_units > 100.0),
        "{longest:?}"
    );
}

#[test]
fn every_checker_has_its_words() {
    let known = claims::CLAIMS.iter().map(|(name, ..)| *name);
    let known: std::collections::BTreeSet<&str> = known.collect();
    for checker in crate::checker::all() {
        assert!(known.contains(checker.name()), "{}", checker.name());
    }
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let twice = [gathered("static"), gathered("static")];
    let [one, other] = twice.map(|evidence| markdown(&document(&evidence, Vec::new())));
    assert_eq!(one, other);
    assert_eq!(swarm::draw(1), swarm::draw(1));
}

#[test]
fn without_the_library_there_is_no_report() {
    let error = gather(Plan::new(1, true), &strategy::rivals()[..1], &|_| {});
    assert!(error.is_err_and(|error| error.to_string().contains(OURS)));
}

#[test]
fn one_partition_beyond_the_ceiling_is_enough_to_fail() {
    let mut evidence = gathered("ideal");
    evidence.swarm.claims.clear();
    let without = standing(&evidence);
    evidence.lengths[0].exceeds = true;
    assert_eq!(evidence.lengths[0].strategy, OURS);
    assert_eq!(
        (without, standing(&evidence)),
        (Standing::Unknown, Standing::Fail)
    );
    let page = markdown(&document(&evidence, Vec::new()));
    assert!(
        page.contains("the ceiling was broken in a known world"),
        "{page}"
    );
}

#[test]
fn whoever_breaks_the_ceiling_is_never_the_best() {
    let mut evidence = gathered("ideal");
    let page = |evidence: &Evidence| markdown(&document(evidence, Vec::new()));
    assert!(page(&evidence).contains("| `even-2x` | **1.000** |"));
    for row in &mut evidence.rows {
        row.exceeds = row.strategy == OURS;
    }
    let broken = page(&evidence);
    assert!(broken.contains("| `even-2x` | 1.000 † | **"), "{broken}");
}
