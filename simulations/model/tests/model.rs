//! Goal: within small bounds nothing that three nodes can do breaks a claim, and each claim can
//! fail. Method: everything is explored; then the same with bugs planted between the library's
//! functions. The large bounds are `cargo simulate model`.

use model::{Planted, Scope, Search, explore, falsify};

/// INV-1, INV-3, INV-8, C1, and that healing brings the whole back.
#[test]
fn nothing_within_small_bounds_breaks_a_claim() {
    let mut states = 0;
    for scope in Scope::small() {
        let outcome = explore(&scope, Search::Depth, 1);
        let name = scope.name;
        assert!(outcome.holds(&scope), "{name}: {outcome:#?}");
        states += outcome.states;
    }
    assert!(states > 50_000, "only {states} states");
}

#[test]
fn what_is_planted_is_found() {
    for planted in Planted::ALL {
        let outcome = falsify(&Scope::showing(planted), planted.breaks());
        let found = outcome.broken.contains_key(planted.breaks());
        assert!(
            found,
            "{planted:?} does not make it false that {}",
            planted.breaks()
        );
    }
}

/// The count is of the bounds alone: neither the order of the search nor the process matters.
#[test]
fn a_scope_has_as_many_states_however_it_is_searched() {
    let scope = &Scope::small()[0];
    let counts = [Search::Breadth, Search::Depth].map(|search| explore(scope, search, 1).states);
    assert_eq!(counts[0], counts[1]);
}
