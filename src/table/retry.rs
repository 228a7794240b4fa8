//! When a request that was refused can be admitted.

use std::time::Duration;

use super::Entry;
use crate::limit::Pace;
use crate::row::{Merged, Standing};
use crate::units::{Amount, Nanos, Share};

/// Longer than anything waits.
pub(super) const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Steps in looking for an instant, at most: two for the bends of each bucket, and as many for what is
/// rounded on the way.
const STEPS_PER_MEMBER: usize = 4;

/// How exactly an instant is looked for.
const GRAIN: Duration = Duration::from_micros(1);

/// A request that was refused just now.
pub(super) struct Wanted<'a> {
    pub(super) entry: &'a Entry,
    pub(super) others: &'a [Standing],
    pub(super) pace: &'a Pace,
    pub(super) cost: Amount,
    pub(super) now: Nanos,
}

impl Wanted<'_> {
    /// After what time this node would admit it, if its peers stay silent. Where it never would on what it
    /// holds alone, when the cluster would by the merged view, a tick from now at the earliest: units
    /// have to travel.
    pub(super) fn retry_after(&self, merged: &Merged, tick_ns: u64) -> Duration {
        let elsewhere = || self.anywhere(merged).max(Duration::from_nanos(tick_ns));
        self.here().unwrap_or_else(elsewhere)
    }

    fn here(&self) -> Option<Duration> {
        let account = &self.entry.account;
        let (room, debt_room) = (account.room(self.pace), account.overdraft_room(self.pace));
        let owned = self.drains_to(room);
        let overdrawn = self
            .drains_to(room.saturating_add(debt_room))
            .filter(|_| !account.overdraft().is_none());
        match overdrawn {
            None => owned,
            Some(earliest) => Some(self.has_too(earliest, owned.unwrap_or(NEVER))),
        }
    }

    /// After what time the cluster's bucket has room for it, by the merged view.
    fn anywhere(&self, merged: &Merged) -> Duration {
        let lacks = self.cost.saturating_sub(merged.balance);
        let drained = self.pace.time_to_drain(lacks, Share::WHOLE, self.now);
        drained.unwrap_or(NEVER)
    }

    /// When the account has drained so far that the request fits in so much room.
    fn drains_to(&self, room: Amount) -> Option<Duration> {
        let account = &self.entry.account;
        let excess = account
            .level()
            .saturating_add(self.cost)
            .saturating_sub(room);
        let fits = self.cost <= room;
        fits.then(|| self.pace.time_to_drain(excess, account.rate(), self.now))
            .flatten()
    }

    /// The first point between two at which the merged view has that much too, to a grain; the latter
    /// if none does. Balances only grow while nobody asks, by straight lines: from each point the
    /// next one to look at is where the line would reach what is wanted, or becomes steeper.
    fn has_too(&self, earliest: Duration, latest: Duration) -> Duration {
        let mut after = earliest;
        for _ in 0..STEPS_PER_MEMBER * (self.others.len() + 1) {
            let now = self.now.after(after);
            let aged = self.entry.aged(self.pace, now);
            let theirs = aged.theirs(self.others, self.pace, now);
            let has = theirs.with(&aged.account, self.pace).balance;
            let lacks = self.cost.saturating_sub(has);
            if lacks == Amount::ZERO {
                return after;
            }
            let growth = aged.growth(&theirs, self.others, self.pace, now);
            let Some(wait) = growth.time_to_gain(lacks, self.pace, now) else {
                return latest;
            };
            after = after.saturating_add(wait.max(GRAIN));
            if after >= latest {
                return latest;
            }
        }
        // Each bucket bends the line twice: when it is out of debt, and when it is empty.
        debug_assert!(false, "more steps than bends");
        latest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::{Account, Limit, UnitsTime};
    use crate::row::Row;
    use crate::table::LimitIndex;
    use crate::table::entry::Opened;
    use crate::units::{KeyId, LimitId, NodeId};

    const NOW: Nanos = Nanos(5_000_000_000);
    const BURST: u64 = 30;

    /// A share in hundredths, a level in tenths of a unit, a rate in hundredths.
    fn holding() -> impl Strategy<Value = (u64, u64, u64)> {
        (0u64..60, 0u64..300, 0u64..60)
    }

    fn share(hundredths: u64) -> Share {
        Share::WHOLE.portion(hundredths, 100)
    }

    fn tenths(units: u64) -> Amount {
        Amount::from_grains(Amount::from_units(units).grains() / 10)
    }

    fn entry(own: (u64, u64, u64), others: &[((u64, u64, u64), u64)], pace: &Pace) -> Entry {
        let at = pace.at(NOW);
        let mut account = Account::open(share(own.0), Share::WHOLE, tenths(own.1), at);
        account.apply(crate::limit::Parcel {
            rate: share(own.2),
            ..Default::default()
        });
        let opened = Opened {
            charge: 0,
            at: UnitsTime(0),
            base: Share::WHOLE,
        };
        let mut entry = Entry::new(LimitIndex(0), account, 0, opened);
        for (node, ((part, level, rate), ago_ms)) in (2..).zip(others) {
            let row = Row {
                filled: tenths(*level),
                share: share(*part),
                rate: share(*rate),
                ..Row::new(LimitId(1), KeyId(1))
            };
            entry
                .rows
                .join(NodeId(node), row, Nanos(NOW.0 - ago_ms * 1_000_000));
        }
        entry
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// What was said to be the first instant is one, and there is none before it.
        #[test]
        fn it_is_the_first_instant(
            own in holding(), others in prop::collection::vec((holding(), 0u64..4000), 0..5),
            cost in 1u64..30, rate in 1u64..100, earliest_ms in 0u64..2000,
        ) {
            let pace = Pace::new(Limit::per_second(rate).burst(BURST));
            let entry = entry(own, &others, &pace);
            let standing = |node| Standing { node: NodeId(node), base: share(10) };
            // One of them has said nothing.
            let members: Vec<_> = (2..3 + others.len() as u64).map(standing).collect();
            let wanted = Wanted {
                entry: &entry,
                others: &members,
                pace: &pace,
                cost: Amount::from_units(cost),
                now: NOW,
            };
            let has = |after: Duration| {
                let then = NOW.after(after);
                entry.aged(&pace, then).merged(&members, &pace, then).balance >= wanted.cost
            };
            let (earliest, latest) = (Duration::from_millis(earliest_ms), Duration::from_secs(100));
            let found = wanted.has_too(earliest, latest);
            prop_assert!(earliest <= found);
            prop_assert!(found >= latest || has(found), "not yet at {found:?}");
            let before = found.min(latest).saturating_sub(2 * GRAIN);
            prop_assert!(before <= earliest || !has(before), "already at {before:?}");
        }
    }
}
