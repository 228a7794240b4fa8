//! Which view to propose: one pure function of what everybody reported.

use std::collections::BTreeSet;

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

/// The view that counts these candidates, evenly, gives those up, and carries whoever else may hold
/// something: whom a candidate knows, or one who was given up (`hearsay`). `None` if nobody stays.
#[must_use]
pub fn propose(
    proposer: NodeId,
    candidates: &[Candidate<'_>],
    evicted: &[NodeId],
    hearsay: &[NodeId],
) -> Option<View> {
    let number = candidates
        .iter()
        .filter_map(|c| c.report.adopted)
        .map(|id| id.number)
        .max();
    let mut sorted: Vec<_> = candidates.to_vec();
    sorted.sort_unstable_by_key(|candidate| candidate.node);
    let reports = || sorted.iter().map(|candidate| candidate.report);
    let lives: BTreeSet<NodeId> = reports()
        .flat_map(Report::lives)
        .chain(hearsay.iter().copied())
        .collect();
    let counted = |node: &NodeId| sorted.iter().any(|candidate| candidate.node == *node);
    let others = |all: BTreeSet<NodeId>| all.into_iter().filter(|node| !counted(node)).collect();
    let departed: Vec<_> = others(
        reports()
            .flat_map(|report| report.departed.iter().copied())
            .collect(),
    );
    let given_up = evicted.iter().copied().filter(|node| lives.contains(node));
    let given_up = given_up.chain(reports().flat_map(|report| report.evicted.iter().copied()));
    let evicted: Vec<_> = others(given_up.filter(|node| !departed.contains(node)).collect());
    let gone = |node: &NodeId| evicted.contains(node) || departed.contains(node);
    let carried: Vec<_> = others(lives.into_iter().filter(|node| !gone(node)).collect());
    let id = ViewId {
        number: number.unwrap_or(0) + 1,
        proposer: proposer.0,
    };
    let view = View {
        id,
        members: divide(&sorted, carried.is_empty())?,
        evicted,
        departed,
        carried,
        era: reports()
            .filter_map(|report| report.era)
            .max()
            .unwrap_or(id),
        root: reports().find_map(|report| report.root).unwrap_or(id),
    };
    view.is_sound().then_some(view)
}

/// Who stays gets an even part: of the whole, or while somebody is carried of what the members hold.
fn divide(candidates: &[Candidate<'_>], whole: bool) -> Option<Vec<Member>> {
    let held: Share = candidates
        .iter()
        .map(|candidate| candidate.report.weight)
        .sum();
    let divided = if whole { Share::WHOLE } else { held };
    let stays = |candidate: &&Candidate<'_>| !candidate.report.leaving;
    let staying = candidates.iter().filter(stays).count();
    if staying == 0 || divided.is_none() {
        return None;
    }
    let mut parts = divided.split_evenly(staying);
    let members = candidates.iter().map(|candidate| Member {
        node: candidate.node,
        before: candidate.report.weight,
        after: match candidate.report.leaving {
            true => Share::NONE,
            false => parts.next().unwrap_or(Share::NONE),
        },
    });
    Some(members.collect())
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
            carried: Vec::new(),
            departed: Vec::new(),
            evicted: Vec::new(),
            era: adopted.map(|_| ViewId::default()),
            opened: Vec::new(),
            asks: false,
        }
    }

    #[test]
    fn the_first_view_founds_and_later_ones_do_not() {
        let new = report(Share::NONE, None, &[]);
        let both = [NodeId(2), NodeId(1)].map(|node| Candidate { node, report: &new });
        let view = propose(NodeId(1), &both, &[], &[]).expect("a view");
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
        let view = propose(NodeId(1), &join, &[], &[]).expect("a view");
        assert!(!view.is_founding() && view.id.number == 5);
    }

    /// INV-11: the silent keep what they hold, and nothing that is missing is handed out.
    #[test]
    fn a_silent_member_is_carried_until_it_is_given_up() {
        let half = Share::WHOLE.portion(1, 2);
        let old = report(half, Some(1), &[1, 2]);
        let new = report(Share::NONE, None, &[]);
        let two = [(1, &old), (3, &new)].map(|(node, report)| Candidate {
            node: NodeId(node),
            report,
        });
        let view = propose(NodeId(1), &two, &[], &[]).expect("a view");
        assert_eq!(view.carried, [NodeId(2)]);
        let quarter = Share::WHOLE.portion(1, 4);
        assert!(view.members.iter().all(|member| member.after == quarter));
        let view = propose(NodeId(1), &two, &[NodeId(2), NodeId(7)], &[]).expect("a view");
        assert_eq!(
            (view.evicted.as_slice(), view.carried.len()),
            (&[NodeId(2)][..], 0)
        );
        assert!(view.begins_era() && view.members.iter().all(|member| member.after == half));
        // The one that was given up had counted with somebody of whom nobody else knows.
        let view = propose(NodeId(1), &two, &[NodeId(2)], &[NodeId(8)]).expect("a view");
        assert_eq!(view.carried, [NodeId(8)]);
        assert!(!view.begins_era() && view.members[0].after == quarter);
    }

    #[test]
    fn who_left_on_the_other_side_is_not_carried() {
        let half = Share::WHOLE.portion(1, 2);
        let here = report(half, Some(1), &[1, 2]);
        let there = Report {
            departed: vec![NodeId(2)],
            carried: vec![NodeId(1)],
            ..report(half, Some(3), &[4])
        };
        let both = [(1, &here), (4, &there)].map(|(node, report)| Candidate {
            node: NodeId(node),
            report,
        });
        let view = propose(NodeId(1), &both, &[], &[]).expect("a view");
        assert!(view.carried.is_empty() && view.evicted.is_empty());
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
        let view = propose(NodeId(1), &both, &[], &[]).expect("a view");
        assert_eq!(view.members[1].after, Share::NONE);
        assert_eq!(view.members[0].after, Share::WHOLE);
        assert_eq!(propose(NodeId(1), &both[1..], &[NodeId(1)], &[]), None);
    }
}
