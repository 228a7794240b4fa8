//! From any state: the weather clears, everybody hears everybody, and the dead are given up.

use crate::action::Action;
use crate::claims;
use crate::explore::Exploration;
use crate::state::{State, lacking};
use crate::steps;

/// Views that it may take: one that was proposed from old reports is refused, and the next is not.
const VIEWS_MAX: usize = 4;

/// Rounds in which everything under way arrives once: a few are enough, unless something that has
/// arrived can arrive for ever.
const ROUNDS_MAX: usize = 16;

/// Whether a fair schedule leads from here to where the living hold the whole.
pub(crate) fn heals(model: &Exploration, state: &State) -> bool {
    let mut state = state.clone();
    // What only happens while healing is not come across.
    let model = &Exploration {
        scope: model.scope.clone(),
        marks: std::sync::Arc::default(),
    };
    for _ in 0..VIEWS_MAX {
        deliver_all(model, &mut state);
        if claims::is_whole(model, &state) {
            return true;
        }
        if !change_view(model, &mut state) {
            return false;
        }
    }
    deliver_all(model, &mut state);
    claims::is_whole(model, &state)
}

/// Takes a step, if it changes anything.
fn advance(model: &Exploration, state: &mut State, action: Action) -> bool {
    let next = steps::step(model, state, action);
    let changed = next.is_some();
    if let Some(next) = next {
        *state = next;
    }
    changed
}

/// Grants, acknowledgements and openings arrive until nothing is left to arrive.
fn deliver_all(model: &Exploration, state: &mut State) {
    for _ in 0..ROUNDS_MAX {
        let grants = 0..state.network.grants.len();
        let grants = grants.map(|grant| Action::Deliver {
            grant,
            again: false,
        });
        let receipts = 0..state.network.receipts.len();
        let receipts = receipts.map(|receipt| Action::Acknowledge { receipt });
        let openings: Vec<_> = state
            .living()
            .flat_map(|(at, holder)| {
                let members = lacking(state, holder).into_iter();
                let members = members.filter_map(|opening| Some(opening.chunks().next()?.member));
                members.map(move |member| Action::Open { at, member })
            })
            .collect();
        let arrivals: Vec<_> = grants.chain(receipts).chain(openings).collect();
        let mut changed = false;
        for arrival in arrivals {
            changed |= advance(model, state, arrival);
        }
        if !changed {
            return;
        }
    }
}

/// The first who may proposes a view of all the living without the dead, and all adopt it.
fn change_view(model: &Exploration, state: &mut State) -> bool {
    let living: Vec<_> = state.living().map(|(at, _)| at).collect();
    let answering = living.iter().fold(0_u8, |bits, at| bits | 1 << at);
    let proposed = living.iter().any(|by| {
        let propose = Action::Propose {
            by: *by,
            answering,
            evicts: true,
            quiet: 0,
        };
        advance(model, state, propose)
    });
    let newest = state.network.views.len().saturating_sub(1);
    for at in living {
        let adopt = Action::Adopt {
            at,
            view: newest,
            quiet: 0,
        };
        let _adopted = advance(model, state, adopt);
    }
    proposed
}
