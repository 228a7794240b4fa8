//! Who counts with whom: views, and the reopening of accounts that a view change is.
//!
//! A view is a numbered set of members with the weight (base share) that each had and will have.
//! Nobody recomputes a share because somebody looks dead. Shares change hands by grants, and by one
//! thing more: a view change, in which
//!
//! 1. the lowest reachable member **proposes** a view, from what every member reported it holds;
//! 2. a member **adopts** it only if the view records its weight as it is, counts (or evicts)
//!    (or carries) everybody with whom it shares an older view, and is newer than what it adopted before. It
//!    lowers what it holds of quiet keys to the lesser of before and after, and only then sends its
//!    **opening**, immutable: every contended key with its share, and how full any other key was
//!    at most. That ratchets: a view which is given up for a newer one gives nothing back;
//! 3. with every member's opening a member **completes** the view: it takes its part of what the
//!    openings show to be missing. What comes so arrives used, but for what others vouch to have
//!    left behind unused.
//!
//! *Why shares sum to at most one.* An opening states what its sender holds from then on, and the
//! sender lowered itself before it spoke; so the sum of openings is what all members hold together,
//! and what is missing from one is held by nobody: every holder is a member, because a member
//! adopts only views that count everybody it shares a view with. What comes to each is computed by
//! one function from the same openings, so the parts sum to what is missing. A member that never
//! completes simply never takes its part, and the next view finds it missing again.
//!
//! Who does not answer and is not evicted is **carried**: no member of the view, its weight
//! untouched. While anybody is carried nothing that is missing is handed out, since the carried, or
//! those they have since counted with, may hold it: a view then only divides anew what its members
//! hold. So joins and leaves go on at each side of a cut, and when the sides meet the next view has
//! more members. A member knows everybody who may hold something: members and carried of the view
//! it adopted. If a view accounts for all whom its members know, it accounts for every holder: by
//! induction over adoptions, a set of lives that is closed under *knows* holds everything.
//!
//! Eviction is the one trade of the bound for availability: if the evicted lives on, its view and
//! ours are two groups. A view that hands out what the evicted held begins an **era**; who has not
//! followed it counts apart, and of two groups that meet one is reborn.

mod item;
mod ledger;
mod opening;
mod proposal;
mod report;
mod settle;

pub use crate::table::Listed;
pub use item::Pending;
pub use ledger::{Adoption, Ledger};
pub use opening::{Opening, OpeningChunk, Statement};
pub use proposal::{Candidate, propose};
pub use report::{Group, Report};
pub use settle::settle;

use serde::{Deserialize, Serialize};

use crate::units::{NodeId, Share};

/// Names a view: higher numbers replace lower ones.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ViewId {
    /// Its number.
    pub number: u64,
    /// Who proposed it: two proposals of one number are two views.
    pub proposer: u64,
}

/// One member in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The member.
    pub node: NodeId,
    /// What it holds of quiet keys as the view begins.
    pub before: Share,
    /// What it will hold of quiet keys when the view is complete; nothing if it leaves.
    pub after: Share,
}

/// A set of members that count with each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub id: ViewId,
    /// The members, by id.
    pub members: Vec<Member>,
    /// Who is given up, by this view or by one before that could not hand out what they held yet.
    pub evicted: Vec<NodeId>,
    /// Who may hold something, does not answer, and is not given up: no member, its weight untouched.
    pub carried: Vec<NodeId>,
    /// Lives that left in good order, of whom a member may not have heard it: they hold nothing.
    pub departed: Vec<NodeId>,
    /// The newest view before this one that handed out what the given-up held, or the founding.
    /// Who has not followed it counts apart.
    pub era: ViewId,
    /// The view that founded the cluster, itself perhaps. Nodes that were founded apart, having
    /// missed each other, hold the same shares: they can never be counted together.
    pub root: ViewId,
}

/// Most members of a view: the base split is over all of them in this version, and every row goes
/// to all. Equal splits stay exact up to 40.
pub const MEMBERS_MAX: usize = 64;

/// Most lives in any other list of a view or a report.
pub const LIVES_MAX: usize = 256;

impl View {
    /// The member that is `node`.
    #[must_use]
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        let index = self
            .members
            .binary_search_by_key(&node, |member| member.node)
            .ok()?;
        self.members.get(index)
    }

    /// Whether `node` is a member.
    #[must_use]
    pub fn has(&self, node: NodeId) -> bool {
        self.member(node).is_some()
    }

    /// The members' ids, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().map(|member| member.node)
    }

    /// Whether it founds the cluster: nobody has held anything before, so what comes is unused.
    #[must_use]
    pub fn is_founding(&self) -> bool {
        self.root == self.id
    }

    /// Whether what nobody holds may be handed out: not while anybody is carried, who may hold it.
    #[must_use]
    pub const fn hands_out(&self) -> bool {
        self.carried.is_empty()
    }

    /// Whether it hands out what somebody held who was given up: who lives on counts apart.
    #[must_use]
    pub const fn begins_era(&self) -> bool {
        self.hands_out() && !self.evicted.is_empty()
    }

    /// Whether it says what has become of a life: a member, carried, given up, or departed.
    #[must_use]
    pub fn accounts_for(&self, node: NodeId) -> bool {
        let lists = [&self.carried, &self.evicted, &self.departed];
        self.has(node) || lists.iter().any(|list| list.contains(&node))
    }

    /// Whether it is one that could be adopted by anybody: bounded, sorted, and summing to at most
    /// one before and after; while somebody is carried, to no more after than before.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let sorted = self
            .members
            .windows(2)
            .all(|pair| pair[0].node < pair[1].node);
        let sum = |pick: fn(&Member) -> Share| self.members.iter().map(pick).sum::<Share>();
        let (before, after) = (sum(|member| member.before), sum(|member| member.after));
        let fits = before <= Share::WHOLE && after <= Share::WHOLE;
        let kept = self.hands_out() || after <= before;
        let new = !self.is_founding() || (before.is_none() && self.era == self.id);
        let lists = [&self.carried, &self.evicted, &self.departed];
        let bounded =
            self.members.len() <= MEMBERS_MAX && lists.iter().all(|list| list.len() <= LIVES_MAX);
        let mut others = lists.into_iter().flatten();
        let apart = !others.any(|node| self.has(*node));
        sorted && fits && kept && new && bounded && apart && !self.members.is_empty()
    }
}
