//! What a node says of itself: the facts that views are proposed from.

use serde::{Deserialize, Serialize};

use super::ViewId;
use crate::units::{NodeId, Share};

/// A node's word on where it stands. The newest replaces all older ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Counts the node's reports: the higher is the newer.
    pub number: u64,
    /// The newest view it has adopted.
    pub adopted: Option<ViewId>,
    /// Whether that view is complete for it.
    pub complete: bool,
    /// What it holds of quiet keys.
    pub weight: Share,
    /// Everybody who may hold a share in the views it counts with: itself included once it does.
    pub known: Vec<NodeId>,
    /// Members whose openings of that view it lacks.
    pub lacks: Vec<NodeId>,
    /// Whether it wants to leave.
    pub leaving: bool,
    /// Lives that have ended for good: this process's own, and those that an operator has named.
    pub former: Vec<NodeId>,
    /// Whether it may found a cluster alone.
    pub bootstrap: bool,
    /// The view that founded the cluster it counts in.
    pub root: Option<ViewId>,
}

/// A group of nodes that count with each other, as one of them knows it.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// One of them.
    pub node: NodeId,
    /// The newest view it adopted.
    pub adopted: ViewId,
    /// Everybody in it.
    pub known: &'a [NodeId],
}

impl Group<'_> {
    /// Whether the other group has gone on without this node.
    #[must_use]
    pub fn is_left_out_by(&self, other: &Self) -> bool {
        let stale = self.known.contains(&other.node) && other.adopted <= self.adopted;
        !other.known.contains(&self.node) && !stale
    }

    /// Whether this node must begin a new life, holding nothing, because the other group is the
    /// larger one. Both sides reach opposite answers from the same two groups.
    ///
    /// Who is in both counts for the side with the newer view: that is where it went.
    #[must_use]
    pub fn yields_to(&self, other: &Self) -> bool {
        let newer = self.adopted > other.adopted;
        let only = |one: &Self, rest: &Self| {
            one.known
                .iter()
                .filter(|node| !rest.known.contains(node))
                .count()
        };
        let both = self
            .known
            .iter()
            .filter(|node| other.known.contains(node))
            .count();
        let mine = only(self, other) + if newer { both } else { 0 };
        let theirs = only(other, self) + if newer { 0 } else { both };
        (mine, self.adopted) < (theirs, other.adopted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u64) -> ViewId {
        ViewId {
            number,
            proposer: 1,
        }
    }

    fn group(node: u64, number: u64, known: &[NodeId]) -> Group<'_> {
        Group {
            node: NodeId(node),
            adopted: id(number),
            known,
        }
    }

    fn nodes<const N: usize>(ids: [u64; N]) -> [NodeId; N] {
        ids.map(NodeId)
    }

    #[test]
    fn whoever_was_evicted_by_the_rest_yields() {
        let (old, rest) = (nodes([1, 2, 3]), nodes([1, 2]));
        let (evicted, other) = (group(3, 1, &old), group(1, 2, &rest));
        assert!(evicted.is_left_out_by(&other) && evicted.yields_to(&other));
        assert!(!other.yields_to(&evicted));
    }

    #[test]
    fn a_lone_node_that_evicted_the_rest_yields_to_them() {
        let (alone, old) = (nodes([5]), nodes([1, 2, 3, 4, 5]));
        let (lone, rest) = (group(5, 2, &alone), group(1, 1, &old));
        assert!(rest.is_left_out_by(&lone) && !rest.yields_to(&lone));
        assert!(lone.yields_to(&rest));
    }

    #[test]
    fn of_two_halves_exactly_one_yields() {
        let (left, right) = (nodes([1, 2]), nodes([3, 4]));
        let (left, right) = (group(1, 4, &left), group(3, 5, &right));
        assert!(left.is_left_out_by(&right) && right.is_left_out_by(&left));
        assert!(left.yields_to(&right) && !right.yields_to(&left));
    }

    #[test]
    fn an_old_report_leaves_nobody_out() {
        let (before, after) = (nodes([1, 2]), nodes([1, 2, 3]));
        assert!(!group(3, 2, &after).is_left_out_by(&group(1, 1, &before)));
    }
}
