//! What may happen next.

use distributary::proto::NodeId;

use crate::explore::Exploration;
use crate::holder::Holder;
use crate::scope::Cargo;
use crate::state::{NODES, State, lacking};

/// One step. Nodes are named by the place that they live at, messages by their place in what was
/// ever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes for everybody.
    Tick,
    /// A request for one unit.
    Check {
        /// Where.
        at: usize,
        /// Of which key.
        key: usize,
    },
    /// A node makes a grant.
    Grant {
        /// Who.
        from: usize,
        /// For whom.
        to: usize,
        /// Of which key.
        key: usize,
        /// What.
        cargo: Cargo,
    },
    /// A grant arrives: for the first time or once more.
    Deliver {
        /// Which.
        grant: usize,
        /// Whether it was sent again after its sender had followed the view.
        again: bool,
    },
    /// Word of a grant applied arrives.
    Acknowledge {
        /// Which.
        receipt: usize,
    },
    /// A node dies.
    Crash(usize),
    /// A new life begins where one has ended.
    Restart(usize),
    /// A node says that it wants to leave.
    Leave(usize),
    /// A node proposes a view, and adopts it.
    Propose {
        /// Who.
        by: usize,
        /// Who answers: a bit for each place.
        answering: u8,
        /// Whether the dead are given up, or carried.
        evicts: bool,
        /// Which keys the proposer does not list: a bit for each.
        quiet: u8,
    },
    /// A member adopts a view.
    Adopt {
        /// Who.
        at: usize,
        /// Which of the views proposed.
        view: usize,
        /// Which keys it does not list: a bit for each.
        quiet: u8,
    },
    /// An opening of its view arrives at a member, from whoever has it.
    Open {
        /// Where.
        at: usize,
        /// Whose.
        member: NodeId,
    },
}

/// Every step that the bounds leave open. Some change nothing.
pub(crate) fn possible(model: &Exploration, state: &State, actions: &mut Vec<Action>) {
    let scope = &model.scope;
    if state.tick < scope.ticks {
        actions.push(Action::Tick);
    }
    for (at, holder) in state.living() {
        if state.spent.requests < scope.requests {
            actions.extend((0..scope.keys).map(|key| Action::Check { at, key }));
        }
        grants_of(model, state, at, actions);
        if state.spent.crashes < scope.crashes {
            actions.push(Action::Crash(at));
        }
        if state.spent.leaves < scope.leaves && !holder.ledger.is_leaving() {
            actions.push(Action::Leave(at));
        }
        for opening in lacking(state, holder) {
            let member = opening.chunks().next().map(|chunk| chunk.member);
            actions.extend(member.map(|member| Action::Open { at, member }));
        }
    }
    if state.spent.restarts < scope.restarts {
        let empty = (0..NODES).filter(|slot| state.holder(*slot).is_none());
        actions.extend(empty.map(Action::Restart));
    }
    for grant in 0..state.network.grants.len() {
        actions.extend([false, true].map(|again| Action::Deliver { grant, again }));
    }
    if scope.views > 0 {
        let receipts = 0..state.network.receipts.len();
        actions.extend(receipts.map(|receipt| Action::Acknowledge { receipt }));
    }
    views_of(model, state, actions);
}

fn grants_of(model: &Exploration, state: &State, from: usize, actions: &mut Vec<Action>) {
    if state.network.grants.len() >= model.scope.grants {
        return;
    }
    for (to, _) in state.living().filter(|(to, _)| *to != from) {
        for key in 0..model.scope.keys {
            let cargo = model.scope.cargo.iter();
            actions.extend(cargo.map(|cargo| Action::Grant {
                from,
                to,
                key,
                cargo: *cargo,
            }));
        }
    }
}

fn views_of(model: &Exploration, state: &State, actions: &mut Vec<Action>) {
    for (at, holder) in state.living() {
        let quiets = quiets(model, holder);
        let newer = |number: u64| holder.view().is_none_or(|adopted| adopted.number < number);
        for (index, view) in state.network.views.iter().enumerate() {
            if newer(view.id.number) && view.has(holder.life) {
                let adopt = |quiet: &u8| Action::Adopt {
                    at,
                    view: index,
                    quiet: *quiet,
                };
                actions.extend(quiets.iter().map(adopt));
            }
        }
        if state.network.views.len() < model.scope.views && holder.view().is_some() {
            for (answering, evicts) in audiences(model, state, at) {
                let propose = |quiet: &u8| Action::Propose {
                    by: at,
                    answering,
                    evicts,
                    quiet: *quiet,
                };
                actions.extend(quiets.iter().map(propose));
            }
        }
    }
}

/// Which sets of keys a node may leave unlisted. Who has just come has nothing to list.
fn quiets(model: &Exploration, holder: &Holder) -> Vec<u8> {
    let keys = model.scope.keys;
    let all = u8::MAX >> (8 - keys);
    if holder.view().is_none() {
        return vec![all];
    }
    let free = (0..keys).filter(|key| holder.may_be_quiet(*key));
    let free = free.fold(0, |bits, key| bits | 1 << key);
    let fits = |quiet: &u8| quiet & !free == 0;
    match model.scope.quiet {
        true => (0..=all).filter(fits).collect(),
        false => vec![0],
    }
}

/// Who may answer a proposer, and whether the dead are given up. They are only where all who hold
/// something answer: given up by a part of the cluster, those with whom they counted would be a
/// group apart, for which the ceiling is another.
fn audiences(model: &Exploration, state: &State, by: usize) -> Vec<(u8, bool)> {
    let bits = |keep: &dyn Fn(&Holder) -> bool| {
        let kept = state.living().filter(|(_, holder)| keep(holder));
        kept.fold(0_u8, |bits, (slot, _)| bits | 1 << slot)
    };
    let (everybody, holding) = (bits(&|_| true), bits(&|holder| holder.view().is_some()));
    let own = 1 << by;
    let mut audiences = Vec::new();
    for answering in (0..=everybody).filter(|bits| bits & !everybody == 0 && bits & own != 0) {
        let all_holders = answering & holding == holding;
        if all_holders || model.scope.silence {
            audiences.push((answering, false));
        }
        if all_holders && !state.dead.is_empty() {
            audiences.push((answering, true));
        }
    }
    audiences
}
