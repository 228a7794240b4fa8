//! Views: reports, proposals, openings, and new lives.

use std::collections::BTreeMap;

use crate::units::{Nanos, NodeId, Share};
use crate::view::{
    self, Adoption, Candidate, Group, Listed, Opening, OpeningChunk, Pending, Report, Statement,
    View, ViewId, propose,
};
use crate::wire::Message;
use rand::RngExt;

use super::{Event, EvictAfter, Node, Output};

/// A node says where it stands at least this often, in ticks.
const REPORT_TICKS: u32 = 50;

/// While a view change is under way it says so this often, in ticks: what it lacks is sent again.
const REPORT_CHANGING_TICKS: u32 = 3;

/// A proposal that was not completed for so many ticks is tried again, after as many more at most.
const PROPOSAL_TICKS: u32 = 10;

/// An opening goes to the same member at most once in so many ticks; what somebody else would send
/// anyway is relayed only when it is late by that much.
const OPENING_RETRY_TICKS: u32 = 4;

/// A change waits so many ticks for others that come at the same time.
const GATHER_TICKS: u32 = 2;

/// A majority waits so long for the rest before it founds.
const FOUNDING_GRACE_TICKS: u32 = 10;

/// How a view change is coming along.
#[derive(Debug)]
pub(super) struct Change {
    reported_at: Nanos,
    /// The report that stands, and was told to those whose `reported` is its number.
    report: Option<Report>,
    /// When a change was first found to be needed.
    needed_since: Option<Nanos>,
    /// No proposal before this.
    rest_until: Nanos,
    /// Since when enough nodes to found are there.
    founders_since: Option<Nanos>,
    left: bool,
    /// When the adopted view's openings were last sent: to whom, and whose.
    opened_at: BTreeMap<(NodeId, NodeId), Nanos>,
    /// When the adopted view was adopted.
    adopted_at: Nanos,
    /// A proposal was refused: at the next tick others hear where this node really stands.
    refused: bool,
}

impl Change {
    pub(super) fn new(now: Nanos) -> Self {
        Self {
            reported_at: now,
            report: None,
            needed_since: None,
            rest_until: now,
            founders_since: None,
            left: false,
            opened_at: BTreeMap::new(),
            adopted_at: now,
            refused: false,
        }
    }
}

impl Node {
    /// Leaves: hands over all it holds, debts too. [`Event::Left`] tells when the others know.
    pub fn leave(&mut self, now: Nanos) {
        self.ledger.leave();
        self.report_to_all(now);
        self.see_off(now);
    }

    /// An operator's word that a node is gone for good: it is evicted without waiting. The others
    /// hear of it by this node's reports.
    pub fn forget(&mut self, now: Nanos, node: NodeId) {
        self.peers.entry(node).or_default().gone = true;
        self.ledger.forget(node);
        self.report_to_all(now);
        self.views.needed_since.get_or_insert(now);
    }

    pub(super) fn tick_views(&mut self, now: Nanos) {
        self.report_in_time(now);
        self.complete(now);
        self.see_off(now);
        if self.views.rest_until > now || self.views.left {
            return;
        }
        let Some(view) = self.due_view(now) else {
            return;
        };
        self.rest(now);
        if self.adopt(now, &view) == Adoption::Adopted {
            self.propose_to_all(&view);
        }
    }

    /// Gives the view under way its time: one that is abandoned burns what was left behind for it.
    fn rest(&mut self, now: Nanos) {
        let rest = PROPOSAL_TICKS + self.rng.random_range(0..PROPOSAL_TICKS);
        self.views.rest_until = Nanos(now.0 + self.config.ticks_ns(rest));
    }

    // --- Reports ---

    /// Tells a peer where this node stands, if it has not heard it.
    pub(super) fn send_report(&mut self, node: NodeId) {
        if self.views.report.is_none() {
            self.views.report = Some(self.ledger.report());
        }
        let Some(report) = self.views.report.clone() else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer.reported < report.number {
            peer.reported = report.number;
            self.send(node, &Message::Report(report));
        }
    }

    fn report_to_all(&mut self, now: Nanos) {
        self.views.report = Some(self.ledger.report());
        self.views.reported_at = now;
        for node in self.connected() {
            self.send_report(node);
        }
    }

    fn report_in_time(&mut self, now: Nanos) {
        let changing = self.ledger.is_changing() || self.ledger.adopted().is_none();
        let ticks = if changing {
            REPORT_CHANGING_TICKS
        } else {
            REPORT_TICKS
        };
        let due = now.0.saturating_sub(self.views.reported_at.0) >= self.config.ticks_ns(ticks);
        if std::mem::take(&mut self.views.refused) || due {
            self.report_to_all(now);
        }
    }

    pub(super) fn handle_report(&mut self, now: Nanos, from: NodeId, report: &Report) {
        for former in &report.former {
            if *former != self.id {
                self.peers.entry(*former).or_default().gone = true;
            }
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if peer
            .report
            .as_ref()
            .is_some_and(|old| old.number >= report.number)
        {
            return;
        }
        peer.report = Some(report.clone());
        // Who leaves before it was ever given anything adopts no view any more: a view that counts
        // it already need not wait for it.
        peer.gone |= report.leaving && report.adopted.is_none();
        if self.must_yield(from, report) {
            self.be_reborn(now);
            return;
        }
        self.help(now, from, report);
        self.see_off(now);
    }

    /// Sends a peer the view that it has not adopted, or the openings that it lacks.
    fn help(&mut self, now: Nanos, node: NodeId, report: &Report) {
        let Some(view) = self.ledger.adopted().filter(|view| view.has(node)).cloned() else {
            return;
        };
        if report
            .adopted
            .is_none_or(|adopted| adopted.number < view.id.number)
        {
            self.send(node, &Message::Propose(view));
        } else if report.adopted == Some(view.id) {
            for member in &report.lacks {
                if self.is_opening_due(now, node, *member) {
                    self.send_opening(now, node, *member);
                }
            }
        }
    }

    /// Whether a member that lacks an opening should be sent it by this node now. With many keys
    /// openings are long, and everybody who has one hears of everybody who lacks it.
    fn is_opening_due(&self, now: Nanos, to: NodeId, member: NodeId) -> bool {
        let own = member == self.id;
        let relayed_from = (!own).then_some(self.views.adopted_at);
        let sent_at = self.views.opened_at.get(&(to, member)).copied();
        let patience_ns = self.config.ticks_ns(OPENING_RETRY_TICKS);
        let rests = |at: Nanos| now.0.saturating_sub(at.0) < patience_ns;
        !sent_at.max(relayed_from).is_some_and(rests)
    }

    fn send_opening(&mut self, now: Nanos, to: NodeId, member: NodeId) {
        let Some(opening) = self.ledger.opening(member) else {
            return;
        };
        self.views.opened_at.insert((to, member), now);
        let chunks: Vec<_> = opening.chunks().cloned().map(Message::Opening).collect();
        for chunk in chunks {
            self.send(to, &chunk);
        }
    }

    /// Whether this node's group and the peer's count apart, one having gone on without the other,
    /// and the peer's is the larger.
    fn must_yield(&self, from: NodeId, report: &Report) -> bool {
        let (Some(own), Some(theirs)) = (self.ledger.adopted_id(), report.adopted) else {
            return false;
        };
        let known = self.ledger.known();
        let leaves = self.ledger.is_leaving() && self.ledger.weight().is_none();
        if leaves || report.known.is_empty() || known.is_empty() {
            return false;
        }
        let own = Group {
            node: self.id,
            adopted: own,
            known: &known,
        };
        let theirs = Group {
            node: from,
            adopted: theirs,
            known: &report.known,
        };
        let apart = report.root != self.ledger.root()
            || own.is_left_out_by(&theirs)
            || theirs.is_left_out_by(&own)
            || self.ledger.has_given_up(from);
        apart && own.yields_to(&theirs)
    }

    // --- Proposals ---

    /// The view that this node should propose now, if any.
    fn due_view(&mut self, now: Nanos) -> Option<View> {
        if self.ledger.adopted().is_none() {
            return self.founding_view(now);
        }
        let known = self.ledger.known();
        let candidates = self.candidates(&known);
        let leads = candidates.iter().find(|c| known.contains(&c.node))?.node == self.id;
        let evicted = self.evictable(now, &known, &candidates);
        if !leads || !self.needs_change(now, &candidates, &evicted) {
            self.views.needed_since = None;
            return None;
        }
        let since = *self.views.needed_since.get_or_insert(now);
        if now.0.saturating_sub(since.0) < self.config.ticks_ns(GATHER_TICKS) {
            return None;
        }
        propose(self.id, &self.candidates(&known), &evicted)
    }

    /// Everybody who could be counted, by id: this node, and connected peers who share a view with
    /// it or have none.
    fn candidates(&self, known: &[NodeId]) -> Vec<Candidate<'_>> {
        let own = self.views.report.iter().map(|report| Candidate {
            node: self.id,
            report,
        });
        let peers = self.peers.iter().filter(|(node, peer)| {
            peer.connected && !peer.gone && !self.ledger.has_given_up(**node)
        });
        let peers = peers.filter_map(|(node, peer)| {
            let report = peer.report.as_ref()?;
            let kin = report.root.is_none() || report.root == self.ledger.root();
            let new = report.known.is_empty() && !report.leaving;
            let has_left = report.leaving && !report.known.contains(node);
            let akin = report.known.iter().any(|other| known.contains(other));
            let counts = known.contains(node) || new || (akin && !has_left);
            (kin && counts).then_some(Candidate {
                node: *node,
                report,
            })
        });
        let mut all: Vec<_> = own.chain(peers).collect();
        all.sort_unstable_by_key(|candidate| candidate.node);
        all
    }

    /// Whom a view may leave out: members who were silent for long enough, or are gone for good.
    fn evictable(&self, now: Nanos, known: &[NodeId], candidates: &[Candidate<'_>]) -> Vec<NodeId> {
        let theirs = candidates
            .iter()
            .flat_map(|candidate| &candidate.report.known);
        let mut all: Vec<NodeId> = known.iter().chain(theirs).copied().collect();
        all.sort_unstable();
        all.dedup();
        let counted = |node: &NodeId| candidates.iter().any(|c| c.node == *node);
        all.retain(|node| !counted(node) && self.is_silent(now, *node));
        all
    }

    fn is_silent(&self, now: Nanos, node: NodeId) -> bool {
        let Some(peer) = self.peers.get(&node) else {
            // Never heard of but by others: silent since this node came to life.
            return self.is_too_long(now.0.saturating_sub(self.started_at.0));
        };
        let since = peer.heard_at.unwrap_or(self.started_at);
        let unreachable = !peer.connected && !peer.reachable;
        peer.gone || (unreachable && self.is_too_long(now.0.saturating_sub(since.0)))
    }

    fn is_too_long(&self, silent_ns: u64) -> bool {
        match self.config.evict_after {
            EvictAfter::Never => false,
            EvictAfter::After(after) => u128::from(silent_ns) >= after.as_nanos(),
        }
    }

    fn needs_change(&self, now: Nanos, candidates: &[Candidate<'_>], evicted: &[NodeId]) -> bool {
        let Some(view) = self.ledger.complete() else {
            // The one under way did not complete before its rest was over.
            return self.views.rest_until <= now;
        };
        let holds = |node| {
            view.member(node)
                .is_some_and(|member| !member.after.is_none())
        };
        // A leaver that keeps nothing in this view has only to hear of it.
        let closed = |node| view.has(node) && !holds(node);
        let news = |c: &Candidate<'_>| match c.report.leaving {
            true => c.report.known.contains(&c.node) && !closed(c.node),
            false => !holds(c.node),
        };
        candidates.iter().any(news) || !evicted.is_empty()
    }

    fn propose_to_all(&mut self, view: &View) {
        for member in &view.members {
            if member.node != self.id {
                self.send(member.node, &Message::Propose(view.clone()));
            }
        }
    }

    /// The first view of a cluster, if this node is the one to propose it.
    fn founding_view(&mut self, now: Nanos) -> Option<View> {
        let peers = self.peers.values().filter(|peer| peer.connected);
        if peers
            .filter_map(|peer| peer.report.as_ref())
            .any(|report| report.adopted.is_some())
        {
            return None;
        }
        let founding = self.config.founding;
        let candidates = self.candidates(&[]);
        let count = candidates.len();
        let first = candidates.first()?.node == self.id;
        let complete = count >= founding.expected.max(1);
        // Two majorities share a member, unless one of them restarted and has forgotten the other:
        // that is a second group, and so only where groups are allowed.
        let majority =
            2 * count > founding.expected && self.config.evict_after != EvictAfter::Never;
        let grace_ns = self.config.ticks_ns(FOUNDING_GRACE_TICKS);
        if !(complete || majority || founding.bootstrap) {
            self.views.founders_since = None;
            return None;
        }
        let since = *self.views.founders_since.get_or_insert(now);
        let waited = now.0.saturating_sub(since.0) >= grace_ns;
        let due = founding.bootstrap || (first && (complete || waited));
        if due {
            propose(self.id, &self.candidates(&[]), &[])
        } else {
            None
        }
    }

    // --- Adoption, opening, completion ---

    pub(super) fn handle_proposal(&mut self, now: Nanos, from: NodeId, view: &View) {
        match self.adopt(now, view) {
            Adoption::Adopted | Adoption::Known => {}
            refused => {
                tracing::debug!(?refused, %from, view = view.id.number, "view not adopted");
                // Not at once: the answer to a report may be this very proposal.
                self.views.refused = true;
            }
        }
    }

    /// Adopts a view: lowers what is held, and only then opens.
    fn adopt(&mut self, now: Nanos, view: &View) -> Adoption {
        let evicted = view.evicted.iter().copied();
        let living: Vec<_> = evicted.filter(|node| self.is_living(now, *node)).collect();
        let former = self.ledger.adopted_id();
        let adoption = self.ledger.adopt(view, |node| living.contains(&node));
        if adoption != Adoption::Adopted {
            return adoption;
        }
        self.rest(now);
        let statement = self.freeze(now, view, former);
        self.ledger.open(Opening::of(view.id, self.id, statement));
        self.abandon_gatherings(now);
        let members: Vec<_> = view.nodes().filter(|node| *node != self.id).collect();
        self.views.opened_at.clear();
        self.views.adopted_at = now;
        // Who has not adopted it yet could not take it; it will say so when it has.
        let has_adopted = |member: &NodeId| {
            let report = self.peers.get(member).and_then(|peer| peer.report.as_ref());
            let follows = report.is_some_and(|report| report.adopted == Some(view.id));
            follows || member.0 == view.id.proposer
        };
        let ready: Vec<_> = members.into_iter().filter(has_adopted).collect();
        for member in ready {
            self.send_opening(now, member, self.id);
        }
        self.report_to_all(now);
        self.complete(now);
        adoption
    }

    /// Lowers what is held, and says what is held from then on: an opening. Grants that were not
    /// acknowledged are part of it, and will not be sent again.
    fn freeze(&mut self, now: Nanos, view: &View, former: Option<ViewId>) -> Statement {
        let mut pending = self.take_pending();
        let index = |grant: &Pending| {
            let limit = self.table.index_of(grant.listed.limit)?;
            Some((limit, grant.listed.key))
        };
        let keep: Vec<_> = pending.iter().filter_map(index).collect();
        let weight = self.ledger.weight();
        let overdraft = self.overdraft_of(weight);
        let fullness = self.table.freeze(weight, overdraft, &keep, now);
        let leaves = view.member(self.id).is_some_and(|own| own.after.is_none());
        let listed = if leaves {
            self.table.close(now)
        } else {
            self.table.cut(now)
        };
        pending.retain(|grant| view.has(grant.to));
        let applied = std::mem::take(&mut self.applied);
        let applied = applied.all().filter(|(from, _)| view.has(*from));
        Statement {
            base: former,
            applied: applied.collect(),
            fullness: fullness.into_iter().collect(),
            listed,
            pending,
        }
    }

    /// Takes all that was granted and not acknowledged out of the outboxes.
    fn take_pending(&mut self) -> Vec<Pending> {
        let mut taken = Vec::new();
        for (to, peer) in &mut self.peers {
            taken.extend(peer.outbox.pending().map(|grant| Pending {
                to: *to,
                number: grant.number,
                listed: Listed {
                    limit: grant.limit,
                    key: grant.key,
                    parcel: grant.parcel(),
                },
            }));
            peer.outbox.clear();
            peer.granted_at = None;
        }
        taken
    }

    /// Whether this node hears a member, or heard it until short ago: half the time that makes a
    /// member evictable, as clocks and losses differ.
    fn is_living(&self, now: Nanos, node: NodeId) -> bool {
        let Some(peer) = self.peers.get(&node).filter(|peer| !peer.gone) else {
            return false;
        };
        // Of one that was never heard this node has only hearsay.
        let silent_ns = |at: Nanos| now.0.saturating_sub(at.0).saturating_mul(2);
        let heard = |at| !self.is_too_long(silent_ns(at));
        peer.connected || peer.reachable || peer.heard_at.is_some_and(heard)
    }

    pub(super) fn handle_opening(&mut self, now: Nanos, chunk: OpeningChunk) {
        if self.ledger.add_chunk(chunk) {
            self.complete(now);
        }
    }

    /// Completes the adopted view if nothing is lacking and there is room for what it brings.
    fn complete(&mut self, now: Nanos) {
        let Some((view, openings)) = self.ledger.ready() else {
            return;
        };
        let policies = self.table.policies();
        let settlement = view::settle(self.id, view, openings, policies, self.config.overshoot);
        if !self.table.has_room_for(&settlement, now) {
            return;
        }
        let (id, evicted): (ViewId, _) = (view.id, view.evicted.clone());
        self.table.install(&settlement, now);
        self.active.extend(self.table.contended_keys());
        self.ledger.finish();
        self.counters.views_completed += 1;
        self.counters.members_evicted += evicted.len() as u64;
        self.views.needed_since = None;
        self.views.rest_until = now;
        if !self.ledger.weight().is_none() {
            self.outputs
                .push_back(Output::Event(Event::ViewComplete(id)));
        }
        self.report_to_all(now);
        self.see_off(now);
    }

    /// A leaver is gone when it holds nothing and every other member has completed the view that
    /// says so; or when there is nobody to hand anything to.
    fn see_off(&mut self, now: Nanos) {
        if !self.ledger.is_leaving() || self.views.left {
            return;
        }
        let alone = self.ledger.known().iter().all(|node| *node == self.id);
        let told = self.ledger.has_left() && self.all_have_followed();
        if alone && self.ledger.weight() == Share::WHOLE || self.ledger.adopted().is_none() || told
        {
            self.views.left = true;
            self.membership.leave(now);
            self.drain_membership();
            self.outputs.push_back(Output::Event(Event::Left));
        }
    }

    /// Whether all members that can be reached have completed the view in which this one keeps
    /// nothing, or a later one. They pass its last word on to those that cannot.
    fn all_have_followed(&self) -> bool {
        let Some(view) = self.ledger.complete() else {
            return true;
        };
        let followed = |peer: &super::Peer| {
            peer.report.as_ref().is_some_and(|report| {
                let newer = report.adopted > Some(view.id);
                newer || (report.adopted == Some(view.id) && report.complete)
            })
        };
        let members = view.nodes().filter_map(|node| self.peers.get(&node));
        let mut reached = members.filter(|peer| peer.connected).peekable();
        reached.peek().is_some() && reached.all(followed)
    }

    /// Ends this life, in which others no longer count with it, and begins a new one.
    fn be_reborn(&mut self, now: Nanos) {
        let (old, new) = (self.id, NodeId(self.rng.random()));
        self.id = new;
        self.table.clear(new);
        self.ledger.be_reborn(new);
        let own = crate::membership::Peer {
            node: new,
            address: self.address,
        };
        let config = self.config.membership.clone();
        self.membership = crate::membership::Membership::new(own, config, self.rng.random());
        self.active.clear();
        self.journal = crate::gossip::Journal::default();
        self.digest = crdts::VClock::new();
        self.mirrors.clear();
        self.sources.clear();
        self.applied = crate::share::AppliedClock::default();
        self.holding = super::hold::Holding::default();
        self.views = Change::new(now);
        self.started_at = now;
        // Connections belong to the old life: the driver makes new ones.
        for peer in self.peers.values_mut() {
            let (address, report) = (peer.address, peer.report.take());
            let (heard_at, gone) = (peer.heard_at, peer.gone);
            *peer = super::Peer {
                address,
                report,
                heard_at,
                gone,
                ..super::Peer::default()
            };
        }
        self.counters.rebirths += 1;
        self.outputs
            .push_back(Output::Event(Event::Reborn { old, new }));
        self.forget_questions(now);
    }
}
