//! Which charges were refunded already.
//!
//! A charge is a number from a counter. The last [`WINDOW`] of them are remembered as one bit each,
//! as a receiver of numbered packets remembers which it has seen; a receipt older than that is
//! refused, because nobody remembers whether it was used.
//!
//! With each charge is remembered where it lies in its bucket: units drain in the order in which they
//! went in, and what has drained since was given back already. A refund takes its units out of the
//! middle of that order; the last few are remembered for the sake of the charges before and after.

use std::collections::VecDeque;

use crate::limit::UnitsTime;
use crate::units::{Amount, KeyId};

/// How many charges back a refund can reach, for each shard.
pub(super) const WINDOW: u64 = 4096;

/// How many refunds are remembered, for each shard. What came before them is taken to have changed the
/// bucket of every quiet key.
const RECENT_MAX: usize = 256;

const WORDS: usize = (WINDOW / 64) as usize;

/// Where a charge lies in its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has drained when so much has gone out of the account in all.
    Filled(Amount),
    /// It has drained by then: the key was quiet.
    Drains(UnitsTime),
}

/// Numbers charges and remembers which were refunded.
#[derive(Debug)]
pub(super) struct Receipts {
    last: u64,
    refunded: Box<[u64; WORDS]>,
    /// By number, modulo [`WINDOW`]: as long as there were charges.
    places: Vec<Place>,
    recent: VecDeque<Refunded>,
    /// The last charge when the last that was forgotten of them was taken back.
    forgotten: u64,
}

/// What was taken back.
#[derive(Clone, Copy, Debug)]
struct Refunded {
    key: KeyId,
    number: u64,
    /// The last charge at that time.
    after: u64,
    amount: Amount,
}

impl Receipts {
    pub(super) fn new() -> Self {
        Self {
            last: 0,
            refunded: Box::new([0; WORDS]),
            places: Vec::new(),
            recent: VecDeque::new(),
            forgotten: 0,
        }
    }

    /// The number of the last charge.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Numbers a charge.
    pub(super) fn issue(&mut self, place: Place) -> u64 {
        self.last += 1;
        let (word, bit) = bit_of(self.last);
        self.refunded[word] &= !bit;
        match self.places.get_mut(index_of(self.last)) {
            Some(former) => *former = place,
            None => self.places.push(place),
        }
        self.last
    }

    /// Uses a receipt up; says where the charge lies if it was good.
    pub(super) fn redeem(&mut self, number: u64) -> Option<Place> {
        if number == 0 || number > self.last || self.last - number >= WINDOW {
            return None;
        }
        let (word, bit) = bit_of(number);
        let fresh = self.refunded[word] & bit == 0;
        self.refunded[word] |= bit;
        let place = self.places.get(index_of(number)).copied();
        place.filter(|_| fresh)
    }

    /// Remembers how much of a charge was taken back.
    pub(super) fn took_back(&mut self, key: KeyId, number: u64, amount: Amount) {
        if self.recent.len() >= RECENT_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.forgotten = oldest.after;
        }
        let after = self.last;
        self.recent.push_back(Refunded {
            key,
            number,
            after,
            amount,
        });
    }

    /// A contended key is quiet again: when earlier charges drain nobody can say any more.
    pub(super) fn settled(&mut self, key: KeyId) {
        self.took_back(key, 0, Amount::MAX);
    }

    /// What was taken back, after one charge, of those of a key that came later than another: it went
    /// out of the account, and not by draining. What is forgotten of it only makes a refund smaller.
    pub(super) fn taken_behind(&self, key: KeyId, number: u64, since: u64) -> Amount {
        let behind = |of: &Refunded| of.number > number && of.after > since;
        self.taken(|refunded| refunded.key == key && behind(refunded))
    }

    /// What was taken back of earlier charges of a key since, up to another charge: what came later
    /// drains the sooner.
    pub(super) fn taken_ahead(&self, key: KeyId, number: u64, until: u64) -> Amount {
        if number <= self.forgotten {
            return Amount::MAX;
        }
        let ahead = |of: &Refunded| of.number < number && (number..=until).contains(&of.after);
        self.taken(|refunded| refunded.key == key && ahead(refunded))
    }

    fn taken(&self, which: impl Fn(&Refunded) -> bool) -> Amount {
        let taken = self.recent.iter().filter(|refunded| which(refunded));
        taken.fold(Amount::ZERO, |sum, of| sum.saturating_add(of.amount))
    }
}

/// The first charge has the number 1.
const fn index_of(number: u64) -> usize {
    ((number - 1) % WINDOW) as usize
}

const fn bit_of(number: u64) -> (usize, u64) {
    ((number % WINDOW / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::{Limit, Pace};
    use crate::table::{Ask, LimitIndex, Policy, Settlement, Table, TableConfig};
    use crate::units::{LimitId, Nanos, NodeId, Share};

    const START: Nanos = Nanos(1_000_000_000);

    /// A table that holds half of a limit of 10 a second.
    fn half() -> Table {
        let limit = Limit::per_second(10);
        let policy = Policy {
            id: LimitId(7),
            limit,
            pace: Pace::new(limit),
        };
        let table = Table::new(
            NodeId(1),
            TableConfig {
                policies: vec![policy],
                keys_max: 1000,
                tick_ns: 100_000_000,
                clustered: true,
            },
        );
        let base = Share::WHOLE.portion(1, 2);
        let growth = vec![crate::limit::Fullness::EMPTY];
        let settlement = Settlement {
            base,
            growth,
            ..Settlement::default()
        };
        table.install(&settlement, START);
        table
    }

    /// Charges, after so many milliseconds; the number of the charge.
    fn charge(table: &Table, after_ms: u64, cost_units: u64) -> u64 {
        let now = START.after(Duration::from_millis(after_ms));
        let decision = table.check(ask(cost_units), now);
        decision.charge.expect("it has room").number
    }

    const fn ask(cost_units: u64) -> Ask {
        Ask {
            limit: LimitIndex(0),
            key: KeyId(3),
            cost_units,
        }
    }

    fn level_after_refund(table: &Table, after_ms: u64, cost_units: u64, charge: u64) -> f64 {
        let now = START.after(Duration::from_millis(after_ms));
        assert!(table.refund(ask(cost_units), charge, now));
        table.peek(LimitIndex(0), KeyId(3), now).level_units
    }

    #[test]
    fn what_has_drained_is_not_given_back_again() {
        let table = half();
        let drained = charge(&table, 0, 5);
        charge(&table, 2000, 3);
        assert_eq!(level_after_refund(&table, 2000, 5, drained), 3.0);
        // Half of what was there at 3 s has drained when 2 more come: half of it is left.
        let table = half();
        charge(&table, 0, 5);
        let half_drained = charge(&table, 1000, 2);
        charge(&table, 1200, 2);
        assert_eq!(level_after_refund(&table, 1200, 2, half_drained), 2.0);
    }

    #[test]
    fn a_charge_of_when_the_key_was_quiet_is_good_while_it_is_contended() {
        let table = half();
        let quiet = charge(&table, 0, 2);
        charge(&table, 100, 3);
        assert!(table.contended_keys() == [KeyId(3)]);
        // 5 less the half unit that has drained, less all 2 but that half.
        assert_eq!(level_after_refund(&table, 100, 2, quiet), 3.0);
    }

    #[test]
    fn of_what_was_charged_before_a_key_settled_nothing_is_known_to_be_left() {
        let (key, other) = (KeyId(3), KeyId(4));
        let mut receipts = Receipts::new();
        let before = receipts.issue(Place::Drains(UnitsTime(5)));
        receipts.settled(key);
        let after = receipts.issue(Place::Drains(UnitsTime(9)));
        assert_eq!(receipts.taken_ahead(key, before, u64::MAX), Amount::MAX);
        assert_eq!(receipts.taken_ahead(key, after, u64::MAX), Amount::ZERO);
        assert_eq!(receipts.taken_ahead(other, before, u64::MAX), Amount::ZERO);
        (0..RECENT_MAX).for_each(|_| receipts.settled(other));
        assert_eq!(
            receipts.taken_ahead(KeyId(5), before, u64::MAX),
            Amount::MAX
        );
    }

    #[test]
    fn what_was_taken_back_behind_a_charge_has_not_drained_it() {
        let table = half();
        charge(&table, 0, 3);
        let (early, late) = (charge(&table, 200, 1), charge(&table, 200, 2));
        // One of the first three has drained. The last two go first, then the one before.
        assert_eq!(level_after_refund(&table, 200, 2, late), 3.0);
        assert_eq!(level_after_refund(&table, 200, 1, early), 2.0);
    }

    #[test]
    fn a_receipt_is_good_once_and_not_for_ever() {
        let at = |time| Place::Drains(UnitsTime(time));
        let mut receipts = Receipts::new();
        let first = receipts.issue(at(1));
        assert_eq!(receipts.redeem(first), Some(at(1)));
        assert_eq!(receipts.redeem(first), None);
        assert_eq!(receipts.redeem(first + 1), None);
        assert_eq!(receipts.redeem(0), None);
        let old = receipts.issue(at(2));
        (0..WINDOW).for_each(|number| {
            receipts.issue(at(number));
        });
        assert_eq!(receipts.redeem(old), None);
        assert_eq!(receipts.redeem(old + WINDOW), Some(at(WINDOW - 1)));
        assert_eq!(receipts.redeem(old + WINDOW), None);
        assert_eq!(receipts.places.len() as u64, WINDOW);
    }
}
