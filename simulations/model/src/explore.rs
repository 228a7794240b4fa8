//! Explores all that a scope allows, and says what held.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

use crate::action::{self, Action};
use crate::claims;
use crate::marks::{Mark, Marks};
use crate::scope::Scope;
use crate::state::State;
use crate::steps;

/// A scope as `stateright` explores it.
#[derive(Clone, Debug)]
pub struct Exploration {
    pub(crate) scope: Scope,
    pub(crate) marks: Arc<Marks>,
}

impl Model for Exploration {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::founded(self.scope.keys, &self.scope.rules)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        action::possible(self, state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        steps::step(self, state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        claims::of(&self.scope)
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// What is near first: the way to a false claim is as short as can be.
    Breadth,
    /// What is far first: takes much less memory.
    Depth,
}

/// What came of an exploration.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Distinct states that were looked at.
    pub states: usize,
    /// Steps that were taken, those that led to a known state too.
    pub steps: usize,
    /// Steps of the longest shortest way to a state.
    pub depth: usize,
    /// Claims that are false, each with the steps that show it.
    pub broken: BTreeMap<&'static str, Vec<String>>,
    /// What should have come about at some time, and did not.
    pub unseen: Vec<&'static str>,
    /// What the exploration came across.
    pub marks: Vec<Mark>,
}

impl Outcome {
    /// What of a scope's marks was not come across.
    #[must_use]
    pub fn missed(&self, scope: &Scope) -> Vec<Mark> {
        let missed = scope.must.iter().filter(|mark| !self.marks.contains(mark));
        missed.copied().collect()
    }

    /// Whether every claim held, and everything was seen that should be.
    #[must_use]
    pub fn holds(&self, scope: &Scope) -> bool {
        self.broken.is_empty() && self.unseen.is_empty() && self.missed(scope).is_empty()
    }
}

/// Explores a scope in whole, or until a claim is false.
#[must_use]
pub fn explore(scope: &Scope, search: Search, threads: usize) -> Outcome {
    explore_until(scope, search, threads, HasDiscoveries::AnyFailures)
}

/// Looks for the nearest states in which one claim is false, whatever else is.
#[must_use]
pub fn falsify(scope: &Scope, claim: &'static str) -> Outcome {
    explore_until(
        scope,
        Search::Breadth,
        1,
        HasDiscoveries::AllOf([claim].into()),
    )
}

fn explore_until(scope: &Scope, search: Search, threads: usize, found: HasDiscoveries) -> Outcome {
    let model = Exploration {
        scope: scope.clone(),
        marks: Arc::default(),
    };
    let marks = Arc::clone(&model.marks);
    let properties = model.properties();
    let checker = model.checker().threads(threads).finish_when(found);
    match search {
        Search::Breadth => outcome(&checker.spawn_bfs().join(), &properties, &marks),
        Search::Depth => outcome(&checker.spawn_dfs().join(), &properties, &marks),
    }
}

fn outcome(
    checker: &impl Checker<Exploration>,
    properties: &[Property<Exploration>],
    marks: &Marks,
) -> Outcome {
    let found = checker.discoveries();
    let sometimes = properties
        .iter()
        .filter(|property| matches!(property.expectation, Expectation::Sometimes));
    let sometimes: Vec<_> = sometimes.map(|property| property.name).collect();
    let is_claim = |name: &&str| !sometimes.contains(name);
    Outcome {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        broken: found
            .iter()
            .filter(|(name, _)| is_claim(name))
            .map(|(name, path)| (*name, told(path.clone())))
            .collect(),
        unseen: sometimes
            .iter()
            .filter(|name| !found.contains_key(**name))
            .copied()
            .collect(),
        marks: marks.hit(),
    }
}

fn told(path: Path<State, Action>) -> Vec<String> {
    let actions = path.into_actions().into_iter();
    actions.map(|action| format!("{action:?}")).collect()
}
