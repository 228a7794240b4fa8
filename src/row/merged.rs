//! What the rows of one key say together.

use std::time::Duration;

use super::{Heard, Rows};
use crate::limit::{Account, Pace, UnitsTime};
use crate::units::{Amount, Nanos, NodeId, Share};

/// What a member holds of a key as far as a node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The member.
    pub node: NodeId,
    /// Its share at the base split: what it holds of a key that it sends no row of.
    pub base: Share,
}

/// The merged view of one key at one node, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Units the cluster can still admit on its rights.
    pub balance: Amount,
    /// How full the cluster's bucket is.
    pub level: Amount,
    /// Age of the oldest row it rests on.
    pub age: Duration,
}

impl Merged {
    /// Merges a node's own account with the rows of the other members. A member without a row is
    /// quiet: it holds its base share, hardly used. Rows lag behind grants, but whatever they say the
    /// others hold no more than what this node does not: so much and no more is counted of them.
    #[must_use]
    pub fn of(own: &Account, rows: &Rows, others: &[Standing], pace: &Pace, now: Nanos) -> Self {
        Theirs::of(rows, others, pace, now).with(own, pace)
    }
}

/// What the other members have of a key, by what they say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theirs {
    balance: Amount,
    level: Amount,
    age: Duration,
}

impl Theirs {
    /// The sum over all of them.
    #[must_use]
    pub fn of(rows: &Rows, others: &[Standing], pace: &Pace, now: Nanos) -> Self {
        let time = pace.at(now);
        others.iter().fold(Self::default(), |sum, member| {
            sum.add(member, rows.of(member.node), pace, (now, time))
        })
    }

    fn add(
        self,
        member: &Standing,
        heard: Option<&Heard>,
        pace: &Pace,
        (now, time): (Nanos, UnitsTime),
    ) -> Self {
        let share = heard.map_or(member.base, |heard| heard.row.share);
        let level = heard.map_or(Amount::ZERO, |heard| heard.level_at_time(time, pace));
        let room = Amount::share_of_units(share, pace.burst_units());
        Self {
            balance: self.balance.saturating_add(room.saturating_sub(level)),
            level: self.level.saturating_add(level),
            age: heard.map_or(self.age, |heard| self.age.max(now.since(heard.at))),
        }
    }

    /// The same so much later, but for what has drained meanwhile.
    #[must_use]
    pub(super) fn aged(&self, by: Duration) -> Self {
        let age = match self.age {
            // There are no rows that could age, or they are of this very moment.
            Duration::ZERO => Duration::ZERO,
            age => age.saturating_add(by),
        };
        Self { age, ..*self }
    }

    /// Whether they say that they have more than a node's own account leaves them.
    pub(super) fn is_capped(&self, own: &Account, pace: &Pace) -> bool {
        self.balance >= Self::room(own, pace)
    }

    /// What a node's own account leaves the others.
    fn room(own: &Account, pace: &Pace) -> Amount {
        let theirs = Share::WHOLE.saturating_sub(own.share());
        Amount::share_of_units(theirs, pace.burst_units())
    }

    /// Merged with a node's own account.
    #[must_use]
    pub fn with(&self, own: &Account, pace: &Pace) -> Merged {
        let theirs = self.balance.min(Self::room(own, pace));
        Merged {
            balance: theirs.saturating_add(own.balance(pace)),
            level: self.level.saturating_add(own.level()),
            age: self.age,
        }
    }
}
