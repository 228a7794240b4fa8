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
    /// quiet: it holds its base share, hardly used.
    #[must_use]
    pub fn of(own: &Account, rows: &Rows, others: &[Standing], pace: &Pace, now: Nanos) -> Self {
        let own = Self {
            balance: own.balance(pace),
            level: own.level(),
            age: Duration::ZERO,
        };
        let whole = Amount::from_units(pace.burst_units());
        let sum = others
            .iter()
            .fold(own, |sum, member| sum.with(member, rows, pace, now));
        Self {
            balance: sum.balance.min(whole),
            ..sum
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
