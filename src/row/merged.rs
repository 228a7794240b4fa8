//! What the rows of one key say together.

use std::time::Duration;

use super::Rows;
use crate::limit::{Account, Pace};
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
        let sum = others.iter().fold(Self::default(), |sum, member| {
            sum.with(member, rows, pace, now)
        });
        let theirs = Share::WHOLE.saturating_sub(own.share());
        let room = Amount::share_of_units(theirs, pace.burst_units());
        Self {
            balance: sum.balance.min(room).saturating_add(own.balance(pace)),
            level: sum.level.saturating_add(own.level()),
            age: sum.age,
        }
    }

    fn with(self, member: &Standing, rows: &Rows, pace: &Pace, now: Nanos) -> Self {
        let Some(heard) = rows.of(member.node) else {
            let room = Amount::share_of_units(member.base, pace.burst_units());
            return Self {
                balance: self.balance.saturating_add(room),
                ..self
            };
        };
        Self {
            balance: self.balance.saturating_add(heard.balance_at(now, pace)),
            level: self.level.saturating_add(heard.level_at(now, pace)),
            age: self.age.max(now.since(heard.at)),
        }
    }
}
