//! What a complete view brings to one member: one pure function of the openings.

use std::collections::{BTreeMap, BTreeSet};

use super::{Opening, View};
use crate::limit::{Overshoot, Parcel};
use crate::row::Standing;
use crate::table::{LimitIndex, Policy, Settlement};
use crate::units::{KeyId, LimitId, NodeId, Share};

/// What `node` gets when `view` completes with these openings.
///
/// A key listed by nobody is held at the new base. A key listed by anybody is held as it was
/// opened (by one that does not list it: at its old base), plus a part of what is still missing
/// from one. What comes so arrives used; only what a leaver lists comes with its level.
#[must_use]
pub fn settle(
    node: NodeId,
    view: &View,
    openings: &BTreeMap<NodeId, Opening>,
    policies: &[Policy],
    overshoot: Overshoot,
) -> Settlement {
    let Some(own) = view.member(node) else {
        return Settlement::default();
    };
    let others = view.members.iter().filter(|member| member.node != node);
    let others = others.filter(|member| !member.after.is_none());
    let listed = list(openings);
    let split = Split::new(node, view, overshoot);
    let brings = |((limit, key), opened): (&(LimitId, KeyId), &Opened)| {
        let index = policies.iter().position(|policy| policy.id == *limit)?;
        let parcel = split.part(opened, &policies[index]);
        Some((*key, (LimitIndex(u16::try_from(index).ok()?), parcel)))
    };
    Settlement {
        base: own.after,
        overdraft: split.overdraft_of(own.after),
        fresh: view.is_founding(),
        listed: listed.iter().filter_map(brings).collect(),
        others: others
            .map(|m| Standing {
                node: m.node,
                base: m.after,
            })
            .collect(),
    }
}

/// Who opened a key with what.
type Opened = BTreeMap<NodeId, Parcel>;

fn list(openings: &BTreeMap<NodeId, Opening>) -> BTreeMap<(LimitId, KeyId), Opened> {
    let mut listed: BTreeMap<(LimitId, KeyId), Opened> = BTreeMap::new();
    for (member, opening) in openings {
        for key in opening.keys() {
            listed
                .entry((key.limit, key.key))
                .or_default()
                .insert(*member, key.parcel);
        }
    }
    listed
}

/// How a view splits what is missing, seen from one member.
struct Split<'a> {
    node: NodeId,
    view: &'a View,
    overshoot: Overshoot,
    leavers: BTreeSet<NodeId>,
    /// Weights of the members before this one, and with it: parts are cut between the two, so that
    /// all parts sum to the whole exactly.
    from: u64,
    to: u64,
    total: u64,
}

impl<'a> Split<'a> {
    fn new(node: NodeId, view: &'a View, overshoot: Overshoot) -> Self {
        let sum = |keep: &dyn Fn(NodeId) -> bool| {
            let kept = view.members.iter().filter(|member| keep(member.node));
            kept.map(|member| member.after).sum::<Share>().parts()
        };
        let leavers = view.members.iter().filter(|member| member.after.is_none());
        Self {
            node,
            view,
            overshoot,
            leavers: leavers.map(|member| member.node).collect(),
            from: sum(&|other| other < node),
            to: sum(&|other| other <= node),
            total: sum(&|_| true),
        }
    }

    fn overdraft_of(&self, share: Share) -> Share {
        self.overshoot
            .right()
            .portion(share.parts(), Share::WHOLE.parts())
    }

    /// What comes to this member of one key.
    fn part(&self, opened: &Opened, policy: &Policy) -> Parcel {
        let (share, overdraft) = self.missing(opened);
        let used = (self.cut(share), self.cut(overdraft));
        let restored = self.restored(opened);
        let arrives_used = Parcel::used(
            used.0.saturating_add(restored.0),
            used.1.saturating_add(restored.1),
            &policy.pace,
        );
        self.leavers
            .iter()
            .filter_map(|leaver| opened.get(leaver))
            .map(|parcel| self.vouched(parcel))
            .fold(arrives_used, sum)
    }

    /// What no opening accounts for: the whole, less what was opened.
    fn missing(&self, opened: &Opened) -> (Share, Share) {
        let open = |member: &super::Member| match opened.get(&member.node) {
            Some(parcel) => (parcel.share, parcel.overdraft),
            None if member.after.is_none() => (Share::NONE, Share::NONE),
            None => (member.before, self.overdraft_of(member.before)),
        };
        let start = (Share::WHOLE, self.overshoot.right());
        self.view
            .members
            .iter()
            .map(open)
            .fold(start, |left, open| {
                (left.0.saturating_sub(open.0), left.1.saturating_sub(open.1))
            })
    }

    /// A quiet key was lowered to the lesser base when the view was adopted; listed by somebody
    /// else, it is opened with the old one, so the difference comes back.
    fn restored(&self, opened: &Opened) -> (Share, Share) {
        let Some(own) = self.view.member(self.node) else {
            return (Share::NONE, Share::NONE);
        };
        if opened.contains_key(&self.node) || own.after.is_none() {
            return (Share::NONE, Share::NONE);
        }
        let now = own.before.min(own.after);
        let overdraft = self
            .overdraft_of(own.before)
            .saturating_sub(self.overdraft_of(now));
        (own.before.saturating_sub(now), overdraft)
    }

    /// This member's part of what a leaver listed, with its level.
    fn vouched(&self, parcel: &Parcel) -> Parcel {
        let level = parcel.level.portion_ceil(self.to - self.from, self.total);
        Parcel {
            share: self.cut(parcel.share),
            overdraft: self.cut(parcel.overdraft),
            level,
        }
    }

    fn cut(&self, whole: Share) -> Share {
        whole
            .portion(self.to, self.total)
            .saturating_sub(whole.portion(self.from, self.total))
    }
}

fn sum(one: Parcel, other: Parcel) -> Parcel {
    Parcel {
        share: one.share.saturating_add(other.share),
        overdraft: one.overdraft.saturating_add(other.overdraft),
        level: one.level.saturating_add(other.level),
    }
}
