//! One node's side of the views: what it holds, what it adopted, whose openings it has.

use std::collections::BTreeMap;

use super::{LIVES_MAX, Opening, OpeningChunk, Report, View, ViewId};
use crate::units::{NodeId, Share};

/// Where one node stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger {
    node: NodeId,
    weight: Share,
    adopted: Option<View>,
    complete: bool,
    openings: BTreeMap<NodeId, Opening>,
    leaving: bool,
    former: Vec<NodeId>,
    /// Lives that left by a view that was complete here before the adopted one came, which may not say it.
    departed: Vec<NodeId>,
    /// Whose part this node has taken over: alive or not, they count with it no more.
    given_up: Vec<NodeId>,
    /// The era that it counts in: the last view that handed out what the given-up held and that it
    /// has followed.
    era: Option<ViewId>,
    /// The eras that it has opened for, the newest last.
    opened: Vec<ViewId>,
    bootstrap: bool,
    reports: u64,
}

/// Whether a view was adopted, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// It was: the node must lower itself and open.
    Adopted,
    /// It is the one adopted already, or an older one.
    Known,
    /// It is not sound, or this node is no member of it.
    NotMine,
    /// It records another weight than this node holds: it was proposed from an old report.
    WrongWeight,
    /// It neither counts nor carries somebody with whom this node shares a view.
    LeavesOut(NodeId),
    /// It evicts somebody whom this node still hears.
    EvictsTheLiving(NodeId),
    /// It goes on from another era than this node has followed.
    CountsApart,
    /// It goes back to another founding than what this node has adopted.
    FoundedApart,
    /// It counts somebody whose part this node has taken over already.
    CountsTheEvicted(NodeId),
}

/// Former lives that a node names: enough for any that could still be a member somewhere.
const FORMER_MAX: usize = 64;

/// Eras that a node remembers to have opened for, the one that it counts in among them: who lags behind
/// by more counts apart.
const OPENED_MAX: usize = 32;

/// Evicted lives that a node remembers: many more than could still be alive.
const GIVEN_UP_MAX: usize = 1024;

impl Ledger {
    /// A node that has just come to life and holds nothing.
    #[must_use]
    pub fn new(node: NodeId, bootstrap: bool) -> Self {
        Self {
            node,
            weight: Share::NONE,
            adopted: None,
            complete: false,
            openings: BTreeMap::new(),
            leaving: false,
            former: Vec::new(),
            departed: Vec::new(),
            given_up: Vec::new(),
            era: None,
            opened: Vec::new(),
            bootstrap,
            reports: 0,
        }
    }

    /// Begins a new life: holds nothing and counts with nobody.
    pub fn be_reborn(&mut self, node: NodeId) {
        self.forget(self.node);
        let former = std::mem::take(&mut self.former);
        *self = Self {
            former,
            leaving: self.leaving,
            ..Self::new(node, false)
        };
    }

    /// Names a life that has ended for good to the others from now on.
    pub fn forget(&mut self, node: NodeId) {
        if !self.former.contains(&node) {
            self.former.push(node);
            let excess = self.former.len().saturating_sub(FORMER_MAX);
            self.former.drain(..excess);
        }
    }

    /// What it holds of quiet keys.
    #[must_use]
    pub const fn weight(&self) -> Share {
        self.weight
    }

    /// The newest view it has adopted.
    #[must_use]
    pub const fn adopted(&self) -> Option<&View> {
        self.adopted.as_ref()
    }

    /// The name of that view.
    #[must_use]
    pub fn adopted_id(&self) -> Option<ViewId> {
        self.adopted.as_ref().map(|view| view.id)
    }

    /// The view that founded the cluster it counts in.
    #[must_use]
    pub fn root(&self) -> Option<ViewId> {
        self.adopted.as_ref().map(|view| view.root)
    }

    /// That view, if it is complete here.
    #[must_use]
    pub fn complete(&self) -> Option<&View> {
        self.adopted.as_ref().filter(|_| self.complete)
    }

    /// Whether a view change is under way here.
    #[must_use]
    pub const fn is_changing(&self) -> bool {
        self.adopted.is_some() && !self.complete
    }

    /// Whether it wants to leave.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether it has left: it holds nothing, and all the others know it.
    #[must_use]
    pub fn has_left(&self) -> bool {
        let gone = |view: &View| view.member(self.node).is_none_or(|own| own.after.is_none());
        self.leaving && self.complete().is_none_or(gone) && !self.is_changing()
    }

    /// Says that it wants to leave.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Everybody who may hold a share in the views this node counts with.
    #[must_use]
    pub fn known(&self) -> Vec<NodeId> {
        let Some(view) = &self.adopted else {
            return Vec::new();
        };
        // Once a view is complete a leaver holds nothing: its opening said so.
        let counts = |after: Share| !self.complete || !after.is_none();
        view.members
            .iter()
            .filter(|member| counts(member.after))
            .map(|m| m.node)
            .collect()
    }

    /// Who may hold a share besides, and was not reached when the adopted view was made.
    #[must_use]
    pub fn carried(&self) -> &[NodeId] {
        self.adopted.as_ref().map_or(&[], |view| &view.carried)
    }

    /// The era that it counts in: nodes that hold something and do not count in the same era, and
    /// have not opened for each other's, are groups apart.
    #[must_use]
    pub const fn era(&self) -> Option<ViewId> {
        self.era
    }

    /// Whether a node that reports so may be counted together with this one: neither has handed out
    /// what the other may hold.
    #[must_use]
    pub fn is_kin(&self, report: &Report) -> bool {
        let (Some(era), Some(theirs)) = (self.era, report.era) else {
            return true;
        };
        self.root() == report.root && report.opened.contains(&era) && self.opened.contains(&theirs)
    }

    /// Whether two nodes count with each other: see [`Ledger::is_kin`].
    #[must_use]
    pub fn counts_with(&self, other: &Self) -> bool {
        let follows =
            |one: &Self, other: &Self| one.era.is_none_or(|era| other.opened.contains(&era));
        self.root() == other.root() && follows(self, other) && follows(other, self)
    }

    /// Lives that left in good order, of whom others may not have heard it: they hold nothing. Once
    /// everybody was counted, and so has heard of them, they are no longer named.
    fn departed(&self) -> Vec<NodeId> {
        let Some(view) = &self.adopted else {
            return Vec::new();
        };
        let left = view
            .members
            .iter()
            .filter(|member| member.after.is_none() && self.complete);
        let mut departed: Vec<_> = left.map(|member| member.node).collect();
        if !(self.complete && view.hands_out()) {
            departed.extend(view.departed.iter().chain(&self.departed));
        }
        departed.sort_unstable();
        departed.dedup();
        departed.retain(|node| *node != self.node);
        departed.truncate(LIVES_MAX);
        departed
    }

    /// Lives that were given up and whose shares were not handed out yet.
    fn evicted(&self) -> Vec<NodeId> {
        let done = |view: &View| self.complete && view.hands_out();
        let open = self.adopted.as_ref().filter(|view| !done(view));
        open.map(|view| view.evicted.clone()).unwrap_or_default()
    }

    /// Whether it has followed the adopted view: completed it, or taken a grant of who had.
    #[must_use]
    pub fn has_followed(&self) -> bool {
        self.complete || (self.era.is_some() && self.era == self.adopted_id())
    }

    /// Notes that a grant was applied in the adopted view, of somebody who has followed it: it may be
    /// of what the view handed out, whether or not it will ever be complete here. Who has followed it
    /// has heard from everybody that it was adopted.
    pub fn took_grant(&mut self) {
        if let Some(view) = self.adopted.as_ref().filter(|view| view.begins_era()) {
            self.era = Some(view.id);
        }
    }

    /// Lives that have ended: this process's own, and those that an operator has named.
    #[must_use]
    pub fn former(&self) -> &[NodeId] {
        &self.former
    }

    /// Where it stands, for others.
    pub fn report(&mut self) -> Report {
        self.reports += 1;
        Report {
            number: self.reports,
            adopted: self.adopted_id(),
            complete: self.complete,
            weight: self.weight,
            known: self.known(),
            lacks: self.lacks(),
            leaving: self.leaving,
            former: self.former.clone(),
            bootstrap: self.bootstrap,
            root: self.root(),
            carried: self.carried().to_vec(),
            departed: self.departed(),
            evicted: self.evicted(),
            era: self.era,
            opened: self.opened.clone(),
            asks: false,
        }
    }

    /// Members whose openings it lacks.
    #[must_use]
    pub fn lacks(&self) -> Vec<NodeId> {
        let Some(view) = &self.adopted else {
            return Vec::new();
        };
        let here = |node: &NodeId| self.openings.get(node).is_some_and(Opening::is_whole);
        view.nodes().filter(|node| !here(node)).collect()
    }

    /// Adopts `view` if it may; the caller then lowers the table, cuts it and calls [`Ledger::open`].
    ///
    /// `is_living` says whom this node hears, or heard until short ago.
    pub fn adopt(&mut self, view: &View, is_living: impl Fn(NodeId) -> bool) -> Adoption {
        if self
            .adopted
            .as_ref()
            .is_some_and(|old| old.id.number >= view.id.number)
        {
            return Adoption::Known;
        }
        let Some(own) = view.member(self.node).filter(|_| view.is_sound()) else {
            return Adoption::NotMine;
        };
        let leaves_empty = self.leaving && self.adopted.is_none();
        if own.before != self.weight || leaves_empty || (self.leaving && !own.after.is_none()) {
            return Adoption::WrongWeight;
        }
        if self.root().is_some_and(|root| root != view.root) {
            return Adoption::FoundedApart;
        }
        if !self.follows(view) {
            return Adoption::CountsApart;
        }
        if let Some(left_out) = self.left_out_by(view) {
            return Adoption::LeavesOut(left_out);
        }
        if let Some(living) = view.evicted.iter().find(|node| is_living(**node)) {
            return Adoption::EvictsTheLiving(*living);
        }
        if let Some(evicted) = view.nodes().find(|node| self.has_given_up(*node)) {
            return Adoption::CountsTheEvicted(evicted);
        }
        // The ratchet: lowered before anybody is told, and not raised until a view completes.
        self.weight = match own.before.min(own.after) {
            _ if planted!(RatchetLeftOut) => own.before,
            _ if planted!(GrownAtAdoption) => own.after,
            lesser => lesser,
        };
        self.open_for(view);
        self.departed = self.departed();
        self.adopted = Some(view.clone());
        self.complete = false;
        self.openings.clear();
        Adoption::Adopted
    }

    /// Whether a view goes on from the era that this node counts in, or from one that it has opened
    /// for since: of any other it may hold what that era has handed out.
    fn follows(&self, view: &View) -> bool {
        self.era
            .is_none_or(|era| view.era.number >= era.number && self.opened.contains(&view.era))
    }

    /// Somebody whom this node knows and the view says nothing of.
    fn left_out_by(&self, view: &View) -> Option<NodeId> {
        let mut lives = self
            .known()
            .into_iter()
            .chain(self.carried().iter().copied());
        lives.find(|node| !view.accounts_for(*node))
    }

    fn open_for(&mut self, view: &View) {
        self.era.get_or_insert(view.era);
        let begun = view.begins_era().then_some(view.id);
        for era in [view.era].into_iter().chain(begun) {
            if !self.opened.contains(&era) {
                self.opened.push(era);
            }
        }
        // Views that never complete may begin era after era; the one that still counts is kept.
        while self.opened.len() > OPENED_MAX {
            let counts = |era: &ViewId| self.era == Some(*era);
            let oldest = self.opened.iter().position(|era| !counts(era));
            self.opened.remove(oldest.unwrap_or_default());
        }
    }

    /// Whether this node has completed a view that evicted `node`. If that one lives on, the two
    /// hold the same share, and only one of them may go on.
    #[must_use]
    pub fn has_given_up(&self, node: NodeId) -> bool {
        self.given_up.contains(&node)
    }

    /// Adds this node's own opening.
    pub fn open(&mut self, opening: Opening) {
        self.openings.insert(self.node, opening);
    }

    /// Adds a chunk of a member's opening; says whether that opening became whole by it.
    pub fn add_chunk(&mut self, chunk: OpeningChunk) -> bool {
        let Some(view) = &self.adopted else {
            return false;
        };
        if view.id != chunk.view || !view.has(chunk.member) || chunk.member == self.node {
            return false;
        }
        self.openings.entry(chunk.member).or_default().add(chunk)
    }

    /// A member's opening of the adopted view, if it is here whole.
    #[must_use]
    pub fn opening(&self, member: NodeId) -> Option<&Opening> {
        self.openings
            .get(&member)
            .filter(|opening| opening.is_whole())
    }

    /// All openings, if the view can be completed: none is lacking and it was not completed yet.
    #[must_use]
    pub fn ready(&self) -> Option<(&View, &BTreeMap<NodeId, Opening>)> {
        let view = self.adopted.as_ref().filter(|_| !self.complete)?;
        let has_all = self.lacks().is_empty() || planted!(OpeningsNotAwaited);
        has_all.then_some((view, &self.openings))
    }

    /// Notes that what the view brings was installed.
    pub fn finish(&mut self) {
        let Some(view) = &self.adopted else { return };
        let Some(own) = view.member(self.node) else {
            return;
        };
        self.weight = own.after;
        self.complete = true;
        self.era = Some(if view.begins_era() { view.id } else { view.era });
        if view.begins_era() {
            self.given_up.extend(&view.evicted);
        }
        let excess = self.given_up.len().saturating_sub(GIVEN_UP_MAX);
        self.given_up.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Member, Statement};
    use super::*;

    fn view(number: u64, members: &[(u64, Share, Share)]) -> View {
        let member = |(node, before, after): &(u64, Share, Share)| Member {
            node: NodeId(*node),
            before: *before,
            after: *after,
        };
        View {
            id: ViewId {
                number,
                proposer: 1,
            },
            members: members.iter().map(member).collect(),
            evicted: Vec::new(),
            carried: Vec::new(),
            departed: Vec::new(),
            era: ViewId::default(),
            root: ViewId::default(),
        }
    }

    fn half() -> Share {
        Share::WHOLE.portion(1, 2)
    }

    fn holder() -> Ledger {
        let mut ledger = Ledger::new(NodeId(1), false);
        let first = view(1, &[(1, Share::NONE, half()), (2, Share::NONE, half())]);
        follow(&mut ledger, &first);
        ledger
    }

    /// INV-6: a view that is given up for a newer one gives nothing back.
    #[test]
    fn a_view_ratchets_until_one_completes() {
        let mut ledger = holder();
        let third = Share::WHOLE.portion(1, 3);
        let second = view(
            2,
            &[
                (1, half(), third),
                (2, half(), third),
                (3, Share::NONE, third),
            ],
        );
        assert_eq!(ledger.adopt(&second, |_| true), Adoption::Adopted);
        assert_eq!(ledger.weight(), third);
        let stale = view(
            3,
            &[
                (1, half(), half()),
                (2, half(), half()),
                (3, Share::NONE, Share::NONE),
            ],
        );
        assert_eq!(ledger.adopt(&stale, |_| true), Adoption::WrongWeight);
        assert_eq!(ledger.adopt(&second, |_| true), Adoption::Known);
    }

    #[test]
    fn nobody_it_shares_a_view_with_may_be_left_out() {
        let mut ledger = holder();
        let without = view(2, &[(1, half(), Share::WHOLE)]);
        assert_eq!(
            ledger.adopt(&without, |_| false),
            Adoption::LeavesOut(NodeId(2))
        );
        let evicting = View {
            evicted: vec![NodeId(2)],
            ..without
        };
        let living = ledger.adopt(&evicting, |_| true);
        assert_eq!(living, Adoption::EvictsTheLiving(NodeId(2)));
        assert_eq!(ledger.adopt(&evicting, |_| false), Adoption::Adopted);
    }

    /// Adopts a view and has every member's opening of it.
    fn follow(ledger: &mut Ledger, view: &View) {
        assert_eq!(ledger.adopt(view, |_| false), Adoption::Adopted);
        for node in view.nodes() {
            let opening = Opening::of(view.id, node, Statement::default());
            ledger.openings.insert(node, opening);
        }
        assert!(ledger.ready().is_some());
        ledger.finish();
    }

    /// Who has handed all over holds nothing, whatever a view says that was proposed by who did not
    /// know it yet: carried for ever, it would keep what others held from being handed out.
    #[test]
    fn who_has_left_is_remembered_when_a_view_comes_that_does_not_say_it() {
        let mut ledger = holder();
        let left = [(1, half(), Share::WHOLE), (2, half(), Share::NONE)];
        follow(&mut ledger, &view(2, &left));
        let unaware = View {
            carried: vec![NodeId(2)],
            ..view(3, &[(1, Share::WHOLE, Share::WHOLE)])
        };
        assert_eq!(ledger.adopt(&unaware, |_| false), Adoption::Adopted);
        assert_eq!(ledger.report().departed, [NodeId(2)]);
        let aware = View {
            departed: vec![NodeId(2)],
            ..view(4, &[(1, Share::WHOLE, Share::WHOLE)])
        };
        follow(&mut ledger, &aware);
        assert_eq!(ledger.report().departed, [], "everybody has heard it");
    }

    /// INV-7: neither what was nor what will be held may exceed the whole.
    #[test]
    fn what_sums_to_more_than_one_is_no_view() {
        let mut ledger = holder();
        let greedy = view(2, &[(1, half(), Share::WHOLE), (2, half(), half())]);
        assert_eq!(ledger.adopt(&greedy, |_| true), Adoption::NotMine);
        let founding = View {
            root: ViewId {
                number: 3,
                proposer: 1,
            },
            ..view(3, &[(1, half(), half()), (2, half(), half())])
        };
        assert_eq!(ledger.adopt(&founding, |_| true), Adoption::NotMine);
    }

    /// C5: a new life begins with nothing.
    #[test]
    fn a_new_life_holds_nothing_and_names_the_old_one() {
        let mut ledger = holder();
        ledger.be_reborn(NodeId(9));
        assert_eq!((ledger.weight(), ledger.known().len()), (Share::NONE, 0));
        assert_eq!(ledger.report().former, [NodeId(1)]);
    }
}
