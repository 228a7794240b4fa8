//! One life of one node: what it keeps, and the steps it takes.
//!
//! Every rule is the library's own: [`Account`], [`Outbox`], [`AppliedClock`], [`Ledger`], `propose`,
//! `settle`. What stands here is the order in which `proto::Node` and its table call them, without
//! clocks, sockets and patience: anything may happen at any time that no rule forbids.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use distributary::proto::parts::{
    Adoption, AppliedClock, Fullness, Opening, Outbox, Pending, Report, Settlement, Statement,
    settle,
};
use distributary::proto::{
    Account, Amount, KeyId, Ledger, Listed, NodeId, Parcel, Share, UnitsTime, View, ViewId,
};

use crate::network::{Message, Receipt};
use crate::planted::Planted;
use crate::rules::Rules;

/// A node as long as it lives.
#[derive(Clone, Debug)]
pub struct Holder {
    pub(crate) life: NodeId,
    pub(crate) ledger: Ledger,
    /// What it holds of quiet keys: share and right of overdraft.
    pub(crate) base: Share,
    pub(crate) rights: Share,
    /// By key. A key that is as a quiet one would be may be listed or not.
    pub(crate) accounts: Vec<Account>,
    pub(crate) outboxes: BTreeMap<NodeId, Outbox>,
    pub(crate) applied: AppliedClock,
}

/// Two holders are one state if they do the same from here on: how much ever went in and out of
/// an account makes no difference, only how full it is.
impl Hash for Holder {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.life.hash(hasher);
        self.ledger.hash(hasher);
        (self.base, self.rights).hash(hasher);
        for account in &self.accounts {
            (account.share(), account.rate(), account.overdraft()).hash(hasher);
            account.level().hash(hasher);
        }
        for (to, outbox) in &self.outboxes {
            // Nothing was sent to who has an empty outbox that was never used.
            if outbox.last() > 0 {
                (to, outbox).hash(hasher);
            }
        }
        self.applied.hash(hasher);
    }
}

impl Holder {
    /// A node that has just come to life.
    pub(crate) fn new(life: NodeId, keys: usize, now: UnitsTime) -> Self {
        let nothing = Account::open(Share::NONE, Share::NONE, Amount::ZERO, now);
        Self {
            life,
            ledger: Ledger::new(life, false),
            base: Share::NONE,
            rights: Share::NONE,
            accounts: vec![nothing; keys],
            outboxes: BTreeMap::new(),
            applied: AppliedClock::default(),
        }
    }

    /// Time has passed.
    pub(crate) fn drain(&mut self, now: UnitsTime, rules: &Rules) {
        for account in &mut self.accounts {
            account.drain(now, rules.pace());
        }
    }

    /// A request for one unit. Rows could only forbid an overdraft: here they never do.
    pub(crate) fn check(&mut self, key: usize, rules: &Rules) -> bool {
        let account = &mut self.accounts[key];
        let cost = Amount::from_units(1);
        account.admit_owned(cost, rules.pace()) || account.admit_overdrawn(cost, rules.pace())
    }

    /// Where it stands, as it would say it now.
    pub(crate) fn report(&self) -> Report {
        self.ledger.clone().report()
    }

    // --- Grants ---

    /// Whether a node counts with this one in its adopted view, and stays.
    fn is_fellow(&self, node: NodeId) -> bool {
        let member = self.ledger.adopted().and_then(|view| view.member(node));
        member.is_some_and(|member| !member.after.is_none())
    }

    /// Makes a grant, if it may.
    pub(crate) fn grant(
        &mut self,
        to: NodeId,
        key: usize,
        parcel: Parcel,
        rules: &Rules,
    ) -> Option<Message> {
        let view = self.ledger.adopted_id().filter(|_| self.is_fellow(to))?;
        let before = self.accounts[key];
        if parcel == Parcel::default() || !self.accounts[key].grant(parcel, rules.pace()) {
            return None;
        }
        if rules.has(Planted::GivenAndKept) {
            self.accounts[key] = before;
        }
        let outbox = self.outboxes.entry(to).or_default();
        outbox.push(rules.policy().id, key_id(key), parcel);
        Some(Message {
            from: self.life,
            to,
            view,
            followed: self.ledger.has_followed(),
            grant: *outbox.pending().last()?,
        })
    }

    /// A grant arrives. `followed` is what the sender says of itself with it.
    pub(crate) fn take(&mut self, message: &Message, followed: bool, rules: &Rules) -> bool {
        let counts = |view: &View| {
            let same = view.id == message.view || rules.has(Planted::GrantKeptAcrossViews);
            same && view.has(message.from)
        };
        if !self.ledger.adopted().is_some_and(counts) || !self.is_fellow(self.life) {
            return false;
        }
        let number = message.grant.number;
        if !self.applied.is_next(message.from, number) && !self.takes_again(message, rules) {
            return false;
        }
        let carried = message.grant.parcel();
        let level = match rules.has(Planted::ArrivesEmpty) {
            true => Amount::ZERO,
            false => carried.level,
        };
        self.accounts[index_of(message.grant.key)].apply(Parcel { level, ..carried });
        self.applied.advance(message.from);
        if followed {
            self.ledger.took_grant();
        }
        true
    }

    fn takes_again(&self, message: &Message, rules: &Rules) -> bool {
        rules.has(Planted::TakenAgain) && message.grant.number <= self.applied.of(message.from)
    }

    /// Word that a grant was applied arrives.
    pub(crate) fn acknowledge(&mut self, receipt: &Receipt) -> bool {
        let same = |view: &View| view.id == receipt.view && view.has(receipt.by);
        let current = self.ledger.adopted().is_some_and(same);
        let outbox = self.outboxes.get_mut(&receipt.by).filter(|_| current);
        outbox.is_some_and(|outbox| outbox.acknowledge(receipt.number))
    }

    // --- Views ---

    /// Whether a key need not be listed: it is as a quiet one would be, and no grant of it is out.
    pub(crate) fn may_be_quiet(&self, key: usize) -> bool {
        let account = &self.accounts[key];
        let at_base = account.share() == self.base && account.rate() == self.base;
        let mut pending = self.outboxes.values().flat_map(Outbox::pending);
        at_base
            && account.overdraft() == self.rights
            && !pending.any(|grant| grant.key == key_id(key))
    }

    /// Adopts a view, if it may: lowers what is held, and opens. Bit `k` of `quiet` is set if key
    /// `k` is not listed.
    pub(crate) fn adopt(
        &mut self,
        view: &View,
        quiet: u8,
        is_living: impl Fn(NodeId) -> bool,
        now: UnitsTime,
        rules: &Rules,
    ) -> Option<Opening> {
        let is_quiet = |key: usize| quiet & 1 << key != 0;
        let fits = (0..self.accounts.len()).all(|key| !is_quiet(key) || self.may_be_quiet(key));
        let former = self.ledger.adopted_id();
        if !fits || self.ledger.adopt(view, is_living) != Adoption::Adopted {
            return None;
        }
        let pending = self.take_pending(view);
        let fullness = self.freeze(quiet, now, rules);
        let listed = self.list(view, quiet, rules);
        let applied = std::mem::take(&mut self.applied);
        let applied = applied.all().filter(|(from, _)| view.has(*from));
        let statement = Statement {
            base: former,
            applied: match rules.has(Planted::TakenAndReturned) {
                true => BTreeMap::new(),
                false => applied.collect(),
            },
            fullness: fullness
                .map(|full| (rules.policy().id, full))
                .into_iter()
                .collect(),
            listed,
            pending,
        };
        let opening = Opening::of(view.id, self.life, statement);
        self.ledger.open(opening.clone());
        self.complete(now, rules);
        Some(opening)
    }

    fn take_pending(&mut self, view: &View) -> Vec<Pending> {
        let outboxes = std::mem::take(&mut self.outboxes);
        let taken = outboxes.iter().flat_map(|(to, outbox)| {
            outbox.pending().map(|grant| Pending {
                to: *to,
                number: grant.number,
                listed: Listed {
                    limit: grant.limit,
                    key: grant.key,
                    parcel: grant.parcel(),
                },
            })
        });
        taken.filter(|pending| view.has(pending.to)).collect()
    }

    /// Lowers what is held of quiet keys; says how full they were at most, if something was left
    /// behind. That is `Table::freeze`, for accounts.
    fn freeze(&mut self, quiet: u8, now: UnitsTime, rules: &Rules) -> Option<Fullness> {
        let base = self.base.min(self.ledger.weight());
        let rights = self.rights.min(rules.rights_of(base));
        let shrinks = base < self.base;
        let mut fullest = Fullness::EMPTY;
        for key in (0..self.accounts.len()).filter(|key| quiet & 1 << key != 0) {
            let full = self.fullness(key, rules);
            fullest = fullest.max(full);
            if shrinks && !rules.has(Planted::OpenedWithoutLowering) {
                let level = full.level(base, rules.pace());
                self.accounts[key] = Account::open(base, rights, level, now);
            }
        }
        (self.base, self.rights) = (base, rights);
        shrinks.then_some(fullest)
    }

    fn fullness(&self, key: usize, rules: &Rules) -> Fullness {
        let account = &self.accounts[key];
        let quanta = rules.pace().quanta_ceil(account.level(), account.share());
        Fullness::of_quanta(quanta.unwrap_or(u64::MAX), rules.pace())
    }

    /// Lists what is not quiet; who leaves gives up all of it.
    fn list(&mut self, view: &View, quiet: u8, rules: &Rules) -> Vec<Listed> {
        let leaves = view
            .member(self.life)
            .is_some_and(|own| own.after.is_none());
        let mut listed = Vec::new();
        for (key, account) in self.accounts.iter_mut().enumerate() {
            if quiet & 1 << key != 0 {
                continue;
            }
            let room = account.room(rules.pace());
            let mut parcel = match leaves {
                true => account.close(),
                false => Parcel {
                    overdraft: account.overdraft(),
                    ..account.all()
                },
            };
            if leaves && rules.has(Planted::DebtLostByItsLeaver) {
                parcel.level = parcel.level.min(room);
            }
            listed.push(Listed {
                limit: rules.policy().id,
                key: key_id(key),
                parcel,
            });
        }
        listed
    }

    /// An opening arrives, by whatever hands; with the last one the view is complete.
    pub(crate) fn hear(&mut self, opening: &Opening, now: UnitsTime, rules: &Rules) -> bool {
        let mut news = false;
        for chunk in opening.chunks() {
            news |= self.ledger.add_chunk(chunk.clone());
        }
        if news {
            self.complete(now, rules);
        }
        news
    }

    fn complete(&mut self, now: UnitsTime, rules: &Rules) {
        let early = rules.has(Planted::TakenBeforeAllHaveOpened) && self.ledger.is_changing();
        let settlement = match self.ledger.ready() {
            Some((view, openings)) => self.settled(view, openings, rules),
            None if early => {
                let Some(view) = self.ledger.adopted() else {
                    return;
                };
                let heard = |node| Some((node, self.ledger.opening(node)?.clone()));
                self.settled(view, &view.nodes().filter_map(heard).collect(), rules)
            }
            None => return,
        };
        self.install(&settlement, now, rules);
        self.ledger.finish();
    }

    fn settled(
        &self,
        view: &View,
        openings: &BTreeMap<NodeId, Opening>,
        rules: &Rules,
    ) -> Settlement {
        settle(self.life, view, openings, &rules.policies, rules.overshoot)
    }

    /// Installs what a complete view brings, as the table does: to keys that somebody lists what
    /// was settled, to the others what they grow by.
    fn install(&mut self, settlement: &Settlement, now: UnitsTime, rules: &Rules) {
        self.drain(now, rules);
        let grown = settlement.base.saturating_sub(self.base);
        let growth = settlement.growth.first().copied().unwrap_or(Fullness::FULL);
        let unlisted = Parcel {
            share: grown,
            rate: grown,
            overdraft: settlement.overdraft.saturating_sub(self.rights),
            level: growth.level(grown, rules.pace()),
        };
        for (key, account) in self.accounts.iter_mut().enumerate() {
            let listed = settlement.listed.get(&key_id(key));
            let mut parcel = listed.map_or(unlisted, |(_, parcel)| *parcel);
            if rules.has(Planted::DebtLostWithItsNode) {
                let room = Amount::share_of_units(parcel.share, rules.pace().burst_units());
                parcel.level = parcel.level.min(room);
            }
            account.apply(parcel);
        }
        (self.base, self.rights) = (settlement.base, settlement.overdraft);
    }

    /// The view that it counts with, adopted or complete.
    pub(crate) fn view(&self) -> Option<ViewId> {
        self.ledger.adopted_id()
    }
}

pub(crate) fn key_id(key: usize) -> KeyId {
    KeyId(key as u128)
}

fn index_of(key: KeyId) -> usize {
    usize::try_from(key.0).expect("made by key_id")
}
