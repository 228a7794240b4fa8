//! What a limiter answers.

use std::num::NonZero;
use std::time::Duration;

use super::UnitsTime;
use crate::units::{Amount, KeyId, NodeId};

/// No wait will help, or none is needed.
pub(crate) const NO_RETRY: u64 = u64::MAX;

/// The answer to one request. A refusal is a value, not an error.
#[must_use = "a decision that nobody reads limits nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub(crate) verdict: Verdict,
    pub(crate) basis: Basis,
    pub(crate) burst_units: u64,
    pub(crate) remaining_units: u64,
    /// [`NO_RETRY`] for none.
    pub(crate) retry_after_ns: u64,
    pub(crate) reset_after_ns: u64,
    pub(crate) view_age_ns: u64,
    pub(crate) decided_at_ns: u64,
    pub(crate) charge: Option<Charge>,
}

/// Allowed, or refused and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request may go on; its cost was charged.
    Allowed,
    /// The request must not go on; nothing was charged.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The limit is used up for now: see [`Decision::retry_after`].
    OverLimit,
    /// The cost is above the burst: no wait will help.
    CostAboveBurst,
    /// The key is empty, which is nobody.
    EmptyKey,
    /// This node holds no share of the key yet (it has just joined), or was asked to hand all over.
    NoShare,
    /// The table is at its maximum and every key in it is in use: see `Counters::refused_no_room`.
    NoRoom,
    /// No holder answered in time, and the fallback is to deny.
    NoAnswer,
}

/// How a decision was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Basis {
    /// On this node's own share: exact, local.
    OwnShare,
    /// On this node's right of overdraft, as the cluster still had units by the merged view.
    Overdraft,
    /// By another node, which holds the rights.
    Holder(NodeId),
    /// By the configured fallback, as no holder answered in time.
    Fallback,
}

/// What was charged, where: the receipt that a refund shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The node that was charged.
    pub(crate) node: NodeId,
    /// The key that was charged.
    pub(crate) key: KeyId,
    /// Which of that node's charges it was.
    pub(crate) number: u64,
    /// How much was charged.
    pub(crate) cost_units: NonZero<u64>,
    /// Where it lies in its bucket; of what another node has charged, that one remembers it.
    pub(crate) spot: Spot,
}

/// Where a charge lies in its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has drained when so much has gone out of the account in all.
    Filled(Amount),
    /// It has drained by then: the key was quiet.
    Drains(UnitsTime),
}

/// A place in sixteen bytes, or that it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The higher half of an amount, or [`A_TIME`].
    high: u64,
    /// The lower half of an amount, or a time.
    low: u64,
}

/// No account was ever filled so high.
const A_TIME: u64 = u64::MAX;

impl Spot {
    /// Not known: what had drained at the first instant of all is not worth to be told.
    pub(crate) const UNKNOWN: Self = Self {
        high: A_TIME,
        low: 0,
    };

    #[inline]
    pub(crate) const fn of(place: Place) -> Self {
        match place {
            Place::Drains(UnitsTime(time)) => Self {
                high: A_TIME,
                low: time,
            },
            Place::Filled(amount) => Self {
                high: (amount.grains() >> 64) as u64,
                low: amount.grains() as u64,
            },
        }
    }

    pub(crate) fn place(self) -> Option<Place> {
        match self {
            Self::UNKNOWN => None,
            Self { high: A_TIME, low } => Some(Place::Drains(UnitsTime(low))),
            Self { high, low } => {
                let grains = u128::from(high) << 64 | u128::from(low);
                Some(Place::Filled(Amount::from_grains(grains)))
            }
        }
    }
}

impl Decision {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed)
    }

    /// Allowed, or refused and why.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// How it was decided.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }

    /// The limit's burst, in units.
    #[must_use]
    pub const fn limit_units(&self) -> u64 {
        self.burst_units
    }

    /// Units that the cluster still has for this key by what this node knows, rounded down; never
    /// more than could be admitted.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining_units
    }

    /// After what time the same request can be admitted; `None` if it was, or if no wait will help.
    ///
    /// Of a `check` it is the earliest instant at which *this node* would admit if its peers stay
    /// silent and nobody else asks: a promise about local knowledge. Of an `acquire` that a holder
    /// answered it is the cluster's.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.retry_after_ns {
            NO_RETRY => None,
            ns => Some(Duration::from_nanos(ns)),
        }
    }

    /// After what time the key is as good as new, by what this node knows and if nobody asks.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        Duration::from_nanos(self.reset_after_ns)
    }

    /// How old the oldest peer's row is that `remaining` rests on; zero if it rests on none.
    #[must_use]
    pub const fn view_age(&self) -> Duration {
        Duration::from_nanos(self.view_age_ns)
    }

    /// What was charged, and where: what a refund shows. `None` if nothing was.
    #[must_use]
    pub const fn charge(&self) -> Option<Charge> {
        self.charge
    }

    /// When it was decided, by the clock of the node that charged: comparable only between nodes
    /// that were given one clock.
    #[must_use]
    pub const fn decided_at_ns(&self) -> u64 {
        self.decided_at_ns
    }

    /// The decision as a result, for `?`.
    ///
    /// # Errors
    /// The refusal, if it is one. Nothing was charged then.
    pub const fn into_result(self) -> Result<Self, Refused> {
        match self.verdict {
            Verdict::Allowed => Ok(self),
            Verdict::Refused(refusal) => Err(Refused {
                refusal,
                retry_after: self.retry_after(),
            }),
        }
    }
}

/// A refusal as an error, for callers who want `?`. Nothing was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {refusal:?}, retry after {retry_after:?}")]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// After what time to come back, if that can help.
    pub retry_after: Option<Duration>,
}
