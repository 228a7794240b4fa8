//! Which charges were refunded already.
//!
//! A charge is a number from a counter. The last [`WINDOW`] of them are remembered as one bit each,
//! as a receiver of numbered packets remembers which it has seen; a receipt older than that is
//! refused, because nobody remembers whether it was used.

/// How many charges back a refund can reach, for each shard.
pub(super) const WINDOW: u64 = 4096;

const WORDS: usize = (WINDOW / 64) as usize;

/// Numbers charges and remembers which were refunded.
#[derive(Debug)]
pub(super) struct Receipts {
    last: u64,
    refunded: Box<[u64; WORDS]>,
}

impl Receipts {
    pub(super) fn new() -> Self {
        Self {
            last: 0,
            refunded: Box::new([0; WORDS]),
        }
    }

    /// Numbers a charge.
    pub(super) fn issue(&mut self) -> u64 {
        self.last += 1;
        let (word, bit) = place(self.last);
        self.refunded[word] &= !bit;
        self.last
    }

    /// Uses a receipt up; says whether it was good.
    pub(super) fn redeem(&mut self, number: u64) -> bool {
        if number == 0 || number > self.last || self.last - number >= WINDOW {
            return false;
        }
        let (word, bit) = place(number);
        let fresh = self.refunded[word] & bit == 0;
        self.refunded[word] |= bit;
        fresh
    }
}

const fn place(number: u64) -> (usize, u64) {
    ((number % WINDOW / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_good_once_and_not_for_ever() {
        let mut receipts = Receipts::new();
        let first = receipts.issue();
        assert!(receipts.redeem(first));
        assert!(!receipts.redeem(first));
        assert!(!receipts.redeem(first + 1) && !receipts.redeem(0));
        let old = receipts.issue();
        (0..WINDOW).for_each(|_| {
            receipts.issue();
        });
        assert!(!receipts.redeem(old));
        assert!(receipts.redeem(old + WINDOW) && !receipts.redeem(old + WINDOW));
    }
}
