//! How fast the merged balance grows, for looking ahead.

use std::time::Duration;

use super::{Rows, Standing, Theirs};
use crate::limit::{Account, Pace};
use crate::units::{Amount, Nanos, Share};

/// At which rate the merged balance grows if nobody asks: until a bucket is empty, slower from then on,
/// or until one is out of debt, faster from then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    rate: Share,
    faster_after: Option<Duration>,
}

impl Growth {
    /// As of now, by a node's own account, drained up to now, and by what the others have said; `theirs`
    /// is the sum of it.
    #[must_use]
    pub fn of(
        own: &Account,
        (rows, theirs): (&Rows, &Theirs),
        others: &[Standing],
        pace: &Pace,
        now: Nanos,
    ) -> Self {
        let growth = Self::default().with((own.share(), own.level(), own.rate()), pace, now);
        if theirs.is_capped(own, pace) {
            return growth;
        }
        let heard = others.iter().filter_map(|member| rows.of(member.node));
        heard.fold(growth, |growth, heard| {
            let (row, level) = (&heard.row, heard.level_at(now, pace));
            growth.with((row.share, level, row.rate), pace, now)
        })
    }

    fn with(self, (share, level, rate): (Share, Amount, Share), pace: &Pace, now: Nanos) -> Self {
        let room = Amount::share_of_units(share, pace.burst_units());
        if level == Amount::ZERO {
            return self;
        }
        if level <= room {
            let rate = self.rate.saturating_add(rate);
            return Self { rate, ..self };
        }
        let repaid_after = pace.time_to_drain(level.saturating_sub(room), rate, now);
        Self {
            faster_after: sooner(self.faster_after, repaid_after),
            ..self
        }
    }

    /// How long it takes at most to grow by so much, or to grow faster; `None` if it will not grow.
    /// Never too long: a bucket that is empty before makes it longer.
    #[must_use]
    pub fn time_to_gain(&self, amount: Amount, pace: &Pace, now: Nanos) -> Option<Duration> {
        let gained = pace.time_to_drain(amount, self.rate, now);
        sooner(gained, self.faster_after)
    }
}

/// The sooner of two, of which either may never be.
fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
