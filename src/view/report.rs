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
    /// Who may hold a share besides, and was not reached when the view was made.
    pub carried: Vec<NodeId>,
    /// Lives that left in good order, of whom others may not have heard it.
    pub departed: Vec<NodeId>,
    /// Lives that were given up and whose shares were not handed out yet.
    pub evicted: Vec<NodeId>,
    /// The era it counts in.
    pub era: Option<ViewId>,
    /// The eras it has opened for: it may have followed them or not.
    pub opened: Vec<ViewId>,
    /// Whether it wants to hear at once where the receiver stands.
    pub asks: bool,
}

impl Report {
    /// Everybody who may hold a share, as far as the node knows.
    pub fn lives(&self) -> impl Iterator<Item = NodeId> {
        self.known.iter().chain(&self.carried).copied()
    }
}

/// A group of nodes that count with each other, as one of them knows it.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The newest view it adopted.
    pub adopted: ViewId,
    /// Everybody in it.
    pub known: &'a [NodeId],
}

impl Group<'_> {
    /// Whether this node must begin a new life, holding nothing, because the other group is the
    /// larger one. Both sides reach opposite answers from the same two groups.
    ///
    /// Who is in both counts for the side with the newer view: that is where it went. Who is dead counts
    /// like the living until a view gives it up: who is counted is in the views that both sides know of
    /// each other. Who is alive is what each believes at the moment; were that counted, each could take
    /// the other's group for the larger, both would begin anew, and with all who held anything gone the
    /// limit would begin anew too. So a few may yield to one who outlived many, which only burns.
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

    fn group(number: u64, known: &[NodeId]) -> Group<'_> {
        Group {
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
        let (evicted, other) = (group(1, &old), group(2, &rest));
        assert!(evicted.yields_to(&other));
        assert!(!other.yields_to(&evicted));
    }

    #[test]
    fn a_lone_node_that_evicted_the_rest_yields_to_them() {
        let (alone, old) = (nodes([5]), nodes([1, 2, 3, 4, 5]));
        let (lone, rest) = (group(2, &alone), group(1, &old));
        assert!(!rest.yields_to(&lone));
        assert!(lone.yields_to(&rest));
    }

    #[test]
    fn of_two_halves_exactly_one_yields() {
        let (left, right) = (nodes([1, 2]), nodes([3, 4]));
        let (left, right) = (group(4, &left), group(5, &right));
        assert!(left.yields_to(&right) && !right.yields_to(&left));
    }
}
