//! Which view to propose: one pure function of what everybody reported.

use super::{Member, Report, View, ViewId};
use crate::units::{NodeId, Share};

/// A node that a view could count: its word, and whether it can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The node.
    pub node: NodeId,
    /// Its newest report.
    pub report: &'a Report,
}

/// The view that counts these candidates, evenly, and evicts those; `None` if it cannot be one:
/// nobody stays, or somebody whom a candidate shares a view with is neither counted nor evicted.
#[must_use]
pub fn propose(proposer: NodeId, candidates: &[Candidate<'_>], evicted: &[NodeId]) -> Option<View> {
    let number = candidates
        .iter()
        .filter_map(|c| c.report.adopted)
        .map(|id| id.number)
        .max();
    let mut sorted: Vec<_> = candidates.to_vec();
    sorted.sort_unstable_by_key(|candidate| candidate.node);
    let known = || {
        candidates
            .iter()
            .flat_map(|candidate| &candidate.report.known)
    };
    let counted = |node: &NodeId| sorted.iter().any(|candidate| candidate.node == *node);
    if known().any(|node| !counted(node) && !evicted.contains(node)) {
        return None;
    }
    let staying = sorted
        .iter()
        .filter(|candidate| !candidate.report.leaving)
        .count();
    if staying == 0 {
        return None;
    }
    let mut parts = Share::WHOLE.split_evenly(staying);
    let members = sorted.iter().map(|candidate| Member {
        node: candidate.node,
        before: candidate.report.weight,
        after: match candidate.report.leaving {
            true => Share::NONE,
            false => parts.next().unwrap_or(Share::NONE),
        },
    });
    let id = ViewId {
        number: number.unwrap_or(0) + 1,
        proposer: proposer.0,
    };
    let root = candidates.iter().find_map(|c| c.report.root);
    let view = View {
        id,
        members: members.collect(),
        evicted: evicted
            .iter()
            .copied()
            .filter(|node| known().any(|one| one == node))
            .collect(),
        root: root.unwrap_or(id),
    };
    view.is_sound().then_some(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(weight: Share, adopted: Option<u64>, known: &[u64]) -> Report {
        Report {
            number: 1,
            adopted: adopted.map(|number| ViewId {
                number,
                proposer: 1,
            }),
            root: adopted.map(|_| ViewId::default()),
            complete: true,
            weight,
            known: known.iter().copied().map(NodeId).collect(),
            lacks: Vec::new(),
            leaving: false,
            former: Vec::new(),
            bootstrap: false,
        }
    }

    #[test]
    fn the_first_view_founds_and_later_ones_do_not() {
        let new = report(Share::NONE, None, &[]);
        let both = [NodeId(2), NodeId(1)].map(|node| Candidate { node, report: &new });
        let view = propose(NodeId(1), &both, &[]).expect("a view");
        assert!(view.is_founding() && view.id.number == 1);
        let half = Share::WHOLE.portion(1, 2);
        assert!(view.members.iter().all(|member| member.after == half));
        let old = report(half, Some(4), &[1]);
        let join = [
            Candidate {
                node: NodeId(1),
                report: &old,
            },
            both[0],
        ];
        let view = propose(NodeId(1), &join, &[]).expect("a view");
        assert!(!view.is_founding() && view.id.number == 5);
    }

    #[test]
    fn a_silent_member_holds_a_view_up_until_it_is_evicted() {
        let old = report(Share::WHOLE.portion(1, 2), Some(1), &[1, 2]);
        let one = [Candidate {
            node: NodeId(1),
            report: &old,
        }];
        assert_eq!(propose(NodeId(1), &one, &[]), None);
        let view = propose(NodeId(1), &one, &[NodeId(2), NodeId(7)]).expect("a view");
        assert_eq!(view.evicted, [NodeId(2)]);
    }

    #[test]
    fn leavers_are_counted_and_keep_nothing() {
        let stays = report(Share::WHOLE.portion(1, 2), Some(1), &[1, 2]);
        let leaves = Report {
            leaving: true,
            ..stays.clone()
        };
        let both = [
            Candidate {
                node: NodeId(1),
                report: &stays,
            },
            Candidate {
                node: NodeId(2),
                report: &leaves,
            },
        ];
        let view = propose(NodeId(1), &both, &[]).expect("a view");
        assert_eq!(view.members[1].after, Share::NONE);
        assert_eq!(view.members[0].after, Share::WHOLE);
        assert_eq!(propose(NodeId(1), &both[1..], &[NodeId(1)]), None);
    }
}
