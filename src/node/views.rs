//! Views: reports, proposals, openings, and new lives.

use std::collections::BTreeMap;

use crate::units::{Nanos, NodeId, Share};
use crate::view::{
    self, Adoption, Group, Listed, Opening, OpeningChunk, Pending, Report, Statement, View, ViewId,
};
use crate::wire::Message;
use rand::RngExt;

use super::{Event, Node, Output};

/// A node says where it stands at least this often, in ticks.
const REPORT_TICKS: u32 = 50;

/// While a view change is under way it says so this often, in ticks: what it lacks is sent again.
const REPORT_CHANGING_TICKS: u32 = 3;

/// A proposal that was not completed for so many ticks is tried again, after as many more at most.
const PROPOSAL_TICKS: u32 = 10;

/// An opening goes to the same member at most once in so many ticks; what somebody else would send
/// anyway is relayed only when it is late by that much.
const OPENING_RETRY_TICKS: u32 = 4;

/// How a view change is coming along.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) reported_at: Nanos,
    /// The report that stands, and was told to those whose `reported` is its number.
    pub(super) report: Option<Report>,
    /// When a change was first found to be needed.
    pub(super) needed_since: Option<Nanos>,
    /// No proposal before this.
    pub(super) rest_until: Nanos,
    /// Since when enough nodes to found are there.
    pub(super) founders_since: Option<Nanos>,
    left: bool,
    /// When the adopted view's openings were last sent: to whom, and whose.
    opened_at: BTreeMap<(NodeId, NodeId), Nanos>,
    /// When the adopted view was adopted.
    adopted_at: Nanos,
    /// Whether the report that is being written asks for the others'.
    asking: bool,
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
            asking: false,
            refused: false,
        }
    }
}

impl Node {
    /// Leaves: hands over all it holds, debts too. [`Event::Left`] tells when the others know.
    pub fn leave(&mut self, now: Nanos) {
        self.hand_on_all(now);
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

    /// Says where this node stands to who has asked, whether or not it was told before.
    fn answer_report(&mut self, node: NodeId) {
        let report = self
            .views
            .report
            .get_or_insert_with(|| self.ledger.report());
        let report = Report {
            asks: false,
            ..report.clone()
        };
        self.send(node, &Message::Report(report));
    }

    /// Asks everybody where they stand: who does not answer will be carried.
    pub(super) fn ask_all(&mut self, now: Nanos) {
        self.views.asking = true;
        self.report_to_all(now);
        self.views.asking = false;
    }

    fn report_to_all(&mut self, now: Nanos) {
        self.views.report = Some(Report {
            asks: self.views.asking,
            ..self.ledger.report()
        });
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
        let asked = report.asks;
        // Who leaves before it was ever given anything adopts no view any more: a view that counts
        // it already need not wait for it.
        peer.gone |= report.leaving && report.adopted.is_none();
        if self.must_yield(from, report) {
            self.be_reborn(now);
            return;
        }
        if asked {
            self.answer_report(from);
        }
        self.help(now, from, report);
        self.see_off(now);
    }

    /// Sends a peer the view that it has not adopted, or the openings that it lacks.
    fn help(&mut self, now: Nanos, node: NodeId, report: &Report) {
        let open = |view: &&View| view.member(node).is_some_and(|m| m.before == report.weight);
        let view = self.ledger.adopted();
        let current = |view: &&View| report.adopted == Some(view.id) || open(view);
        let Some(view) = view.filter(|view| view.has(node)).filter(current).cloned() else {
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
        if planted!(OpeningsTakenLive)
            && member == self.id
            && let Some(view) = self.ledger.adopted_id()
        {
            let frozen = self.ledger.opening(member).and_then(Opening::statement);
            let frozen = frozen.cloned().unwrap_or_default();
            let listed = self.table.cut(now);
            self.ledger
                .open(Opening::of(view, self.id, Statement { listed, ..frozen }));
        }
        let Some(opening) = self.ledger.opening(member) else {
            return;
        };
        self.views.opened_at.insert((to, member), now);
        let chunks: Vec<_> = opening.chunks().cloned().map(Message::Opening).collect();
        for chunk in chunks {
            self.send(to, &chunk);
        }
    }

    /// Whether this node's group and the peer's count apart, and the peer's is the larger.
    fn must_yield(&self, from: NodeId, report: &Report) -> bool {
        let (Some(own), Some(theirs)) = (self.ledger.adopted_id(), report.adopted) else {
            return false;
        };
        let known = self.ledger.known();
        if report.known.is_empty() || known.is_empty() {
            return false;
        }
        let own = Group {
            adopted: own,
            known: &known,
        };
        let theirs = Group {
            adopted: theirs,
            known: &report.known,
        };
        self.counts_apart(from, report) && own.yields_to(&theirs)
    }

    /// Whether a peer holds what this node's group has handed out, or the other way round. An old
    /// report says nothing: who is a member of the view that is complete here has opened for it.
    pub(super) fn counts_apart(&self, from: NodeId, report: &Report) -> bool {
        let view = self.ledger.complete().filter(|view| view.has(from));
        let is_old = view.is_some_and(|view| report.adopted < Some(view.id));
        !is_old && !self.ledger.is_kin(report)
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
        if let Some(node) = self.overlooked_by(view) {
            return Adoption::LeavesOut(node);
        }
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

    /// Somebody with whom a member that a view gives up had counted last, by its own word, and of
    /// whom the view says nothing: it may have ceded to that one. Views of lower numbers than this
    /// one's are the proposer's to know of, or one old word could hold up views for ever.
    fn overlooked_by(&self, view: &View) -> Option<NodeId> {
        let lives = self.last_lives_of(&view.evicted, Some(view.id.number.saturating_sub(1)));
        lives.into_iter().find(|node| !view.accounts_for(*node))
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
            peer.void_grants();
            if planted!(GrantsKeptAcrossViews) {
                let kept = taken.iter().filter(|grant| grant.to == *to);
                kept.map(|grant| grant.listed)
                    .for_each(|one| peer.outbox.push(one.limit, one.key, one.parcel));
            }
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

    /// Whether no view was under way for so long.
    pub(super) fn is_calm_for(&self, span_ns: u64, now: Nanos) -> bool {
        let since_ns = now.0.saturating_sub(self.views.adopted_at.0);
        !self.ledger.is_changing() && since_ns >= span_ns
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
        self.ages.follow(view, now);
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
            self.drain_membership(now);
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
        if !planted!(FormerLifeHeld) {
            self.table.clear(new);
        }
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
        self.ages = super::ages::Ages::default();
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
