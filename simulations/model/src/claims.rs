//! What must hold in every state, and what must come about in some.

use distributary::proto::Share;
use stateright::Property;

use crate::explore::Exploration;
use crate::healing;
use crate::rules::grains;
use crate::scope::Scope;
use crate::state::State;

/// INV-1: shares of the burst, of the rate and rights of overdraft, with those on their way.
pub const SHARES: &str = "shares sum to at most one";

/// C1: what was admitted since any moment.
pub const CEILING: &str = "what is admitted is within the ceiling";

/// What the proof of C1 rests on: what was admitted since any moment, and what could be at once
/// on all that everybody holds. A debt that is lost shows here, before anybody has made use of it.
pub const CONSERVED: &str = "what is and could be admitted is within the ceiling";

/// INV-3.
pub const ONCE: &str = "grants are applied once and in order";

/// INV-8.
pub const OVERDRAFT: &str = "no account is below its right of overdraft";

/// Whatever has happened: when the living hear each other again, the whole is there to be held.
pub const HEALS: &str = "after healing the living hold the whole";

/// The same, come about by itself.
pub const WHOLE_AGAIN: &str = "the living hold the whole after a death";

/// The claims about a scope.
pub(crate) fn of(scope: &Scope) -> Vec<Property<Exploration>> {
    let mut claims = vec![
        Property::always(SHARES, |model: &Exploration, state| {
            keys(model).all(|key| shares_fit(model, state, key))
        }),
        Property::always(CEILING, |model: &Exploration, state: &State| {
            let ceiling = model.scope.rules.ceiling_grains();
            state
                .seen
                .excess_grains
                .iter()
                .all(|excess| *excess <= ceiling)
        }),
        Property::always(CONSERVED, |model, state| {
            keys(model).all(|key| is_conserved(model, state, key))
        }),
        Property::always(ONCE, |_, state: &State| !state.seen.misapplied),
        Property::always(OVERDRAFT, overdrafts_hold),
        Property::always(HEALS, healing::heals),
    ];
    if scope.crashes > 0 && scope.views > 0 {
        claims.push(Property::sometimes(
            WHOLE_AGAIN,
            |model: &Exploration, state: &State| !state.dead.is_empty() && is_whole(model, state),
        ));
    }
    claims
}

fn keys(model: &Exploration) -> impl Iterator<Item = usize> + use<> {
    0..model.scope.keys
}

fn shares_fit(model: &Exploration, state: &State, key: usize) -> bool {
    let (whole, sums) = (u128::from(Share::WHOLE.parts()), state.sums(key));
    let rights = u128::from(model.scope.rules.overshoot.right().parts());
    sums.share <= whole && sums.rate <= whole && sums.overdraft <= rights
}

fn is_conserved(model: &Exploration, state: &State, key: usize) -> bool {
    let rules = &model.scope.rules;
    let could = state.sums(key).left(rules);
    state.seen.excess_grains[key] + could <= rules.ceiling_grains()
}

fn overdrafts_hold(model: &Exploration, state: &State) -> bool {
    let rules = &model.scope.rules;
    let mut accounts = state.living().flat_map(|(_, holder)| &holder.accounts);
    accounts.all(|account| {
        let room = rules.worth(account.share()) + rules.worth(account.overdraft());
        grains(account.level()) <= room
    })
}

/// Whether the living hold all of every key, with nothing on its way.
pub(crate) fn is_whole(model: &Exploration, state: &State) -> bool {
    let rights = u128::from(model.scope.rules.overshoot.right().parts());
    let whole = u128::from(Share::WHOLE.parts());
    let all = |key| {
        let sums = state.sums(key);
        sums.share == whole && sums.rate == whole && sums.overdraft == rights
    };
    state.in_flight().next().is_none() && keys(model).all(all)
}
