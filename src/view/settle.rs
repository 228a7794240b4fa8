//! What a complete view brings to one member: one pure function of the openings.
//!
//! # Why nothing is minted
//!
//! Of one key, let Ψ be the sum over nodes of `(share + overdraft)·C − level`, with what is in
//! flight. No balance lies below its right of overdraft, so Ψ ≥ 0; shares sum to at most 1 and
//! rights to at most ε, so Ψ ≤ (1 + ε)·C. Admitting q lowers it by q, draining raises it by at most
//! r a second. The ceiling follows if a view change never raises Ψ. It lowers Ψ at each freeze and
//! raises it at each completion, and every completion is later than every freeze of its view, since
//! a member completes only with all openings.
//!
//! *A key that nobody lists.* A member whose part shrinks from `b` to `a` leaves `b − a` behind when
//! it freezes, as full as its bucket then is, at most φ; and rights `o_b − o_a`, unused but for what
//! is above a full bucket. So Ψ falls by at least `((b − a)·(1 − φ) + o_b − o_a)·C`, and by at least
//! nothing. From then on it admits and drains on `a` alone: what is left behind neither leaks nor
//! fills. Let V be the sum of these over the members that shrink: what was really left. The parts
//! that grow ask for `D = Σ δ + ω`. If every grown part δ arrives as full as
//! `u = (D − V) ÷ Σ δ`, rounded up, then Ψ rises by at most V. Each member computes the same u, and
//! takes its part at most once; one that never completes takes nothing. The dead say nothing, so
//! what they held counts in D and not in V: it arrives used. When a view is abandoned what was left
//! behind for it is forgotten: the next view finds it missing, and V does not count it.
//!
//! *A key that somebody lists.* Who lists it goes on with what it listed. Who does not has opened
//! with its old base, and gets back what it left behind, as full as it was at most (φ). A leaver's
//! part, listed or vouched for by φ, is dealt with its level. Grants that were never applied go back
//! to their sender with their level. What no opening accounts for is dealt used and owed, unless
//! somebody is carried, who may hold it.
//!
//! Everything is rounded towards fuller.

use std::collections::BTreeMap;

use super::{Member, Opening, Statement, View};
use crate::limit::{Fullness, Overshoot, Parcel};
use crate::row::Standing;
use crate::table::{LimitIndex, Policy, Settlement};
use crate::units::{Amount, KeyId, LimitId, NodeId, Share};

/// What `node` gets when `view` completes with these openings.
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
    let said = openings
        .iter()
        .filter_map(|(node, opening)| Some((*node, opening.statement()?)));
    let split = Split::new(node, view, overshoot, said.collect());
    let brings = |((limit, key), opened): (&(LimitId, KeyId), &Opened)| {
        let index = policies.iter().position(|policy| policy.id == *limit)?;
        let parcel = split.part(opened, &policies[index]);
        Some((*key, (LimitIndex(u16::try_from(index).ok()?), parcel)))
    };
    Settlement {
        base: own.after,
        overdraft: split.overdraft_of(own.after),
        growth: policies
            .iter()
            .map(|policy| split.growth(policy.id))
            .collect(),
        listed: split.list().iter().filter_map(brings).collect(),
        others: others
            .map(|m| Standing {
                node: m.node,
                base: m.after,
            })
            .collect(),
    }
}

/// What each member opened a key with, and what came back to it.
#[derive(Debug, Default)]
struct Opened {
    listed: BTreeMap<NodeId, Parcel>,
    returned: BTreeMap<NodeId, Parcel>,
}

/// How a view splits what is missing, seen from one member.
struct Split<'a> {
    node: NodeId,
    view: &'a View,
    overshoot: Overshoot,
    said: BTreeMap<NodeId, &'a Statement>,
    /// Weights of the members before this one, and with it: parts are cut between the two, so that
    /// all parts sum to the whole exactly.
    from: u64,
    to: u64,
    total: u64,
}

impl<'a> Split<'a> {
    fn new(
        node: NodeId,
        view: &'a View,
        overshoot: Overshoot,
        said: BTreeMap<NodeId, &'a Statement>,
    ) -> Self {
        let sum = |keep: &dyn Fn(NodeId) -> bool| {
            let kept = view.members.iter().filter(|member| keep(member.node));
            kept.map(|member| member.after).sum::<Share>().parts()
        };
        Self {
            node,
            view,
            overshoot,
            said,
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

    /// Everything that somebody lists, and the grants that nobody will ever apply.
    fn list(&self) -> BTreeMap<(LimitId, KeyId), Opened> {
        let mut keys: BTreeMap<(LimitId, KeyId), Opened> = BTreeMap::new();
        for (member, said) in &self.said {
            for key in &said.listed {
                let opened = keys.entry((key.limit, key.key)).or_default();
                opened.listed.insert(*member, key.parcel);
            }
        }
        for (sender, said) in &self.said {
            for grant in said
                .pending
                .iter()
                .filter(|grant| self.returns(*sender, said, grant))
            {
                let key = (grant.listed.limit, grant.listed.key);
                // Only what the sender lists besides: a grant of a key that it does not is void.
                let opened = keys.get_mut(&key).filter(|o| o.listed.contains_key(sender));
                if let Some(opened) = opened {
                    let back = opened.returned.entry(*sender).or_default();
                    *back = sum(*back, grant.listed.parcel);
                }
            }
        }
        keys
    }

    /// Whether a grant goes back to its sender: its receiver, who counts with the same view, has
    /// said that it had not applied it, and so never will. Of any other grant nobody knows; it is
    /// void, and what it carried is missing.
    fn returns(&self, sender: NodeId, said: &Statement, grant: &super::Pending) -> bool {
        let Some(receiver) = self.said.get(&grant.to) else {
            return false;
        };
        let same = said.base.is_some() && said.base == receiver.base;
        let news = grant.number > receiver.applied.get(&sender).copied().unwrap_or(0);
        same && (news || planted!(AppliedGrantReturns))
    }

    /// How full arrives what grows of a key that nobody lists.
    fn growth(&self, limit: LimitId) -> Fullness {
        if self.view.is_founding() || planted!(GrowthUnused) {
            // Nobody held anything before.
            return Fullness::EMPTY;
        }
        let scaled = |parts: Share| u128::from(parts.parts()) << 32;
        let (mut grown, mut asked, mut vouched) = (0_u128, 0_u128, 0_u128);
        for member in &self.view.members {
            let (old, new) = (member.before, member.after);
            let rights = (self.overdraft_of(old), self.overdraft_of(new));
            grown += u128::from(new.saturating_sub(old).parts());
            asked += scaled(new.saturating_sub(old)) + scaled(rights.1.saturating_sub(rights.0));
            vouched += self.vouches(member, limit);
        }
        let full = asked.saturating_sub(vouched).div_ceil(grown.max(1));
        Fullness::from_parts(u64::try_from(full).unwrap_or(u64::MAX))
    }

    /// What a member that shrinks has left behind unused, in parts of 2⁻³² of a part.
    fn vouches(&self, member: &Member, limit: LimitId) -> u128 {
        let left = member.before.saturating_sub(member.after);
        let rights = self
            .overdraft_of(member.before)
            .saturating_sub(self.overdraft_of(member.after));
        let Some(full) = self.fullness_of(member.node, limit) else {
            return 0;
        };
        let scaled = |parts: Share| u128::from(parts.parts()) << 32;
        let used = u128::from(left.parts()) * u128::from(full.parts());
        (scaled(left) + scaled(rights)).saturating_sub(used)
    }

    /// How full a member's unlisted keys were at most as it froze, if it says so.
    fn fullness_of(&self, member: NodeId, limit: LimitId) -> Option<Fullness> {
        self.said.get(&member)?.fullness.get(&limit).copied()
    }

    /// What comes to this member of one key.
    fn part(&self, opened: &Opened, policy: &Policy) -> Parcel {
        let missing = self.missing(opened, policy);
        let used = Parcel {
            rate: self.cut(missing.rate),
            ..Parcel::used(
                self.cut(missing.share),
                self.cut(missing.overdraft),
                &policy.pace,
            )
        };
        let arrives_used = match self.view.hands_out() || planted!(MissingOverCarried) {
            true => used,
            false => Parcel::default(),
        };
        let returned = self.returned(opened);
        let leavers = self
            .view
            .members
            .iter()
            .filter(|member| member.after.is_none());
        leavers
            .filter_map(|leaver| self.opening(opened, leaver, policy))
            .map(|parcel| self.dealt(&parcel))
            .chain([returned, self.restored(opened, policy)])
            .fold(arrives_used, sum)
    }

    /// What of this member's own grants comes back to it. A leaver's is dealt with what it opened.
    fn returned(&self, opened: &Opened) -> Parcel {
        let stays = self
            .view
            .member(self.node)
            .is_some_and(|own| !own.after.is_none());
        let returned = opened.returned.get(&self.node).filter(|_| stays);
        returned.copied().unwrap_or_default()
    }

    /// What a member has opened a key with: what it lists, and what came back to it; else its old
    /// base, as full as it says that it could be. A leaver that says nothing of it has opened
    /// nothing.
    fn opening(&self, opened: &Opened, member: &Member, policy: &Policy) -> Option<Parcel> {
        if let Some(listed) = opened.listed.get(&member.node) {
            let returned = opened.returned.get(&member.node).copied();
            return Some(sum(*listed, returned.unwrap_or_default()));
        }
        let full = self.fullness_of(member.node, policy.id);
        if (full.is_none() && member.after.is_none()) || planted!(UnlistedNotOpened) {
            return None;
        }
        Some(Parcel {
            share: member.before,
            rate: member.before,
            overdraft: self.overdraft_of(member.before),
            level: full
                .unwrap_or(Fullness::FULL)
                .level(member.before, &policy.pace),
        })
    }

    /// What no opening accounts for: the whole, less what was opened.
    fn missing(&self, opened: &Opened, policy: &Policy) -> Parcel {
        let start = Parcel {
            share: Share::WHOLE,
            rate: Share::WHOLE,
            overdraft: self.overshoot.right(),
            level: Amount::ZERO,
        };
        let members = self.view.members.iter();
        members
            .filter_map(|member| self.opening(opened, member, policy))
            .fold(start, |left, open| Parcel {
                share: left.share.saturating_sub(open.share),
                rate: left.rate.saturating_sub(open.rate),
                overdraft: planted!(
                    OverdraftNotConserved,
                    left.overdraft,
                    left.overdraft.saturating_sub(open.overdraft)
                ),
                ..left
            })
    }

    /// A quiet key was lowered to the lesser base when the view was adopted; listed by somebody
    /// else, it is opened with the old one, so what was left behind comes back, as full as it was.
    fn restored(&self, opened: &Opened, policy: &Policy) -> Parcel {
        let Some(own) = self.view.member(self.node) else {
            return Parcel::default();
        };
        if opened.listed.contains_key(&self.node) || own.after.is_none() {
            return Parcel::default();
        }
        let left = own.before.saturating_sub(own.after);
        let rights = self
            .overdraft_of(own.before)
            .saturating_sub(self.overdraft_of(own.before.min(own.after)));
        match self.fullness_of(self.node, policy.id) {
            Some(full) => Parcel {
                share: left,
                rate: left,
                overdraft: rights,
                level: full.level(left, &policy.pace),
            },
            None => Parcel::used(left, rights, &policy.pace),
        }
    }

    /// This member's part of what a leaver opened, with its level.
    fn dealt(&self, parcel: &Parcel) -> Parcel {
        let level = parcel.level.portion_ceil(self.to - self.from, self.total);
        Parcel {
            share: self.cut(parcel.share),
            rate: self.cut(parcel.rate),
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
        rate: one.rate.saturating_add(other.rate),
        overdraft: one.overdraft.saturating_add(other.overdraft),
        level: one.level.saturating_add(other.level),
    }
}

#[cfg(test)]
mod tests;
