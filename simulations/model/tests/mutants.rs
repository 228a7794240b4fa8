//! Goal: what is explored are the library's own functions, and so bugs of the library show. Method:
//! in the build that has them, each bug of an account, a grant or a view is planted, and the claim
//! that it makes false is looked for within bounds that take seconds.
#![cfg(mutant)]

use distributary::mutant::{Mutant, plant};
use model::{Scope, Search, explore};

/// The bugs that show in steps which the model takes, and nothing but rows, ticks and tables hides.
const SHOWN: &[Mutant] = &[
    Mutant::GrantNotDeducted,
    Mutant::OverdraftNotDeducted,
    Mutant::DrainedAtWholeRate,
    Mutant::RoundedUp,
    Mutant::OverdraftUnlimited,
    Mutant::LevelLostWithLeaver,
    Mutant::GrantAppliedTwice,
    Mutant::LevelNotCarried,
    Mutant::RatchetLeftOut,
    Mutant::OpeningsNotAwaited,
    Mutant::MissingOverCarried,
    Mutant::MissingUnused,
    Mutant::OverdraftNotConserved,
    Mutant::AppliedGrantReturns,
];

/// The small scopes; one in which time passes; one whose leaver may say nothing of a key.
fn scopes() -> Vec<Scope> {
    let small = Scope::small();
    let named = |name| small.iter().find(|scope| scope.name == name).cloned();
    let timed = Scope {
        ticks: 1,
        ..named("grants").expect("it is there")
    };
    let quiet = Scope {
        quiet: true,
        requests: 0,
        ..named("leave").expect("it is there")
    };
    small.into_iter().chain([timed, quiet]).collect()
}

/// One test, for a bug is planted in the whole process.
#[test]
fn bugs_of_the_library_show_in_what_is_explored() {
    let mut missed = Vec::new();
    for mutant in SHOWN {
        plant(Some(*mutant));
        let shown = scopes().into_iter().find_map(|scope| {
            let outcome = explore(&scope, Search::Breadth, 1);
            let claim = outcome.broken.keys().next().copied();
            claim.map(|claim| (scope.name, claim, outcome.states))
        });
        match shown {
            Some((scope, claim, states)) => {
                println!("{}: {scope}, {states} states: {claim}", mutant.name());
            }
            None => missed.push(mutant.name()),
        }
    }
    plant(None);
    assert!(missed.is_empty(), "not shown: {missed:?}");
}
