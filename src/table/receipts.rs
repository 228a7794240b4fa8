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

/// How many refunds are remembered, for each shard.
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
        }
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
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        let after = self.last;
        self.recent.push_back(Refunded {
            key,
            number,
            after,
            amount,
        });
    }

    /// What was taken back of charges of a key that came later: it went out of the account, and not
    /// by draining. What is forgotten of it only makes a refund smaller.
    pub(super) fn taken_behind(&self, key: KeyId, number: u64) -> Amount {
        self.taken(|refunded| refunded.key == key && refunded.number > number)
    }

    /// What was taken back of earlier charges of a key since: what came later drains the sooner.
    pub(super) fn taken_ahead(&self, key: KeyId, number: u64) -> Amount {
        let ahead = |of: &Refunded| of.number < number && of.after >= number;
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
    use super::*;

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
