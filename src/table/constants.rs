//! What all quiet keys of one limit have in common.

use std::sync::Arc;

use crate::limit::UnitsTime;
use crate::row::Standing;
use crate::units::Share;

/// One shard's constants for one limit.
#[derive(Clone, Debug)]
pub struct Constants {
    /// The share that this node holds of a quiet key.
    pub base: Share,
    /// The right of overdraft that this node holds of a quiet key.
    pub overdraft: Share,
    /// A quiet key reads as the later of its slot's time and this.
    pub floor: UnitsTime,
    /// A key without a slot reads as at least this: the latest time that was given up.
    pub given_up: UnitsTime,
    /// The other members and what they hold of quiet keys.
    pub others: Arc<[Standing]>,
    /// What the others hold of a quiet key, in all.
    pub others_base: Share,
}

impl Constants {
    pub(super) fn none() -> Self {
        Self {
            base: Share::NONE,
            overdraft: Share::NONE,
            floor: UnitsTime(0),
            given_up: UnitsTime(0),
            others: Arc::from([]),
            others_base: Share::NONE,
        }
    }

    pub(super) fn set_others(&mut self, others: Arc<[Standing]>) {
        self.others_base = others.iter().map(|member| member.base).sum();
        self.others = others;
    }
}
