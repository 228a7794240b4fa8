//! What a step does.

use std::sync::Arc;

use distributary::proto::{Account, NodeId, View};

use crate::action::Action;
use crate::explore::Exploration;
use crate::holder::Holder;
use crate::marks::Mark;
use crate::network::{Message, Receipt};
use crate::rules::grains;
use crate::scope::Cargo;
use crate::state::{Hashed, NODES, State};

/// The state after a step; none if nothing changed.
pub(crate) fn step(model: &Exploration, state: &State, action: Action) -> Option<State> {
    let mut next = state.clone();
    match action {
        Action::Tick => next.tick(model),
        Action::Check { at, key } => next.check(model, at, key)?,
        Action::Grant {
            from,
            to,
            key,
            cargo,
        } => next.grant(model, from, to, key, cargo)?,
        Action::Deliver { grant, again } => next.deliver(model, grant, again)?,
        Action::Acknowledge { receipt } => next.acknowledge(receipt)?,
        Action::Crash(at) => next.crash(model, at)?,
        Action::Restart(at) => next.restart(model, at)?,
        Action::Leave(at) => next.leave(at)?,
        Action::Propose {
            by,
            answering,
            evicts,
            quiet,
        } => {
            let view = Arc::new(next.proposal(by, answering, evicts)?);
            next.adopt(model, by, &view, quiet)?;
            next.post(|network| network.views.push(view));
        }
        Action::Adopt { at, view, quiet } => {
            let view = Arc::clone(&next.network.views[view]);
            next.adopt(model, at, &view, quiet)?;
        }
        Action::Open { at, member } => next.open(model, at, member)?,
    }
    Some(next)
}

impl State {
    fn tick(&mut self, model: &Exploration) {
        self.tick += 1;
        let (rules, now) = (&model.scope.rules, model.scope.rules.at(self.tick));
        for slot in 0..NODES {
            let drained = self.change(slot, |holder| {
                holder.drain(now, rules);
                Some(())
            });
            debug_assert!(drained.is_some() || self.holder(slot).is_none());
        }
        for excess in &mut self.seen.excess_grains {
            *excess = (*excess - rules.regained_grains()).max(0);
        }
    }

    fn check(&mut self, model: &Exploration, at: usize, key: usize) -> Option<()> {
        let rules = &model.scope.rules;
        let in_debt = self.change(at, |holder| {
            let admitted = holder.check(key, rules);
            admitted.then(|| grains(holder.accounts[key].debt(rules.pace())) > 0)
        })?;
        model.marks.hit_if(in_debt, Mark::Overdrawn);
        let unit = rules.burst_grains() / i128::from(rules.pace().burst_units());
        self.seen.excess_grains[key] += unit;
        self.spent.requests += 1;
        Some(())
    }

    fn grant(
        &mut self,
        model: &Exploration,
        from: usize,
        to: usize,
        key: usize,
        cargo: Cargo,
    ) -> Option<()> {
        let rules = &model.scope.rules;
        let to = self.holder(to)?.life;
        let message = self.change(from, |holder| {
            let parcel = cargo.of(&holder.accounts[key], rules);
            holder.grant(to, key, parcel, rules)
        })?;
        self.post(|network| network.grants.push(Arc::new(message)));
        Some(())
    }

    fn deliver(&mut self, model: &Exploration, grant: usize, again: bool) -> Option<()> {
        let message = Arc::clone(&self.network.grants[grant]);
        if again && !self.has_followed_since(&message) {
            return None;
        }
        let at = self.slot_of(message.to)?;
        let receipt = Receipt {
            by: message.to,
            from: message.from,
            view: message.view,
            number: message.grant.number,
        };
        let taken = self.change(at, |holder| {
            let followed = message.followed || again;
            holder
                .take(&message, followed, &model.scope.rules)
                .then_some(())
        });
        let known = self.network.receipts.contains(&receipt);
        model
            .marks
            .hit_if(known && taken.is_none(), Mark::RefusedTwice);
        taken?;
        let before = Receipt {
            number: receipt.number - 1,
            ..receipt
        };
        let in_order = before.number == 0 || self.network.receipts.contains(&before);
        self.seen.misapplied |= known || !in_order;
        if !known {
            self.post(|network| network.receipts.push(receipt));
        }
        Some(())
    }

    /// Whether a sender has followed, since it made a grant, the view that it made it in.
    fn has_followed_since(&self, message: &Message) -> bool {
        let sender = self
            .slot_of(message.from)
            .and_then(|slot| self.holder(slot));
        let sender = sender.filter(|sender| sender.view() == Some(message.view));
        !message.followed && sender.is_some_and(|sender| sender.ledger.has_followed())
    }

    fn acknowledge(&mut self, receipt: usize) -> Option<()> {
        let receipt = self.network.receipts[receipt];
        let at = self.slot_of(receipt.from)?;
        self.change(at, |holder| holder.acknowledge(&receipt).then_some(()))
    }

    fn crash(&mut self, model: &Exploration, at: usize) -> Option<()> {
        let pace = model.scope.rules.pace();
        let holder = self.holder(at)?;
        let owes = holder
            .accounts
            .iter()
            .any(|account| grains(account.debt(pace)) > 0);
        model.marks.hit_if(owes, Mark::DiedInDebt);
        let life = holder.life;
        self.slots[at] = None;
        self.dead.push(life);
        self.dead.sort_unstable();
        self.spent.crashes += 1;
        Some(())
    }

    fn restart(&mut self, model: &Exploration, at: usize) -> Option<()> {
        self.spent.restarts += 1;
        let life = NodeId(NODES as u64 + u64::from(self.spent.restarts));
        let now = model.scope.rules.at(self.tick);
        self.slots[at] = Some(Hashed::new(Holder::new(life, model.scope.keys, now)));
        Some(())
    }

    fn leave(&mut self, at: usize) -> Option<()> {
        self.spent.leaves += 1;
        self.change(at, |holder| {
            holder.ledger.leave();
            Some(())
        })
    }

    fn adopt(&mut self, model: &Exploration, at: usize, view: &View, quiet: u8) -> Option<()> {
        let (rules, now) = (&model.scope.rules, model.scope.rules.at(self.tick));
        let living: Vec<_> = self.living().map(|(_, holder)| holder.life).collect();
        let (life, opening) = self.change(at, |holder| {
            let changing = holder.ledger.is_changing();
            let is_living = |node| living.contains(&node);
            let opening = holder.adopt(view, quiet, is_living, now, rules)?;
            model.marks.hit_if(changing, Mark::GivenUpHalfWay);
            model
                .marks
                .hit_if(holder.ledger.complete().is_some(), Mark::CompletedAlone);
            Some((holder.life, opening))
        })?;
        model.marks.hit_if(!view.carried.is_empty(), Mark::Carried);
        self.post(|network| network.openings.push((view.id, life, Arc::new(opening))));
        Some(())
    }

    fn open(&mut self, model: &Exploration, at: usize, member: NodeId) -> Option<()> {
        let (rules, now) = (&model.scope.rules, model.scope.rules.at(self.tick));
        let view = self.holder(at)?.view()?;
        let opening = Arc::clone(self.network.opening(view, member)?);
        let brought = self.change(at, |holder| {
            let before = holder.accounts.clone();
            let news = holder.hear(&opening, now, rules);
            news.then(|| arrived(&before, &holder.accounts))
        })?;
        model
            .marks
            .hit_if(brought.contains(&true), Mark::ArrivedUsed);
        model
            .marks
            .hit_if(brought.contains(&false), Mark::ArrivedUnused);
        let left = self
            .holder(at)
            .is_some_and(|holder| holder.ledger.has_left());
        model.marks.hit_if(left, Mark::Left);
        Some(())
    }
}

/// Of every share that has grown, whether it came used.
fn arrived(before: &[Account], after: &[Account]) -> Vec<bool> {
    let pairs = before.iter().zip(after);
    let grown = pairs.filter(|(old, new)| new.share() > old.share());
    let used = grown.map(|(old, new)| grains(new.level()) > grains(old.level()));
    used.collect()
}
