//! What the asking side of `acquire` keeps: requests in line, and what was learned of who is asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Request, Ticket};
use crate::table::Ask;
use crate::units::{KeyId, Nanos, NodeId};
use crate::wire::Answer;

/// Questions given up whose answers are still looked out for: of what they charge, more is burned.
const GIVEN_UP_MAX: usize = 65_536;

/// Refusals remembered: an exhausted key costs no round trip for each request.
const REFUSALS_MAX: usize = 65_536;

/// Questions of one key in flight at once.
const WINDOW_MAX: usize = 64;

/// Who has answered nothing in time for so many ticks is not asked for so many, and for twice as many
/// each time again.
const SLOW_PATIENCE_TICKS: u64 = 2;
const SLOW_TICKS: u64 = 5;
const SLOW_DOUBLINGS_MAX: u32 = 6;

/// How often in a row is remembered for so many ticks after.
const SLOW_KEPT_TICKS: u64 = 600;

/// The requests that wait, and what was refused of late.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) lines: BTreeMap<KeyId, Line>,
    pub(super) refusals: BTreeMap<(KeyId, NodeId), Remembered>,
    pub(super) numbers: u64,
    /// Who waits until when, the first to be late first.
    pub(super) deadlines: BTreeSet<(Nanos, KeyId, Ticket)>,
    /// Questions whose requests were decided otherwise: what their answers charge is handed back.
    pub(super) given_up: BTreeSet<(u64, NodeId)>,
    /// Whose answers came too late of late.
    pub(super) slow: BTreeMap<NodeId, Slow>,
    /// Answers that this node gave itself, taken one after the other: each may lead to the next.
    pub(super) own_answers: VecDeque<Answer>,
    pub(super) takes_own: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) waiting: VecDeque<Waiting>,
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
    pub(super) fn learn(&mut self, allowed: bool) {
        self.window = match allowed {
            true => (self.window * 2).min(WINDOW_MAX),
            false => 1,
        };
    }

    /// The first that was not asked for yet, and whether another question may be put.
    pub(super) fn next(&self) -> Option<(Ticket, Request, bool)> {
        let asked = self.waiting.iter().filter(|one| one.asked.is_some());
        let next = self.waiting.iter().find(|one| one.asked.is_none())?;
        Some((next.ticket, next.request, asked.count() < self.window))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) request: Request,
    pub(super) asked: Option<Asked>,
    /// How often it was asked before, of who had just given the key away or had too little of it.
    pub(super) turned: u32,
}

/// A question in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) holder: NodeId,
    pub(super) at: Nanos,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    pub(super) cost_units: u64,
    /// Until when it is taken for the holder's word.
    pub(super) until: Nanos,
    pub(super) retry_at: Nanos,
    pub(super) reset_at: Nanos,
    /// How often in a row that holder was asked in vain.
    pub(super) in_vain: u32,
}

/// Who does not answer in time: its answers would be of no use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    /// Since when it has answered nothing in time.
    since: Nanos,
    until: Nanos,
    times: u32,
}

impl Asking {
    /// Notes that a holder did not answer in time.
    pub(super) fn was_slow(&mut self, holder: NodeId, now: Nanos, tick_ns: u64) {
        let fresh = Slow {
            since: now,
            until: Nanos::ZERO,
            times: 0,
        };
        let slow = self.slow.entry(holder).or_insert(fresh);
        let long = now.0.saturating_sub(slow.since.0) >= tick_ns * SLOW_PATIENCE_TICKS;
        if long && slow.until <= now {
            let rest_ns = (tick_ns * SLOW_TICKS) << slow.times.min(SLOW_DOUBLINGS_MAX);
            slow.until = Nanos(now.0.saturating_add(rest_ns));
            slow.times += 1;
        }
    }

    /// Whether a holder did not answer in time of late, nor was due to be asked again since.
    pub(super) fn is_slow(&self, holder: NodeId, now: Nanos) -> bool {
        self.slow.get(&holder).is_some_and(|slow| slow.until > now)
    }

    /// A holder has given some of a key: it may be asked again, and is waited for less long if that is
    /// in vain.
    pub(super) fn was_given(&mut self, place: (KeyId, NodeId), now: Nanos) {
        if let Some(refusal) = self.refusals.get_mut(&place) {
            refusal.until = now;
            refusal.in_vain /= 2;
        }
    }

    /// A holder has refused some of a key. Of more than can be remembered the newest are not, until
    /// with the next tick there is room again: they cost a round trip each.
    pub(super) fn was_refused(&mut self, place: (KeyId, NodeId), refusal: Remembered) {
        if self.refusals.len() < REFUSALS_MAX || self.refusals.contains_key(&place) {
            self.refusals.insert(place, refusal);
        }
    }

    /// The first request whose deadline has passed.
    pub(super) fn late(&mut self, now: Nanos) -> Option<(Nanos, KeyId, Ticket)> {
        let first = *self.deadlines.first()?;
        (first.0 <= now && !planted!(QuestionsUnanswered)).then_some(first)?;
        self.deadlines.pop_first()
    }

    pub(super) fn earliest(&self) -> Option<Nanos> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// Waits no longer for the answer to a question.
    pub(super) fn give_up(&mut self, asked: Option<Asked>) {
        if let Some(Asked { number, holder, .. }) = asked {
            self.given_up.insert((number, holder));
        }
        if self.given_up.len() > GIVEN_UP_MAX {
            // The oldest: its answer was lost long ago.
            self.given_up.pop_first();
        }
    }

    /// Drops refusals that nobody has asked about again for a tick, and who was slow long ago.
    pub(super) fn forget(&mut self, now: Nanos, tick_ns: u64) {
        self.refusals
            .retain(|_, refusal| refusal.until.0.saturating_add(tick_ns) > now.0);
        // Who was not asked again for as long as it rested may have become faster.
        self.slow.retain(|_, slow| {
            slow.until
                .max(slow.since)
                .0
                .saturating_add(SLOW_KEPT_TICKS * tick_ns)
                > now.0
        });
    }

    /// What a holder has said of late that refused as much of a key.
    pub(super) fn refusal(&self, ask: Ask, holder: NodeId, now: Nanos) -> Option<&Remembered> {
        let refusal = self.refusals.get(&(ask.key, holder));
        refusal.filter(|r| r.until > now && ask.cost_units >= r.cost_units)
    }

    /// Whether a holder has refused as much of a key of late.
    pub(super) fn is_refused(&self, ask: Ask, holder: NodeId, now: Nanos) -> bool {
        self.refusal(ask, holder, now).is_some()
    }

    pub(super) fn refusals(&self) -> usize {
        self.refusals.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 100;

    #[test]
    fn one_late_answer_is_none_and_many_are_waited_for_ever_less() {
        let mut asking = Asking::default();
        let holder = NodeId(1);
        let mut slow_at = |now| {
            asking.was_slow(holder, Nanos(now), TICK_NS);
            let until = (now..)
                .step_by(100)
                .find(|at| !asking.is_slow(holder, Nanos(*at)));
            until.map_or(0, |until| until - now)
        };
        assert_eq!(slow_at(1000), 0);
        assert_eq!(slow_at(1199), 0);
        assert_eq!(slow_at(1200), 500);
        assert_eq!(slow_at(1800), 1000);
        asking.slow.remove(&holder);
        asking.was_slow(holder, Nanos(3000), TICK_NS);
        assert!(
            !asking.is_slow(holder, Nanos(3000)),
            "it has answered in between"
        );
    }

    #[test]
    fn at_the_most_refusals_nothing_else_is_forgotten() {
        let mut asking = Asking::default();
        let (slow, holder) = (NodeId(1), NodeId(2));
        asking.was_slow(slow, Nanos(1000), TICK_NS);
        asking.was_slow(slow, Nanos(1200), TICK_NS);
        let refusal = |until| Remembered {
            cost_units: 1,
            until: Nanos(until),
            retry_at: Nanos(until),
            reset_at: Nanos(until),
            in_vain: 0,
        };
        let place = |index: usize| (KeyId(index as u128), holder);
        for index in 0..=REFUSALS_MAX {
            asking.was_refused(place(index), refusal(1800));
        }
        assert_eq!(asking.refusals(), REFUSALS_MAX);
        asking.was_refused(place(0), refusal(1850));
        assert_eq!(asking.refusals[&place(0)].until, Nanos(1850), "it is known");
        asking.was_slow(slow, Nanos(1900), TICK_NS);
        assert!(
            asking.is_slow(slow, Nanos(2899)),
            "the second time in a row"
        );
        asking.forget(Nanos(1900), TICK_NS);
        assert_eq!(asking.refusals(), 1);
        assert!(asking.is_slow(slow, Nanos(2899)));
    }
}
