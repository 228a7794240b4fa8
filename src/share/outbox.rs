//! Grants on their way: exactly once and in order for each (from, to) pair and view.
//!
//! The sender keeps a grant until the receiver's acknowledged number covers it, and sends it again
//! meanwhile; the receiver applies number `n` only after `n − 1`. Both sides start anew with each
//! view: what was outstanding in an older one goes into the sender's opening, and the
//! view change accounts for it.

use std::collections::VecDeque;

use crdts::{CmRDT, VClock};
use serde::{Deserialize, Serialize};

use crate::limit::Parcel;
use crate::units::{Amount, KeyId, LimitId, NodeId, Share};

/// A parcel of a key on its way from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Its place among the sender's grants to this receiver in this view, from 1.
    pub number: u64,
    /// The limit that the key is under.
    pub limit: LimitId,
    /// The key.
    pub key: KeyId,
    /// The share of the burst that moves.
    pub share: Share,
    /// The share of the rate that moves.
    pub rate: Share,
    /// The right of overdraft that moves.
    pub overdraft: Share,
    /// The level that comes with it.
    pub level: Amount,
}

impl Grant {
    /// What it brings.
    #[must_use]
    pub const fn parcel(&self) -> Parcel {
        Parcel {
            share: self.share,
            rate: self.rate,
            overdraft: self.overdraft,
            level: self.level,
        }
    }
}

/// Most grants that may be outstanding towards one peer: units must not pile up towards somebody
/// who does not answer.
pub(crate) const OUTSTANDING_MAX: usize = 1024;

/// Most that may be outstanding together with what is passed on for want of room: two nodes without
/// room for what the other sends would wait for each other, were there no more for that.
const OUTSTANDING_PASSED_MAX: usize = 2 * OUTSTANDING_MAX;

/// One sender's outstanding grants to one receiver, in one view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outbox {
    pending: VecDeque<Grant>,
    last: u64,
}

impl Outbox {
    /// Whether another grant may be added.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < OUTSTANDING_MAX
    }

    /// Whether a grant may be added that came from somebody, and for which there is no room here.
    #[must_use]
    pub fn has_room_to_pass(&self) -> bool {
        self.pending.len() < OUTSTANDING_PASSED_MAX
    }

    /// Adds a grant of `parcel`, which has already left the sender's account.
    pub fn push(&mut self, limit: LimitId, key: KeyId, parcel: Parcel) {
        // The caller has asked has_room: a parcel that left an account must not be dropped here.
        debug_assert!(self.has_room_to_pass());
        self.last += 1;
        let Parcel {
            share,
            rate,
            overdraft,
            ..
        } = parcel;
        self.pending.push_back(Grant {
            number: self.last,
            limit,
            key,
            share,
            rate,
            overdraft,
            level: planted!(LevelNotCarried, Amount::ZERO, parcel.level),
        });
    }

    /// Lets go of all up to `number`, which the receiver has applied; says whether that was any.
    pub fn acknowledge(&mut self, number: u64) -> bool {
        let before = self.pending.len();
        while self
            .pending
            .front()
            .is_some_and(|grant| grant.number <= number)
        {
            self.pending.pop_front();
        }
        self.pending.len() < before
    }

    /// The number of the last grant that was added.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// What is not yet acknowledged of the grants after number `after`, in order.
    pub fn after(&self, after: u64) -> impl Iterator<Item = &Grant> {
        let first = self.pending.front().map_or(0, |grant| grant.number);
        let skipped = (after + 1).saturating_sub(first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        self.pending.range(skipped.min(self.pending.len())..)
    }

    /// How many are not yet acknowledged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// What is not yet acknowledged, in order.
    pub fn pending(&self) -> impl Iterator<Item = &Grant> {
        self.pending.iter()
    }

    #[cfg(test)]
    /// The share of `key` that is on its way.
    #[must_use]
    pub fn in_flight(&self, key: KeyId) -> Share {
        self.pending
            .iter()
            .filter(|grant| grant.key == key)
            .map(|grant| grant.share)
            .sum()
    }

    /// Whether everything was acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Voids all of it, for a new view.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What one receiver has applied of everybody's grants, in one view: a version vector, and the
/// acknowledged clock that senders wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AppliedClock(VClock<NodeId>);

impl AppliedClock {
    /// Whether this grant is the next to apply: not a repeat, and nothing before it is missing.
    #[must_use]
    pub fn is_next(&self, from: NodeId, number: u64) -> bool {
        let again = planted!(GrantAppliedTwice) && (1..=self.of(from)).contains(&number);
        number == self.of(from) + 1 || again
    }

    /// Notes that the next one of `from` was applied.
    pub fn advance(&mut self, from: NodeId) {
        self.0.apply(self.0.inc(from));
    }

    /// The number of the last grant that was applied, of each sender.
    pub fn all(&self) -> impl Iterator<Item = (NodeId, u64)> {
        self.0.iter().map(|dot| (*dot.actor, dot.counter))
    }

    /// The number to acknowledge to `from`.
    #[must_use]
    pub fn of(&self, from: NodeId) -> u64 {
        self.0.get(&from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// INV-3: whatever is lost, doubled or reordered, each grant is applied once, in order.
        #[test]
        fn grants_arrive_exactly_once_in_order(
            count in 1u64..20, deliveries in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..200),
        ) {
            let mut outbox = Outbox::default();
            for share in 1..=count {
                let parcel = Parcel { share: Share::from_parts(share), ..Parcel::default() };
                outbox.push(LimitId(0), KeyId(0), parcel);
            }
            let (mut clock, mut applied) = (AppliedClock::default(), Vec::new());
            let from = NodeId(4);
            let sent: Vec<_> = outbox.pending().copied().collect();
            for (index, acknowledge) in deliveries {
                let grant = index.get(&sent);
                if clock.is_next(from, grant.number) {
                    clock.advance(from);
                    applied.push(grant.share.parts());
                }
                if acknowledge {
                    outbox.acknowledge(clock.of(from));
                }
            }
            let expected: Vec<_> = (1..=applied.len() as u64).collect();
            prop_assert_eq!(applied, expected);
            let left = outbox.in_flight(KeyId(0));
            prop_assert!(left.parts() >= ((clock.of(from) + 1)..=count).sum::<u64>());
        }
    }
}
