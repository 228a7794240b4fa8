//! Requests: who is asked, and what becomes of them.

use std::time::Duration;

use distributary::proto::{Ask, KeyId, NodeId, Request, Ticket};
use distributary::{Decision, Refusal, Verdict};

use super::World;
use super::marks::Mark;
use super::process::{LIMIT, State};
use crate::dice::Dice;
use crate::history::{Arrival, Basis, Outcome, Unanswered};
use crate::scenario::Mode;

/// Requests that wait for a paused process at most: its backlog.
const BACKLOG_MAX: usize = 10_000;

/// A key's id for each number that occurs, and of one more that nobody asks for.
pub(super) fn keys(seed: u64, arrivals: &[Arrival]) -> Vec<KeyId> {
    let last = arrivals.iter().map(|arrival| arrival.key).max();
    let id = |number| {
        let mut dice = Dice::split(seed, "keys", u64::from(number));
        KeyId((u128::from(dice.roll()) << 64) | u128::from(dice.roll()))
    };
    let unasked = last.map_or(0, |last| last + 1);
    (0..=unasked).map(id).collect()
}

impl World<'_> {
    /// When the next request arrives.
    pub(super) fn request_ns(&self) -> Option<u64> {
        let arrival = self.arrivals.get(self.next_arrival)?;
        Some(self.zero_ns + arrival.at_ns)
    }

    pub(super) fn next_request(&mut self) {
        let number = self.next_arrival;
        self.next_arrival += 1;
        let place = self.arrivals[number].place as usize;
        let Some(process) = self.at_place(place) else {
            self.marks.hit(Mark::NobodyThere);
            return;
        };
        if self.processes[process].state == State::Paused {
            self.wait_for_resume(process, number as u32);
        } else {
            self.decide(process, number as u32);
        }
    }

    fn wait_for_resume(&mut self, process: usize, number: u32) {
        let requests = &mut self.processes[process].requests;
        if requests.len() < BACKLOG_MAX {
            self.marks.hit(Mark::WaitedForResume);
            requests.push(number);
        } else {
            self.unanswered(number, false);
        }
    }

    pub(super) fn decide(&mut self, process: usize, number: u32) {
        let by_acquire = match self.scenario.mode {
            Mode::Check => false,
            Mode::Acquire => true,
            Mode::Mixed(per_cent) => self.modes.within(1, 100) <= u64::from(per_cent),
        };
        let arrival = self.arrivals[number as usize];
        let ask = Ask {
            limit: LIMIT,
            key: self.keys[arrival.key as usize],
            cost_units: arrival.cost,
        };
        self.note_input(process, "request", u64::from(number));
        if by_acquire {
            self.acquire(process, number, ask);
        } else {
            self.check(process, number, ask);
        }
    }

    fn check(&mut self, process: usize, number: u32, ask: Ask) {
        let now_ns = self.now_ns;
        let of = &mut self.processes[process];
        let local = of.local(now_ns);
        let decision = of.table.check(ask, local);
        let rings = of.bell.take();
        self.decided(process, number, &decision);
        if rings {
            self.wake_soon(process);
        }
        if self.options.deep {
            self.sample_holdings();
        }
    }

    fn acquire(&mut self, process: usize, number: u32, ask: Ask) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.processes[process].asked.insert(ticket, number);
        let patience = Duration::from_millis(self.scenario.cluster.acquire_deadline_ms);
        self.with(process, |node, now| {
            let deadline = now.after(patience);
            node.acquire(now, ticket, Request { ask, deadline });
        });
    }

    /// The node has answered a request that was put to it by `acquire`.
    pub(super) fn answered(&mut self, process: usize, ticket: Ticket, decision: &Decision) {
        if let Some(number) = self.processes[process].asked.remove(&ticket) {
            self.decided(process, number, decision);
        }
    }

    fn decided(&mut self, process: usize, number: u32, decision: &Decision) {
        let now_ns = self.since_zero_ns();
        let basis = decision.basis();
        let charged_ns = match basis {
            // A refusal may be one that is remembered: it is dated by the clock of this node then.
            distributary::Basis::Holder(holder) if decision.is_allowed() => {
                self.charged_by(holder, decision, number)
            }
            _ => now_ns,
        };
        self.mark(process, decision);
        self.trace.word(u64::from(decision.is_allowed()));
        self.trace.word(decision.remaining());
        self.outcomes.push(Outcome {
            arrival: number,
            charged_ns: charged_ns.min(now_ns),
            answered_ns: now_ns,
            admitted: decision.is_allowed(),
            basis: match basis {
                distributary::Basis::Overdraft => Basis::Overdraft,
                distributary::Basis::Holder(_) => Basis::Holder,
                distributary::Basis::Fallback => Basis::Fallback,
                _ => Basis::OwnShare,
            },
        });
    }

    /// When a holder has charged, by true time: it says so by its own clock. Where that stood
    /// still, it was not before the request came.
    fn charged_by(&self, holder: NodeId, decision: &Decision, number: u32) -> u64 {
        let came_ns = self.zero_ns + self.arrivals[number as usize].at_ns;
        let of = self.by_id.get(&holder).map(|of| &self.processes[*of].clock);
        let at_ns = of.map_or(self.now_ns, |clock| {
            clock.true_ns_from(decision.decided_at_ns(), came_ns)
        });
        at_ns.saturating_sub(self.zero_ns)
    }

    fn mark(&mut self, process: usize, decision: &Decision) {
        match decision.basis() {
            distributary::Basis::Overdraft => self.marks.hit(Mark::Overdraft),
            distributary::Basis::Fallback => self.marks.hit(Mark::Fallback),
            distributary::Basis::Holder(holder) if holder != self.processes[process].id => {
                self.marks.hit(Mark::HolderDecided);
            }
            _ => {}
        }
        match decision.verdict() {
            Verdict::Refused(Refusal::NoShare) => self.marks.hit(Mark::RefusedNoShare),
            Verdict::Refused(Refusal::NoRoom) => self.marks.hit(Mark::RefusedNoRoom),
            Verdict::Refused(Refusal::CostAboveBurst) => self.marks.hit(Mark::RefusedAboveBurst),
            _ => {}
        }
    }

    /// Nobody will answer these any more.
    pub(super) fn abandon_requests(&mut self, process: usize) {
        let of = &mut self.processes[process];
        let asked = std::mem::take(&mut of.asked);
        let waiting = std::mem::take(&mut of.requests);
        asked
            .into_values()
            .for_each(|number| self.unanswered(number, true));
        waiting
            .into_iter()
            .for_each(|number| self.unanswered(number, false));
    }

    fn unanswered(&mut self, arrival: u32, maybe_charged: bool) {
        self.unanswered.push(Unanswered {
            arrival,
            maybe_charged,
        });
    }
}
