//! The asking side of `acquire`: of each key a few questions in flight, the rest wait in line.
//!
//! How many is found out as by a transport that starts slowly: one at first, twice as many after each
//! that was allowed, one again after a refusal. So a burst is through in a few round trips, and an
//! exhausted key costs no round trip for each request.

use std::num::NonZero;
use std::time::Duration;

use crate::limit::{Basis, Charge, Decision, NO_RETRY, Refusal, Spot, Verdict};
use crate::share::owners;
use crate::table::{Ask, LimitIndex};
use crate::units::{KeyId, Nanos, NodeId, duration_ns};
use crate::wire::{Answer, Message, Question, Refund};

use super::asking::{Asked, Remembered, Waiting};
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

/// So often a request is asked of somebody else after a refusal.
const TURNS_MAX: u32 = 2;

/// A refusal is remembered for so many ticks at most.
const REFUSAL_TICKS: u32 = 5;

/// Where others have nothing either, asking on would cost messages for nothing.
const VAIN_DOUBLINGS_MAX: u32 = 5;

impl Node {
    /// Admits a request wherever the rights are: here if this node decides for the key, else by
    /// asking the node that does. [`Event::Answered`] brings the decision, at the deadline at last.
    pub fn acquire(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let ask = request.ask;
        let burst_units = self.table.policy(ask.limit).pace.burst_units();
        if ask.cost_units == 0 || ask.cost_units > burst_units {
            let decision = self.table.check(ask, now);
            self.answered(ticket, decision);
        } else {
            self.ask_for(now, ticket, request);
        }
        self.set_deadline();
    }

    /// Puts a request in line, unless it is known that it would be refused.
    fn ask_for(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let ask = request.ask;
        let place = self.place_of(ask, now);
        if let Some(decision) = self.refused_by(place, ask, now) {
            self.answered(ticket, decision);
        } else if self.asking.deadlines.len() >= WAITING_MAX {
            self.fall_back(now, ticket, request);
        } else {
            let deadline = (request.deadline, ask.key, ticket);
            self.asking.deadlines.insert(deadline);
            let line = self.asking.lines.entry(ask.key).or_default();
            line.waiting.push_back(Waiting {
                ticket,
                request,
                asked: None,
                turned: 0,
            });
            self.ask_first(now, ask.key, Some((ticket, place)));
        }
    }

    /// The owners of a key, the one that decides for it first.
    #[must_use]
    pub fn owners(&self, key: KeyId) -> Vec<NodeId> {
        owners(key, self.ledger.known())
    }

    /// Who decides for a key that nobody holds most of: the first of its owners that can be reached
    /// and has been there for long. A newcomer asks one of those that it is connected to.
    pub(super) fn decider(&self, key: KeyId, now: Nanos) -> Option<NodeId> {
        let known = match self.ledger.complete() {
            Some(_) => self.ledger.known(),
            None => self.holders_known(),
        };
        let reached = |node: &NodeId| {
            let connected = || self.peers.get(node).is_some_and(|peer| peer.connected);
            let own = || self.ledger.complete().is_some() && !self.ledger.is_leaving();
            match *node == self.id {
                true => own(),
                false => connected() && !self.is_leaver(*node),
            }
        };
        let reached: Vec<_> = owners(key, known).into_iter().filter(reached).collect();
        let settled = reached.iter().find(|node| self.is_settled(**node, now));
        settled.or(reached.first()).copied()
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
        self.ask_first(now, key, None);
    }

    /// The same; the place of one request was looked up just now.
    fn ask_first(&mut self, now: Nanos, key: KeyId, mut placed: Option<(Ticket, Option<NodeId>)>) {
        loop {
            let Some(line) = self.asking.lines.get(&key) else {
                return;
            };
            if line.waiting.is_empty() {
                self.asking.lines.remove(&key);
                return;
            }
            let Some((ticket, request, may_ask)) = line.next() else {
                return;
            };
            // What is asked before it may change where it is best asked.
            let place = match placed.take() {
                Some((first, place)) if first == ticket => place,
                _ => self.place_of(request.ask, now),
            };
            if let Some(decision) = self.refused_by(place, request.ask, now) {
                self.leave_line(key, ticket);
                self.answered(ticket, decision);
                continue;
            }
            match place {
                Some(holder) if holder != self.id && !may_ask => return,
                // A round trip takes longer than the deadline leaves: this node decides, as `check`
                // does, and lets it be known what it lacks.
                Some(holder) if self.asking.is_slow(holder, now) => {
                    self.leave_line(key, ticket);
                    self.decide_alone(now, ticket, request);
                }
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
            let asked = Asked {
                number,
                holder,
                at: now,
            };
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
        let Some((one, asked)) = one.and_then(|one| Some((one, one.asked?))) else {
            // A doubled answer was used already: only what was given up may be handed back.
            if self.asking.given_up.remove(&(answer.number, from)) {
                self.hand_back(from, answer);
            }
            return;
        };
        let Waiting {
            ticket, request, ..
        } = one;
        let key = answer.key;
        self.asking.slow.remove(&from);
        if from != self.id {
            self.note_acquired(key, now);
        }
        if request.deadline < now {
            self.hand_back(from, answer);
            self.leave_line(key, ticket);
            self.fall_back(now, ticket, request);
        } else {
            let decision = self.decision_of(from, request.ask, answer);
            if answer.allowed || answer.whole {
                self.remember(now, asked, request.ask, &decision);
            }
            self.conclude(now, one, from, answer, decision);
        }
        self.ask_next(now, key);
    }

    /// A request was answered in time: the answer is its decision, unless somebody else may say
    /// otherwise.
    fn conclude(
        &mut self,
        now: Nanos,
        one: Waiting,
        from: NodeId,
        answer: Answer,
        decision: Decision,
    ) {
        let Waiting {
            ticket, request, ..
        } = one;
        if !answer.allowed && from != self.id && self.has(request.ask, now) {
            self.leave_line(answer.key, ticket);
            self.fall_back(now, ticket, request);
            return;
        }
        if !answer.allowed && one.turned < TURNS_MAX {
            let place = self.place_of(request.ask, now);
            if place.is_some_and(|place| place != from && place != self.id) {
                self.turn_elsewhere(answer.key, ticket);
                return;
            }
        }
        self.leave_line(answer.key, ticket);
        if answer.allowed || answer.whole {
            self.answered(ticket, decision);
        } else {
            // The holder cannot speak for the cluster and has nothing: this node looks for itself.
            self.fall_back(now, ticket, request);
        }
    }

    /// A request is asked once more, of who holds the key now.
    fn turn_elsewhere(&mut self, key: KeyId, ticket: Ticket) {
        let line = self.asking.lines.get_mut(&key).into_iter();
        let mut waiting = line.flat_map(|line| line.waiting.iter_mut());
        if let Some(one) = waiting.find(|one| one.ticket == ticket) {
            (one.asked, one.turned) = (None, one.turned + 1);
        }
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
        let cost_units = NonZero::new(ask.cost_units).filter(|_| answer.allowed);
        let charge = cost_units.map(|cost_units| Charge {
            node: holder,
            key: ask.key,
            number: answer.charge,
            spot: Spot::UNKNOWN,
            cost_units,
        });
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
            retry_after_ns: if answer.allowed {
                NO_RETRY
            } else {
                duration_ns(retry)
            },
            reset_after_ns: answer.reset_after_ns,
            view_age_ns: 0,
            decided_at_ns: answer.decided_at_ns,
            charge,
        }
    }

    /// Remembers a refusal until it may be asked again, and not for long: units can come back
    /// sooner than by draining, by refunds that this node does not hear of. It counts from when it was
    /// asked: the next question takes as long on its way as this one did.
    ///
    /// Who holds a part itself asks others on the chance that they have more, and the less often the
    /// more often it was in vain.
    fn remember(&mut self, now: Nanos, asked: Asked, ask: Ask, decision: &Decision) {
        let place = (ask.key, asked.holder);
        if decision.is_allowed() {
            self.asking.was_given(place, now);
        }
        let Some(retry_after) = decision.retry_after().filter(|_| asked.holder != self.id) else {
            return;
        };
        let most_ns = self.config.ticks_ns(REFUSAL_TICKS);
        let holds = self
            .table
            .with_contended(ask.key, |entry, _| !entry.account.share().is_none());
        let former = self.asking.refusals.get(&place);
        let in_vain = former
            .filter(|_| holds == Some(true))
            .map_or(0, |former| former.in_vain + 1);
        let rest = retry_after.saturating_mul(1 << in_vain.min(VAIN_DOUBLINGS_MAX));
        let remembered = Remembered {
            cost_units: ask.cost_units,
            until: asked.at.after(rest).min(Nanos(now.0 + most_ns)),
            retry_at: asked.at.after(retry_after),
            reset_at: now.after(decision.reset_after()),
            in_vain,
        };
        self.asking.was_refused(place, remembered);
    }

    /// Refuses here what the holder at `place` has just refused: it holds for as large a cost until
    /// then.
    fn refused_by(&self, place: Option<NodeId>, ask: Ask, now: Nanos) -> Option<Decision> {
        let holder = place.filter(|place| *place != self.id)?;
        let refusal = self.asking.refusal(ask, holder, now)?;
        Some(Decision {
            verdict: Verdict::Refused(Refusal::OverLimit),
            basis: Basis::Holder(holder),
            burst_units: self.table.policy(ask.limit).pace.burst_units(),
            remaining_units: 0,
            retry_after_ns: duration_ns(refusal.retry_at.since(now)),
            reset_after_ns: duration_ns(refusal.reset_at.since(now)),
            view_age_ns: 0,
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
            if let Some(Asked { holder, .. }) = asked {
                let tick_ns = self.config.ticks_ns(1);
                self.asking.was_slow(holder, now, tick_ns);
            }
            self.asking.give_up(asked);
            self.counters.questions_expired += 1;
            self.decide_alone(now, ticket, request);
            self.ask_next(now, key);
        }
    }

    /// Decides a request without an answer: what is lacking here is a want, unless the rest is used
    /// up too.
    fn decide_alone(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let Ask { limit, key, .. } = request.ask;
        let wants = !self.ledger.is_leaving() && !self.speaks_for(limit, key, now);
        match self.config.fallback {
            Fallback::OwnShare if wants => {
                let decision = self.table.check_unanswered(request.ask, now);
                self.answered(ticket, decision);
            }
            _ => self.fall_back(now, ticket, request),
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
        self.asking.slow.clear();
        for line in self.asking.lines.values_mut() {
            line.waiting.iter_mut().for_each(|one| one.asked = None);
        }
        let keys: Vec<_> = self.asking.lines.keys().copied().collect();
        keys.into_iter().for_each(|key| self.ask_next(now, key));
    }

    fn fall_back(&mut self, now: Nanos, ticket: Ticket, request: Request) {
        let decision = match self.config.fallback {
            Fallback::OwnShare => self.table.admit(request.ask, now),
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
                Decision {
                    verdict,
                    basis: Basis::Fallback,
                    retry_after_ns: duration_ns(self.config.tick),
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
                cost_units: charge.cost_units.get(),
            };
            return self.table.refund(ask, (charge.number, charge.spot), now);
        }
        self.asking.refusals.remove(&(charge.key, charge.node));
        let refund = Refund {
            limit: self.table.policy(limit).id,
            key: charge.key,
            charge: charge.number,
            cost_units: charge.cost_units.get(),
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
            self.table.refund(ask, (refund.charge, Spot::UNKNOWN), now);
        }
    }
}
