//! Who is connected to whom, and what the network between them does to a frame.

use std::collections::{BTreeMap, BTreeSet};

use distributary::proto::NodeId;

use crate::dice::Dice;
use crate::host::SECOND_NS;

/// A connection over which nothing came for so long is lost.
pub const PATIENCE_NS: u64 = 3 * SECOND_NS;

/// How frames fare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    pub delay_ns_min: u64,
    pub delay_ns_max: u64,
    pub loss_percent: u64,
    pub double_percent: u64,
}

impl Quality {
    pub const PERFECT: Self = Self {
        delay_ns_min: 0,
        delay_ns_max: 0,
        loss_percent: 0,
        double_percent: 0,
    };

    /// One to three milliseconds, nothing lost.
    pub const LAN: Self = Self {
        delay_ns_min: 1_000_000,
        delay_ns_max: 3_000_000,
        ..Self::PERFECT
    };

    /// The delays of the copies that arrive: none, one or two.
    pub fn fate(&self, dice: &mut Dice) -> Vec<u64> {
        let copies = 1 + u64::from(dice.chance(self.double_percent));
        (0..copies)
            .filter_map(|_| {
                let delay_ns = dice.within(self.delay_ns_min, self.delay_ns_max + 1);
                (!dice.chance(self.loss_percent)).then_some(delay_ns)
            })
            .collect()
    }
}

/// One connection between two lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub is_up: bool,
    /// Since when nothing can pass in at least one direction.
    pub broken_since: Option<u64>,
}

/// The network's state.
#[derive(Default)]
pub struct Links {
    /// Directions between places in which nothing passes.
    pub cuts: BTreeSet<(usize, usize)>,
    /// Connections between lives, the lower id first.
    pub by_pair: BTreeMap<(NodeId, NodeId), Link>,
}

impl Links {
    pub fn passes(&self, from: usize, to: usize) -> bool {
        !self.cuts.contains(&(from, to))
    }

    pub fn passes_both_ways(&self, one: usize, other: usize) -> bool {
        self.passes(one, other) && self.passes(other, one)
    }
}

pub fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}
