//! All of the world at one moment: three nodes, the network, and what an observer knows.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use distributary::proto::parts::{Candidate, Opening, Report, propose};
use distributary::proto::{Account, Amount, NodeId, Share, View};

use crate::holder::Holder;
use crate::network::{Message, Network};
use crate::rules::{Rules, grains};

/// Nodes of the world, alive or not.
pub const NODES: usize = 3;

/// Something that is hashed once and shared by all states that have it.
#[derive(Clone, Debug)]
pub(crate) struct Hashed<T> {
    hash: u64,
    value: Arc<T>,
}

impl<T: Hash> Hashed<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            hash: hash_of(&value),
            value: Arc::new(value),
        }
    }
}

impl<T> std::ops::Deref for Hashed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// The same in every process.
pub(crate) fn hash_of<T: Hash>(value: &T) -> u64 {
    ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(value)
}

/// One state.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) tick: u8,
    pub(crate) slots: [Option<Hashed<Holder>>; NODES],
    pub(crate) network: Hashed<Network>,
    /// Lives that have ended.
    pub(crate) dead: Vec<NodeId>,
    pub(crate) seen: Seen,
    pub(crate) spent: Spent,
}

/// What an observer knows who hears of admissions and of grants applied, and of nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// By key, how far what was admitted is above what the rate allows since the worst moment to
    /// begin counting: the level of one ideal bucket, in grains.
    pub(crate) excess_grains: Vec<i128>,
    /// Whether some grant was applied more than once, or before its predecessor.
    pub(crate) misapplied: bool,
}

/// How much of the bounds is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) requests: u8,
    pub(crate) crashes: u8,
    pub(crate) restarts: u8,
    pub(crate) leaves: u8,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.tick.hash(hasher);
        for slot in &self.slots {
            slot.as_ref().map(|holder| holder.hash).hash(hasher);
        }
        self.network.hash.hash(hasher);
        self.dead.hash(hasher);
        self.seen.hash(hasher);
        self.spent.hash(hasher);
    }
}

/// As far as the hash tells.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        hash_of(self) == hash_of(other)
    }
}

impl State {
    /// Three nodes that have founded a cluster by the library's own rules.
    pub(crate) fn founded(keys: usize, rules: &Rules) -> Self {
        let now = rules.at(0);
        let lives = || (1..=NODES as u64).map(NodeId);
        let mut holders: Vec<_> = lives().map(|life| Holder::new(life, keys, now)).collect();
        let reports: Vec<_> = holders.iter().map(Holder::report).collect();
        let candidates: Vec<_> = lives()
            .zip(&reports)
            .map(|(node, report)| Candidate { node, report })
            .collect();
        let view = propose(NodeId(1), &candidates, &[], &[]).expect("three nodes found a cluster");
        let quiet = u8::MAX >> (8 - keys);
        let adopt = |holder: &mut Holder| {
            let opening = holder.adopt(&view, quiet, |_| true, now, rules);
            opening.expect("a new node adopts the founding view")
        };
        let openings: Vec<_> = holders.iter_mut().map(adopt).collect();
        for holder in &mut holders {
            for opening in &openings {
                let _own = holder.hear(opening, now, rules);
            }
        }
        let mut slots = holders.into_iter().map(|holder| Some(Hashed::new(holder)));
        Self {
            tick: 0,
            slots: std::array::from_fn(|_| slots.next().flatten()),
            network: Hashed::new(Network::default()),
            dead: Vec::new(),
            seen: Seen {
                excess_grains: vec![0; keys],
                misapplied: false,
            },
            spent: Spent::default(),
        }
    }

    pub(crate) fn holder(&self, slot: usize) -> Option<&Holder> {
        self.slots[slot].as_deref()
    }

    /// Who lives, with the place they live at.
    pub(crate) fn living(&self) -> impl Iterator<Item = (usize, &Holder)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, holder)| Some((slot, holder.as_deref()?)))
    }

    pub(crate) fn slot_of(&self, life: NodeId) -> Option<usize> {
        let mut living = self.living();
        living
            .find(|(_, holder)| holder.life == life)
            .map(|(slot, _)| slot)
    }

    /// Changes one node, if it lives and the change says that it did something.
    pub(crate) fn change<T>(
        &mut self,
        slot: usize,
        change: impl FnOnce(&mut Holder) -> Option<T>,
    ) -> Option<T> {
        let mut holder = self.holder(slot)?.clone();
        let done = change(&mut holder)?;
        self.slots[slot] = Some(Hashed::new(holder));
        Some(done)
    }

    /// Changes what is under way. Kept in order, so that who spoke first makes no other state.
    pub(crate) fn post(&mut self, post: impl FnOnce(&mut Network)) {
        let mut network = (*self.network).clone();
        post(&mut network);
        network.sort();
        self.network = Hashed::new(network);
    }

    /// What a view would be that is proposed by the node at `by` from what those in `answering`
    /// report just now. It grows old until it is adopted.
    pub(crate) fn proposal(&self, by: usize, answering: u8, evicts: bool) -> Option<View> {
        let proposer = self.holder(by).filter(|holder| holder.view().is_some())?;
        let answers = |slot: usize| slot == by || answering & 1 << slot != 0;
        let reports: Vec<_> = self
            .living()
            .filter(|(slot, _)| answers(*slot))
            .map(|(_, holder)| (holder.life, holder.report()))
            .collect();
        let candidates: Vec<_> = reports
            .iter()
            .filter(|(node, report)| *node == proposer.life || counts(proposer, *node, report))
            .map(|(node, report)| Candidate {
                node: *node,
                report,
            })
            .collect();
        let evicted = if evicts { self.dead.as_slice() } else { &[] };
        propose(proposer.life, &candidates, evicted, &[])
    }

    /// Grants that may still be applied by somebody.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = &Message> {
        let grants = self.network.grants.iter().map(|message| &**message);
        grants.filter(|message| {
            let Some(slot) = self.slot_of(message.to) else {
                return false;
            };
            let receiver = self.holder(slot).expect("it lives");
            let adopted = receiver.view();
            let next = adopted == Some(message.view)
                && message.grant.number > receiver.applied.of(message.from);
            next || adopted.is_none_or(|adopted| adopted.number < message.view.number)
        })
    }

    /// Of one key: all that anybody holds, and what is on its way.
    pub(crate) fn sums(&self, key: usize) -> Sums {
        let mut sums = Sums::default();
        for (_, holder) in self.living() {
            sums.add_account(&holder.accounts[key]);
        }
        let id = crate::holder::key_id(key);
        for message in self.in_flight().filter(|message| message.grant.key == id) {
            let grant = &message.grant;
            sums.add([grant.share, grant.rate, grant.overdraft], grant.level);
        }
        sums
    }
}

/// Whether a proposer counts with who reports so.
fn counts(proposer: &Holder, node: NodeId, report: &Report) -> bool {
    let carried = proposer.ledger.carried().contains(&node);
    let has_left = report.leaving && !report.known.contains(&node) && !carried;
    let view = proposer.ledger.complete().filter(|view| view.has(node));
    let is_old = view.is_some_and(|view| report.adopted < Some(view.id));
    let apart = !is_old && !proposer.ledger.is_kin(report);
    !has_left && !apart && !proposer.ledger.has_given_up(node)
}

/// Parts of a whole, and grains, added up without the library's arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) share: u128,
    pub(crate) rate: u128,
    pub(crate) overdraft: u128,
    pub(crate) level: i128,
}

impl Sums {
    fn add_account(&mut self, account: &Account) {
        let parts = [account.share(), account.rate(), account.overdraft()];
        self.add(parts, account.level());
    }

    fn add(&mut self, [share, rate, overdraft]: [Share; 3], level: Amount) {
        self.share += u128::from(share.parts());
        self.rate += u128::from(rate.parts());
        self.overdraft += u128::from(overdraft.parts());
        self.level += grains(level);
    }

    /// What all of them may still admit, overdrafts used up: `(Σs + Σo)·C − Σl`, in grains.
    pub(crate) fn left(&self, rules: &Rules) -> i128 {
        let parts = i128::try_from(self.share + self.overdraft).expect("a few wholes");
        parts * (rules.burst_grains() / i128::from(Share::WHOLE.parts())) - self.level
    }
}

impl Network {
    fn sort(&mut self) {
        self.grants
            .sort_by_key(|message| (message.from, message.to, message.view, message.grant.number));
        self.receipts
            .sort_by_key(|receipt| (receipt.by, receipt.from, receipt.view, receipt.number));
        self.views.sort_by_key(|view| view.id);
        self.openings
            .sort_by_key(|(view, member, _)| (*view, *member));
    }
}

/// Openings that a node could be sent: those of the view it adopted.
pub(crate) fn lacking(state: &State, holder: &Holder) -> Vec<Arc<Opening>> {
    let Some(view) = holder.view() else {
        return Vec::new();
    };
    let lacks: BTreeSet<_> = holder.ledger.lacks().into_iter().collect();
    let openings = lacks.into_iter();
    openings
        .filter_map(|member| state.network.opening(view, member).cloned())
        .collect()
}
