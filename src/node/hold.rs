//! The answering side of `acquire`: a key's decider gathers the whole of it and is then, for that
//! key, one central bucket.
//!
//! Admitting on a part would be a round trip cheaper the first time and not exact: a part drains at
//! its part of the rate, so while one part is in use and the others lie drained the cluster as a
//! whole gives units back more slowly than one bucket would. Only one who holds all shares decides
//! exactly as one bucket. So the first question of a key brings its shares together, by ordinary
//! grants; they stay while it is asked for and until it has drained, and then go home.

use std::collections::{BTreeMap, BTreeSet};

use crate::limit::{Account, Parcel, Verdict};
use crate::table::{Ask, Constants, Entry, KEEP_TICKS, LimitIndex};
use crate::units::{Amount, KeyId, Nanos, NodeId, Share};
use crate::wire::{Answer, Gather, Gathered, Message, Question};

use super::Node;

/// After a gathering that could not bring everything, so many ticks pass before the next.
const GATHER_REST_TICKS: u32 = 5;

/// Questions that may wait for gatherings at once: more are answered with what is here.
const QUESTIONS_MAX: usize = 65_536;

/// What of an account is handed over.
pub(super) type Handed = fn(&Account) -> Parcel;

/// Keys being gathered.
#[derive(Debug, Default)]
pub(super) struct Holding {
    gatherings: BTreeMap<KeyId, Gathering>,
    /// Keys of which not everything could be gathered, and until when that is not tried again.
    partial: BTreeMap<KeyId, Nanos>,
    waiting: usize,
}

#[derive(Debug)]
struct Gathering {
    limit: LimitIndex,
    /// Who has not answered, or whose grants have not all arrived: up to which number is awaited.
    awaited: BTreeMap<NodeId, Option<u64>>,
    questions: Vec<(NodeId, Question)>,
    deadline: Nanos,
}

impl Holding {
    /// Drops what was noted of gatherings that may be tried again.
    pub(super) fn forget(&mut self, now: Nanos) {
        self.partial.retain(|_, until| *until > now);
    }

    /// Keys of which anything is noted.
    pub(super) fn keys(&self) -> usize {
        self.gatherings.len() + self.partial.len()
    }

    /// Whether a key is being gathered.
    pub(super) fn gathers(&self, key: KeyId) -> bool {
        self.gatherings.contains_key(&key)
    }

    pub(super) fn earliest(&self) -> Option<Nanos> {
        self.gatherings
            .values()
            .map(|gathering| gathering.deadline)
            .min()
    }
}

impl Node {
    /// A question, from a peer or from this node itself.
    pub(super) fn handle_question(&mut self, now: Nanos, from: NodeId, question: Question) {
        let Some(limit) = self.table.index_of(question.limit) else {
            return;
        };
        let key = question.key;
        let ask = Ask {
            limit,
            key,
            cost_units: question.cost_units,
        };
        if self.stands_or_is_elsewhere(limit, key, now)
            || !self.is_gathering(now, limit, key)
            || self.has(ask, now)
            || self.holding.waiting >= QUESTIONS_MAX
        {
            self.decide(now, limit, from, question);
        } else {
            self.hold_back(from, question);
        }
        self.set_deadline();
    }

    /// Whether what is asked for is here already, though the rest is not: nothing is won by waiting.
    pub(super) fn has(&self, ask: Ask, now: Nanos) -> bool {
        let cost = Amount::from_units(ask.cost_units);
        let has = self.table.with_contended(ask.key, |entry, _| {
            let pace = &self.table.policy(entry.limit).pace;
            entry.drain(pace, now);
            entry.account.balance(pace) >= cost
        });
        has.unwrap_or(false)
    }

    /// A question waits for what is being gathered.
    fn hold_back(&mut self, from: NodeId, question: Question) {
        let gathering = self.holding.gatherings.get_mut(&question.key);
        let gathering = gathering.expect("it is being gathered");
        gathering.questions.push((from, question));
        self.holding.waiting += 1;
    }

    /// Whether a key is being gathered; if it is not, begins to, if there is anybody to gather from.
    fn is_gathering(&mut self, now: Nanos, limit: LimitIndex, key: KeyId) -> bool {
        self.holding.gathers(key) || self.gather(now, limit, key)
    }

    /// Whether this node holds all of a key.
    fn is_whole(&self, limit: LimitIndex, key: KeyId, now: Nanos) -> bool {
        let peek = self.table.peek(limit, key, now);
        peek.share == Share::WHOLE && peek.rate == Share::WHOLE
    }

    /// Whether what this node decides of a key is the last word: nothing of it is elsewhere, or on its
    /// way here.
    fn stands(&self, limit: LimitIndex, key: KeyId, now: Nanos) -> bool {
        self.is_whole(limit, key, now)
            || (!self.holding.gathers(key) && self.speaks_for(limit, key, now))
    }

    /// The same, or somebody else holds nearly all of it, or soon will: it is not fetched back.
    fn stands_or_is_elsewhere(&self, limit: LimitIndex, key: KeyId, now: Nanos) -> bool {
        if self.is_whole(limit, key, now) {
            return true;
        }
        let gathers = self.holding.gathers(key);
        self.standing(key, now).is_some_and(|standing| {
            standing.is_elsewhere() || (!gathers && self.is_last_word(limit, &standing))
        })
    }

    /// Begins to gather a key; false if there is nobody to gather from, or no room for it.
    fn gather(&mut self, now: Nanos, limit: LimitIndex, key: KeyId) -> bool {
        if self
            .holding
            .partial
            .get(&key)
            .is_some_and(|until| *until > now)
        {
            return false;
        }
        let others: BTreeSet<NodeId> = self
            .connected()
            .into_iter()
            .filter(|node| self.is_fellow(*node))
            .collect();
        let stays = self.ledger.complete().is_some() && !self.ledger.is_leaving();
        let older = others.iter().any(|node| self.is_settled(*node, now));
        let holds = stays && (self.is_settled(self.id, now) || !older);
        // Where a round trip takes longer than those who ask will wait, nothing is gathered.
        if others.is_empty() || !holds || self.asking.is_slow(self.id, now) {
            return false;
        }
        let deadline = now.after(self.config.gather_timeout);
        // What is here already must not leave while the rest arrives.
        let kept = self
            .table
            .with_entry(limit, key, now, |entry, _| entry.gathered_until = deadline);
        if kept.is_none() {
            return false;
        }
        self.activate(key);
        self.counters.keys_gathered += 1;
        let gather = Gather {
            limit: self.table.policy(limit).id,
            key,
        };
        for node in &others {
            self.send(*node, &Message::Gather(gather));
        }
        let gathering = Gathering {
            limit,
            awaited: others.into_iter().map(|node| (node, None)).collect(),
            questions: Vec::new(),
            deadline,
        };
        self.holding.gatherings.insert(key, gathering);
        true
    }

    /// Whether a node counts with this one in its adopted view and stays: what a leaver were given
    /// after its last word, the next view would find missing and hand out once more.
    pub(super) fn is_fellow(&self, node: NodeId) -> bool {
        let member = self.ledger.adopted().and_then(|view| view.member(node));
        member.is_some_and(|member| !member.after.is_none())
    }

    /// Hands over what this node holds of a key, at once.
    pub(super) fn handle_gather(&mut self, now: Nanos, from: NodeId, gather: Gather) {
        let Some(limit) = self.table.index_of(gather.limit) else {
            return;
        };
        let goes = self.handed_to(from, gather.key, now);
        if let Some(goes) = goes
            && self.is_fellow(from)
            && self.peers[&from].outbox.has_room()
        {
            self.hand_over(now, from, (limit, gather.key), goes);
            // It is not fetched back for who has just seen its rows of before.
            self.rest_from_gathering(gather.key, now);
        }
        let view = self.ledger.adopted_id().unwrap_or_default();
        let upto = self.peers[&from].outbox.last();
        self.spread_grants(from, now);
        let gathered = Gathered {
            key: gather.key,
            view,
            upto,
        };
        self.send(from, &Message::Gathered(gathered));
    }

    /// What goes to one who gathers a key: all of it. What is used by `check` here does not, if the
    /// other has as much left, and else half of it: `check` would find nothing until it was fetched back,
    /// and each `acquire` after that would gather it anew. Where both ask, neither is exact.
    fn handed_to(&self, gatherer: NodeId, key: KeyId, now: Nanos) -> Option<Handed> {
        let checked = |entry: &mut Entry, _: &Constants| entry.checked_until > now;
        if self.table.with_contended(key, checked) != Some(true) {
            return Some(Account::all);
        }
        let standing = self.standing(key, now)?;
        let theirs = standing.askable().find(|part| part.node == gatherer);
        let left = theirs.map_or(Amount::ZERO, |part| part.balance);
        (left < standing.own.balance).then_some(Account::half)
    }

    /// Grants what goes of a key, unless something of it is owed.
    pub(super) fn hand_over(
        &mut self,
        now: Nanos,
        to: NodeId,
        (limit, key): (LimitIndex, KeyId),
        goes: Handed,
    ) {
        let policy = self.table.policy(limit);
        let (id, pace) = (policy.id, policy.pace);
        let handed = self.table.with_entry(limit, key, now, |entry, _| {
            entry.drain(&pace, now);
            entry.gathered_until = Nanos::ZERO;
            let parcel = goes(&entry.account);
            let granted = parcel != Parcel::default() && entry.account.grant(parcel, &pace);
            granted.then_some(parcel)
        });
        if handed.is_some() {
            self.activate(key);
        }
        if let Some(Some(parcel)) = handed {
            self.post(to, id, key, parcel);
        }
    }

    pub(super) fn handle_gathered(&mut self, now: Nanos, from: NodeId, gathered: Gathered) {
        if self.ledger.adopted_id() != Some(gathered.view) {
            return;
        }
        if let Some(gathering) = self.holding.gatherings.get_mut(&gathered.key)
            && let Some(awaited) = gathering.awaited.get_mut(&from)
        {
            *awaited = Some(gathered.upto);
        }
        self.look_at_gatherings(now, from);
    }

    /// Grants of `from` may have arrived: gatherings that now have everything are decided.
    pub(super) fn look_at_gatherings(&mut self, now: Nanos, from: NodeId) {
        let applied = self.applied.of(from);
        let mut ready = Vec::new();
        for (key, gathering) in &mut self.holding.gatherings {
            if gathering
                .awaited
                .get(&from)
                .is_some_and(|upto| upto.is_some_and(|n| n <= applied))
            {
                gathering.awaited.remove(&from);
            }
            if gathering.awaited.is_empty() {
                ready.push(*key);
            }
        }
        ready
            .into_iter()
            .for_each(|key| self.finish_gathering(now, key));
    }

    /// Gatherings that took too long are decided with what is here.
    pub(super) fn expire_gatherings(&mut self, now: Nanos) {
        let late = self
            .holding
            .gatherings
            .iter()
            .filter(|(_, gathering)| gathering.deadline <= now);
        let late: Vec<_> = late.map(|(key, _)| *key).collect();
        late.into_iter()
            .for_each(|key| self.finish_gathering(now, key));
    }

    /// The view has changed under them: decided with what is here.
    pub(super) fn abandon_gatherings(&mut self, now: Nanos) {
        let keys: Vec<_> = self.holding.gatherings.keys().copied().collect();
        keys.into_iter()
            .for_each(|key| self.finish_gathering(now, key));
    }

    fn finish_gathering(&mut self, now: Nanos, key: KeyId) {
        let Some(gathering) = self.holding.gatherings.remove(&key) else {
            return;
        };
        self.holding.waiting -= gathering.questions.len();
        if !self.is_whole(gathering.limit, key, now) {
            self.rest_from_gathering(key, now);
        }
        if self.speaks_for(gathering.limit, key, now) {
            // Perhaps all who asked were answered at once.
            self.keep(key, now);
        }
        for (from, question) in gathering.questions {
            self.decide(now, gathering.limit, from, question);
        }
    }

    /// A key is not gathered here for a while.
    fn rest_from_gathering(&mut self, key: KeyId, now: Nanos) {
        if self.holding.partial.len() < QUESTIONS_MAX {
            let rest_ns = self.config.ticks_ns(GATHER_REST_TICKS);
            self.holding.partial.insert(key, Nanos(now.0 + rest_ns));
        }
    }

    /// What is here of a key stays for a while.
    fn keep(&mut self, key: KeyId, now: Nanos) {
        let until = Nanos(now.0 + self.config.ticks_ns(KEEP_TICKS));
        self.table
            .with_contended(key, |entry, _| entry.gathered_until = until);
        self.active.insert(key);
    }

    /// Decides on what is here, for whoever asked.
    fn decide(&mut self, now: Nanos, limit: LimitIndex, from: NodeId, question: Question) {
        let ask = Ask {
            limit,
            key: question.key,
            cost_units: question.cost_units,
        };
        let decision = self.table.admit(ask, now);
        let stands = self.stands(limit, question.key, now);
        if stands {
            self.table.with_contended(question.key, |entry, _| {
                entry.note_asked(from, question.cost_units, now);
            });
            self.keep(question.key, now);
        }
        let nanoseconds =
            |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let answer = Answer {
            number: question.number,
            limit: question.limit,
            key: question.key,
            cost_units: question.cost_units,
            allowed: decision.verdict() == Verdict::Allowed,
            whole: stands,
            remaining_units: decision.remaining(),
            retry_after_ns: decision.retry_after().map_or(0, nanoseconds),
            reset_after_ns: nanoseconds(decision.reset_after()),
            decided_at_ns: decision.decided_at_ns(),
            charge: decision.charge.map_or(0, |charge| charge.number),
        };
        if from == self.id {
            self.answer_self(now, answer);
        } else {
            self.counters.questions_answered += 1;
            self.send(from, &Message::Answer(answer));
        }
    }
}
