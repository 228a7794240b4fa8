//! Which charges were refunded already.
//!
//! A charge is a number from a counter. Of the last [`WINDOW`] of them it is remembered which were
//! refunded; a receipt older than that is refused, because nobody remembers whether it was used.
//!
//! A receipt says where its charge lies in its bucket: units drain in the order in which they went
//! in, and what has drained since was given back already. Where a receipt travels by its number alone
//! the place is kept here. A refund takes its units out of the middle of that order; the last few are
//! remembered for the sake of the charges before and after.

use std::collections::{BTreeSet, VecDeque};

use super::places::Places;
use crate::limit::{Place, Spot};
use crate::units::{Amount, KeyId};

/// How many charges back a refund can reach, for each shard.
pub(super) const WINDOW: u64 = 4096;

/// How many refunds are remembered, for each shard. What came before them is taken to have changed the
/// bucket of every quiet key.
const RECENT_MAX: usize = 256;

/// Numbers charges and remembers which were refunded.
///
/// What a charge needs comes first, and the rest is elsewhere: see `Shard`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Receipts {
    last: u64,
    kept: Box<Kept>,
}

/// What refunds need.
#[derive(Debug, Default)]
struct Kept {
    refunded: BTreeSet<u64>,
    places: Places,
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
            kept: Box::default(),
        }
    }

    /// The number of the last charge.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Numbers a charge.
    pub(super) const fn issue(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Keeps the place of the charge that was numbered last.
    #[inline]
    pub(super) fn keep(&mut self, spot: Spot) {
        self.kept.places.keep(self.last, spot);
    }

    /// The place that was kept of a charge, if it is not too long ago.
    pub(super) fn place_of(&self, number: u64) -> Option<Place> {
        self.kept.places.of(number)
    }

    /// Uses a receipt up; says whether it was good.
    pub(super) fn redeem(&mut self, number: u64) -> bool {
        if number == 0 || number > self.last || self.last - number >= WINDOW {
            return false;
        }
        let oldest = self.last.saturating_sub(WINDOW);
        while self
            .kept
            .refunded
            .first()
            .is_some_and(|first| *first <= oldest)
        {
            self.kept.refunded.pop_first();
        }
        self.kept.refunded.insert(number)
    }

    /// Remembers how much of a charge was taken back.
    pub(super) fn took_back(&mut self, key: KeyId, number: u64, amount: Amount) {
        if self.kept.recent.len() >= RECENT_MAX
            && let Some(oldest) = self.kept.recent.pop_front()
        {
            self.kept.forgotten = oldest.after;
        }
        let after = self.last;
        self.kept.recent.push_back(Refunded {
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
        if number <= self.kept.forgotten {
            return Amount::MAX;
        }
        let ahead = |of: &Refunded| of.number < number && (number..=until).contains(&of.after);
        self.taken(|refunded| refunded.key == key && ahead(refunded))
    }

    fn taken(&self, which: impl Fn(&Refunded) -> bool) -> Amount {
        let taken = self.kept.recent.iter().filter(|refunded| which(refunded));
        taken.fold(Amount::ZERO, |sum, of| sum.saturating_add(of.amount))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::{Charge, Limit, UnitsTime};
    use crate::table::fixture::{self, LIMIT, NOW};
    use crate::table::{Ask, Table};
    use crate::units::Share;

    /// A table that holds half of a limit of 10 a second.
    fn half() -> Table {
        fixture::table(Limit::per_second(10), Share::WHOLE.portion(1, 2))
    }

    /// Charges, after so many milliseconds.
    fn charge(table: &Table, after_ms: u64, cost_units: u64) -> Charge {
        let now = NOW.after(Duration::from_millis(after_ms));
        let decision = table.check(ask(cost_units), now);
        decision.charge.expect("it has room")
    }

    const fn ask(cost_units: u64) -> Ask {
        Ask {
            limit: LIMIT,
            key: KeyId(3),
            cost_units,
        }
    }

    fn level_after_refund(table: &Table, after_ms: u64, cost_units: u64, charge: Charge) -> f64 {
        let now = NOW.after(Duration::from_millis(after_ms));
        assert!(table.refund(ask(cost_units), (charge.number, charge.spot), now));
        table.peek(LIMIT, KeyId(3), now).level_units
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
        let before = receipts.issue();
        receipts.settled(key);
        let after = receipts.issue();
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
        let mut receipts = Receipts::new();
        let first = receipts.issue();
        assert!(receipts.redeem(first));
        assert!(!receipts.redeem(first));
        assert!(!receipts.redeem(first + 1));
        assert!(!receipts.redeem(0));
        let old = receipts.issue();
        (0..WINDOW).for_each(|_| {
            receipts.issue();
        });
        assert!(!receipts.redeem(old));
        assert!(receipts.redeem(old + WINDOW));
        assert!(!receipts.redeem(old + WINDOW));
        assert_eq!(
            receipts.kept.refunded.len(),
            1,
            "what is too old is forgotten"
        );
    }

    #[test]
    fn the_places_of_the_last_charges_are_kept() {
        let at = |time| Place::Drains(UnitsTime(time));
        let mut receipts = Receipts::new();
        let first = receipts.issue();
        receipts.keep(Spot::of(at(1)));
        let second = receipts.issue();
        let third = receipts.issue();
        receipts.keep(Spot::of(at(3)));
        let places = [first, second, third].map(|number| receipts.place_of(number));
        assert_eq!(places, [Some(at(1)), None, Some(at(3))]);
        (0..WINDOW).for_each(|number| {
            receipts.issue();
            receipts.keep(Spot::of(at(number)));
        });
        assert_eq!(receipts.place_of(third), None);
    }
}
