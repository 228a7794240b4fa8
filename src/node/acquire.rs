//! The asking side of `acquire`: of each key a few questions in flight, the rest wait in line.
//!
//! How many is found out as by a transport that starts slowly: one at first, twice as many after each
//! that was allowed, one again after a refusal. So a burst is through in a few round trips, and an
//! exhausted key costs no round trip for each request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::limit::{Basis, Charge, Decision, Refusal, Verdict};
use crate::share::owners;
use crate::table::{Ask, LimitIndex};
use crate::units::{KeyId, Nanos, NodeId};
use crate::wire::{Answer, Message, Question, Refund};

use super::{Event, Fallback, Node, Output};

/// Names a request that the driver waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A request to admit, wherever the rights are.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What is asked for.
    pub ask: Ask,
    /// Until when an answer is of use.
    pub deadline: Nanos,
}

/// Requests waiting at one node, over all keys: beyond it the fallback applies at once.
const WAITING_MAX: usize = 65_536;

/// Refusals remembered: an exhausted key costs no round trip for each request.
const REFUSALS_MAX: usize = 65_536;

/// Questions given up whose answers are still looked out for: of what they charge, more is burned.
const GIVEN_UP_MAX: usize = 65_536;

/// Questions of one key in flight at once.
const WINDOW_MAX: usize = 64;

/// A refusal is remembered for so many ticks at most.
const REFUSAL_TICKS: u32 = 5;

/// The requests that wait, and what was refused of late.
#[derive(Debug, Default)]
pub(super) struct Asking {
    lines: BTreeMap<KeyId, Line>,
    refusals: BTreeMap<KeyId, Remembered>,
    numbers: u64,
    /// Who waits until when, the first to be late first.
    deadlines: BTreeSet<(Nanos, KeyId, Ticket)>,
    /// Questions whose requests were decided otherwise: what their answers charge is handed back.
    given_up: BTreeSet<(u64, NodeId)>,
    /// Answers that this node gave itself, taken one after the other: each may lead to the next.
    own_answers: VecDeque<Answer>,
    takes_own: bool,
}

#[derive(Debug)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// How many questions may be in flight.
    window: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            window: 1,
        }
    }
}

impl Line {
    /// Learns from an answer how many questions are worth asking at once.
    fn learn(&mut self, allowed: bool) {
        self.window = match allowed {
            true => (self.window * 2).min(WINDOW_MAX),
            false => 1,
        };
    }

    /// The first that was not asked for yet, if another question may be put.
    fn next(&self) -> Option<(Ticket, Request)> {
        let asked = self.waiting.iter().filter(|one| one.asked.is_some());
        let next = self.waiting.iter().find(|one| one.asked.is_none())?;
        (asked.count() < self.window).then_some((next.ticket, next.request))
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: Ticket,
    request: Request,
    asked: Option<Asked>,
}

/// A question in flight.
#[derive(Clone, Copy, Debug)]
struct Asked {
    number: u64,
    holder: NodeId,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    cost_units: u64,
    /// Until when it is taken for the holder's word.
    until: Nanos,
    retry_at: Nanos,
    reset_at: Nanos,
    holder: NodeId,
}

impl Asking {
    /// The first request whose deadline has passed.
    fn late(&mut self, now: Nanos) -> Option<(Nanos, KeyId, Ticket)> {
        let first = *self.deadlines.first()?;
        (first.0 <= now && !planted!(QuestionsUnanswered)).then_some(first)?;
        self.deadlines.pop_first()
    }

    pub(super) fn earliest(&self) -> Option<Nanos> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// Waits no longer for the answer to a question.
    fn give_up(&mut self, asked: Option<Asked>) {
        if let Some(Asked { number, holder }) = asked {
            self.given_up.insert((number, holder));
        }
        if self.given_up.len() > GIVEN_UP_MAX {
            // The oldest: its answer was lost long ago.
            self.given_up.pop_first();
        }
    }

    /// Drops refusals that nobody has asked about again.
    pub(super) fn forget(&mut self, now: Nanos) {
        self.refusals.retain(|_, refusal| refusal.until > now);
    }

    pub(super) fn refusals(&self) -> usize {
        self.refusals.len()
    }
}

impl Node {
    /// Admits a request wherever the rights are: here if this node decides for the key, else by
    /// asking the node that does. [`Event::Answered`] brings the decision, at the deadline at last.
    pub fn acquire(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let ask = request.ask;
        let burst_units = self.table.policy(ask.limit).pace.burst_units();
        if ask.cost_units == 0 || ask.cost_units > burst_units {
            let decision = self.table.check(ask, now);
            self.answered(ticket, decision);
        } else if let Some(decision) = self.remembered(ask, now) {
            self.answered(ticket, decision);
        } else if self.asking.deadlines.len() >= WAITING_MAX {
            self.fall_back(now, ticket, request);
        } else {
            let place = (request.deadline, ask.key, ticket);
            self.asking.deadlines.insert(place);
            let line = self.asking.lines.entry(ask.key).or_default();
            line.waiting.push_back(Waiting {
                ticket,
                request,
                asked: None,
            });
            self.ask_next(now, ask.key);
        }
        self.set_deadline();
    }

    /// The owners of a key, the one that decides for it first.
    #[must_use]
    pub fn owners(&self, key: KeyId) -> Vec<NodeId> {
        owners(key, self.ledger.known())
    }

    /// Who decides for a key: the first of its owners that can be reached. A newcomer asks one of
    /// those that it is connected to.
    fn decider(&self, key: KeyId) -> Option<NodeId> {
        let known = match self.ledger.complete() {
            Some(_) => self.ledger.known(),
            None => self.holders_known(),
        };
        let reached = |node: &NodeId| {
            let connected = || self.peers.get(node).is_some_and(|peer| peer.connected);
            (*node == self.id && self.ledger.complete().is_some()) || connected()
        };
        owners(key, known).into_iter().find(reached)
    }

    /// Connected peers that hold a share, for a node that holds none yet.
    fn holders_known(&self) -> Vec<NodeId> {
        let holds = |peer: &super::Peer| {
            let report = peer.report.as_ref();
            peer.connected && report.is_some_and(|report| report.complete && !report.leaving)
        };
        self.peers
            .iter()
            .filter(|(_, peer)| holds(peer))
            .map(|(node, _)| *node)
            .collect()
    }

    /// Puts the questions of the first in line, as many as may be in flight.
    fn ask_next(&mut self, now: Nanos, key: KeyId) {
        loop {
            let Some(line) = self.asking.lines.get(&key) else {
                return;
            };
            if line.waiting.is_empty() {
                self.asking.lines.remove(&key);
                return;
            }
            let Some((ticket, request)) = line.next() else {
                return;
            };
            if let Some(decision) = self.remembered(request.ask, now) {
                self.leave_line(key, ticket);
                self.answered(ticket, decision);
                continue;
            }
            match self.decider(key) {
                Some(holder) => self.put(now, holder, ticket, request.ask),
                None => {
                    self.leave_line(key, ticket);
                    self.fall_back(now, ticket, request);
                }
            }
        }
    }

    fn put(&mut self, now: Nanos, holder: NodeId, ticket: Ticket, ask: Ask) {
        self.asking.numbers += 1;
        let number = self.asking.numbers;
        if let Some(line) = self.asking.lines.get_mut(&ask.key) {
            let place = line.waiting.iter_mut().find(|one| one.ticket == ticket);
            let asked = Asked { number, holder };
            place.expect("it waits in this line").asked = Some(asked);
        }
        let limit = self.table.policy(ask.limit).id;
        let question = Question {
            number,
            limit,
            key: ask.key,
            cost_units: ask.cost_units,
        };
        if holder == self.id {
            self.handle_question(now, holder, question);
        } else {
            self.counters.questions_sent += 1;
            self.send(holder, &Message::Ask(question));
        }
    }

    /// An answer of this node to itself.
    ///
    /// Not handled within the question: a line of requests would be as deep a recursion.
    pub(super) fn answer_self(&mut self, now: Nanos, answer: Answer) {
        self.asking.own_answers.push_back(answer);
        if std::mem::replace(&mut self.asking.takes_own, true) {
            return;
        }
        while let Some(answer) = self.asking.own_answers.pop_front() {
            self.handle_answer(now, self.id, answer);
        }
        self.asking.takes_own = false;
    }

    /// A holder's answer. It is used once, for the question it names, and only before the deadline
    /// of the one who asked; one that comes too late is handed back.
    pub(super) fn handle_answer(&mut self, now: Nanos, from: NodeId, answer: Answer) {
        let named = |one: &&Waiting| {
            one.asked
                .is_some_and(|asked| asked.number == answer.number && asked.holder == from)
        };
        let line = self.asking.lines.get_mut(&answer.key);
        let one = line.and_then(|line| {
            let one = line.waiting.iter().find(named).copied();
            one.inspect(|_| line.learn(answer.allowed))
        });
        let Some(Waiting {
            ticket, request, ..
        }) = one
        else {
            // A doubled answer was used already: only what was given up may be handed back.
            if self.asking.given_up.remove(&(answer.number, from)) {
                self.hand_back(from, answer);
            }
            return;
        };
        let key = answer.key;
        if request.deadline < now {
            self.hand_back(from, answer);
            self.leave_line(key, ticket);
            self.fall_back(now, ticket, request);
        } else if answer.allowed || answer.whole {
            self.leave_line(key, ticket);
            let decision = self.decision_of(from, request.ask, answer);
            self.remember(now, from, request.ask, &decision);
            self.answered(ticket, decision);
        } else {
            // The holder cannot speak for the cluster and has nothing: this node looks for itself.
            self.leave_line(key, ticket);
            self.fall_back(now, ticket, request);
        }
        self.ask_next(now, key);
    }

    /// An answer that nobody waits for any more: what it charged is taken back, once.
    fn hand_back(&mut self, holder: NodeId, answer: Answer) {
        if answer.allowed && answer.charge > 0 {
            let refund = Refund {
                limit: answer.limit,
                key: answer.key,
                charge: answer.charge,
                cost_units: answer.cost_units,
            };
            self.send(holder, &Message::Refund(refund));
        }
    }

    fn decision_of(&self, holder: NodeId, ask: Ask, answer: Answer) -> Decision {
        let charge = Charge {
            node: holder,
            key: ask.key,
            number: answer.charge,
            cost_units: ask.cost_units,
        };
        let retry = Duration::from_nanos(answer.retry_after_ns);
        Decision {
            verdict: match answer.allowed {
                true => Verdict::Allowed,
                false => Verdict::Refused(Refusal::OverLimit),
            },
            basis: if holder == self.id {
                Basis::OwnShare
            } else {
                Basis::Holder(holder)
            },
            burst_units: self.table.policy(ask.limit).pace.burst_units(),
            remaining_units: answer.remaining_units,
            retry_after: (!answer.allowed).then_some(retry),
            reset_after: Duration::from_nanos(answer.reset_after_ns),
            view_age: Duration::ZERO,
            decided_at_ns: answer.decided_at_ns,
            charge: answer.allowed.then_some(charge),
        }
    }

    /// Remembers a refusal until it may be asked again, and not for long: units can come back
    /// sooner than by draining, by refunds that this node does not hear of.
    fn remember(&mut self, now: Nanos, holder: NodeId, ask: Ask, decision: &Decision) {
        let Some(retry_after) = decision.retry_after.filter(|_| holder != self.id) else {
            return;
        };
        if self.asking.refusals.len() >= REFUSALS_MAX {
            self.asking
                .refusals
                .retain(|_, refusal| refusal.until > now);
        }
        if self.asking.refusals.len() < REFUSALS_MAX {
            let latest = Nanos(now.0 + self.config.ticks_ns(REFUSAL_TICKS));
            let retry_at = now.after(retry_after);
            let remembered = Remembered {
                cost_units: ask.cost_units,
                until: retry_at.min(latest),
                retry_at,
                reset_at: now.after(decision.reset_after),
                holder,
            };
            self.asking.refusals.insert(ask.key, remembered);
        }
    }

    /// Refuses here what a holder has just refused: it holds for as large a cost until then.
    fn remembered(&mut self, ask: Ask, now: Nanos) -> Option<Decision> {
        let refusal = *self.asking.refusals.get(&ask.key)?;
        if refusal.until <= now {
            self.asking.refusals.remove(&ask.key);
            return None;
        }
        (ask.cost_units >= refusal.cost_units).then(|| Decision {
            verdict: Verdict::Refused(Refusal::OverLimit),
            basis: Basis::Holder(refusal.holder),
            burst_units: self.table.policy(ask.limit).pace.burst_units(),
            remaining_units: 0,
            retry_after: Some(refusal.retry_at.since(now)),
            reset_after: refusal.reset_at.since(now),
            view_age: Duration::ZERO,
            decided_at_ns: now.0,
            charge: None,
        })
    }

    /// Requests whose deadline has passed are decided by the fallback, now.
    pub(super) fn expire_questions(&mut self, now: Nanos) {
        while let Some((_, key, ticket)) = self.asking.late(now) {
            let Some(Waiting { request, asked, .. }) = self.leave_line(key, ticket) else {
                continue;
            };
            self.asking.give_up(asked);
            self.counters.questions_expired += 1;
            self.fall_back(now, ticket, request);
            self.ask_next(now, key);
        }
    }

    /// A holder was lost: what was asked of it is asked of the next.
    pub(super) fn ask_again(&mut self, now: Nanos, lost: NodeId) {
        let keys: Vec<_> = self.asking.lines.keys().copied().collect();
        for key in keys {
            let line = self.asking.lines.get_mut(&key).into_iter();
            let asked = line.flat_map(|line| line.waiting.iter_mut());
            let asked_of_lost = asked
                .filter(|one| one.asked.is_some_and(|asked| asked.holder == lost))
                .map(|one| one.asked.take());
            let given_up: Vec<_> = asked_of_lost.collect();
            if given_up.is_empty() {
                continue;
            }
            given_up
                .into_iter()
                .for_each(|asked| self.asking.give_up(asked));
            self.ask_next(now, key);
        }
    }

    /// A new life: what was asked by the old one is asked anew.
    pub(super) fn forget_questions(&mut self, now: Nanos) {
        self.asking.refusals.clear();
        self.asking.given_up.clear();
        for line in self.asking.lines.values_mut() {
            line.waiting.iter_mut().for_each(|one| one.asked = None);
        }
        let keys: Vec<_> = self.asking.lines.keys().copied().collect();
        keys.into_iter().for_each(|key| self.ask_next(now, key));
    }

    fn fall_back(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let decision = match self.config.fallback {
            Fallback::OwnShare => self.table.check(request.ask, now),
            Fallback::Allow => {
                let free = self.table.check(
                    Ask {
                        cost_units: 0,
                        ..request.ask
                    },
                    now,
                );
                Decision {
                    basis: Basis::Fallback,
                    ..free
                }
            }
            Fallback::Deny => {
                let free = self.table.check(
                    Ask {
                        cost_units: 0,
                        ..request.ask
                    },
                    now,
                );
                let verdict = Verdict::Refused(Refusal::NoAnswer);
                let retry_after = Some(self.config.tick);
                Decision {
                    verdict,
                    basis: Basis::Fallback,
                    retry_after,
                    ..free
                }
            }
        };
        self.answered(ticket, decision);
    }

    /// Takes a request out of its line; what it asked for, if it was in it.
    fn leave_line(&mut self, key: KeyId, ticket: Ticket) -> Option<Waiting> {
        let line = self.asking.lines.get_mut(&key)?;
        let place = line.waiting.iter().position(|one| one.ticket == ticket)?;
        let one = line.waiting.remove(place)?;
        self.asking
            .deadlines
            .remove(&(one.request.deadline, key, ticket));
        Some(one)
    }

    fn answered(&mut self, ticket: Ticket, decision: Decision) {
        self.outputs
            .push_back(Output::Event(Event::Answered(ticket, decision)));
    }

    /// Takes a charge back, at the node that was charged. Says whether it was found good here, or
    /// was sent to where it was made.
    pub fn refund(&mut self, now: Nanos, limit: LimitIndex, charge: Charge) -> bool {
        if charge.node == self.id {
            let ask = Ask {
                limit,
                key: charge.key,
                cost_units: charge.cost_units,
            };
            return self.table.refund(ask, charge.number, now);
        }
        self.asking.refusals.remove(&charge.key);
        let refund = Refund {
            limit: self.table.policy(limit).id,
            key: charge.key,
            charge: charge.number,
            cost_units: charge.cost_units,
        };
        self.send(charge.node, &Message::Refund(refund));
        self.peers
            .get(&charge.node)
            .is_some_and(|peer| peer.connected)
    }

    pub(super) fn handle_refund(&mut self, now: Nanos, refund: Refund) {
        if let Some(limit) = self.table.index_of(refund.limit) {
            let ask = Ask {
                limit,
                key: refund.key,
                cost_units: refund.cost_units,
            };
            self.table.refund(ask, refund.charge, now);
        }
    }
}
