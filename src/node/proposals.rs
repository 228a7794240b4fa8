//! Which view this node should propose, and when.

use std::collections::BTreeSet;

use crate::units::{Nanos, NodeId};
use crate::view::{Candidate, View, propose};
use crate::wire::Message;

use super::{EvictAfter, Node};

/// A change waits so many ticks for others that come at the same time.
const GATHER_TICKS: u32 = 2;

/// Who has not answered so many ticks after a change was found to be needed is carried.
const CARRY_TICKS: u32 = 6;

/// Others that cannot complete a newer view are waited for so long: it may be on its way here.
const STUCK_TICKS: u32 = 12;

/// Answers are good for so many ticks; then everybody is asked again.
const ANSWERS_TICKS: u32 = 20;

/// A majority waits so long for the rest before it founds.
const FOUNDING_GRACE_TICKS: u32 = 10;

impl Node {
    /// The view that this node should propose now, if any.
    pub(super) fn due_view(&mut self, now: Nanos) -> Option<View> {
        if self.ledger.adopted().is_none() {
            return self.founding_view(now);
        }
        let connected = self.candidates(None);
        let evicted = self.evictable(now, &connected);
        let needs_change = self.needs_change(now, &connected, &evicted);
        if !needs_change && !self.is_ahead_and_stuck(&connected) {
            self.views.needed_since = None;
            return None;
        }
        let count = connected.len();
        let since = self.asked_since(now);
        let waited_ns = now.0.saturating_sub(since.0);
        let answered = self.candidates(Some(since));
        let patience = match answered.len() < count {
            _ if !needs_change => STUCK_TICKS,
            true => CARRY_TICKS,
            false => GATHER_TICKS,
        };
        let leader = answered.iter().find(|c| c.report.adopted.is_some())?;
        if leader.node != self.id || waited_ns < self.config.ticks_ns(patience) {
            return None;
        }
        let evicted = self.evictable(now, &answered);
        let newest = answered
            .iter()
            .filter_map(|c| c.report.adopted)
            .map(|id| id.number)
            .max();
        let hearsay = self.last_lives_of(&evicted, newest);
        propose(self.id, &answered, &evicted, &hearsay)
    }

    /// Since when this node waits for answers: now, if it has just asked.
    fn asked_since(&mut self, now: Nanos) -> Nanos {
        let fresh_ns = self.config.ticks_ns(ANSWERS_TICKS);
        let fresh = |since: &Nanos| now.0.saturating_sub(since.0) < fresh_ns;
        let since = self.views.needed_since.filter(fresh).unwrap_or(now);
        self.views.needed_since = Some(since);
        if now.0.saturating_sub(since.0) < self.config.ticks_ns(CARRY_TICKS) {
            self.ask_all(now);
        }
        since
    }

    /// Everybody who could be counted, by id: this node, and connected peers who hold a share of the
    /// same limit or none at all; if so asked, only who was heard since then.
    fn candidates(&self, since: Option<Nanos>) -> Vec<Candidate<'_>> {
        let own = self.views.report.iter().map(|report| Candidate {
            node: self.id,
            report,
        });
        let peers = self.peers.iter().filter(|(node, peer)| {
            let heard = since.is_none_or(|since| peer.heard_at.is_some_and(|at| at >= since));
            peer.connected && heard && !peer.gone && !self.ledger.has_given_up(**node)
        });
        let peers = peers.filter_map(|(node, peer)| {
            let report = peer.report.as_ref()?;
            // A leaver that handed over to somebody who is gone now is still waited for here.
            let carried = self.ledger.carried().contains(node);
            let has_left = report.leaving && !report.known.contains(node) && !carried;
            (!has_left && !self.counts_apart(*node, report)).then_some(Candidate {
                node: *node,
                report,
            })
        });
        let mut all: Vec<_> = own.chain(peers).collect();
        all.sort_unstable_by_key(|candidate| candidate.node);
        all
    }

    /// Whom a view may give up: who was silent for long enough, or is gone for good.
    fn evictable(&self, now: Nanos, candidates: &[Candidate<'_>]) -> Vec<NodeId> {
        let reports = || candidates.iter().map(|candidate| candidate.report);
        let mut lives: BTreeSet<NodeId> = reports().flat_map(crate::view::Report::lives).collect();
        let departed: Vec<_> = reports().flat_map(|report| &report.departed).collect();
        let counted = |node: &NodeId| candidates.iter().any(|c| c.node == *node);
        lives.retain(|node| {
            !counted(node) && !departed.contains(&node) && self.is_silent(now, *node)
        });
        lives.into_iter().collect()
    }

    /// With whom nodes that are given up counted last, if they have told of a view of a higher
    /// number than this.
    pub(super) fn last_lives_of(&self, evicted: &[NodeId], above: Option<u64>) -> Vec<NodeId> {
        let reports = evicted
            .iter()
            .filter_map(|node| self.peers.get(node)?.report.as_ref());
        let newer = reports.filter(|report| report.adopted.map(|id| id.number) > above);
        newer.flat_map(crate::view::Report::lives).collect()
    }

    fn is_silent(&self, now: Nanos, node: NodeId) -> bool {
        let Some(peer) = self.peers.get(&node) else {
            // Never heard of but by others: silent since this node came to life.
            return self.is_too_long(now.0.saturating_sub(self.started_at.0));
        };
        // Where there is little to say, who lives may have said nothing to this node for long: it
        // was silent since shortly before it was lost.
        let before_loss = |at: Nanos| Nanos(at.0.saturating_sub(self.noticed_after_ns()));
        let heard = peer.heard_at.unwrap_or(self.started_at);
        let since = heard.max(peer.lost_at.map_or(Nanos::ZERO, before_loss));
        let unreachable = !peer.connected && !peer.reachable;
        peer.gone || (unreachable && self.is_too_long(now.0.saturating_sub(since.0)))
    }

    pub(super) fn is_too_long(&self, silent_ns: u64) -> bool {
        match self.config.evict_after {
            EvictAfter::Never => planted!(NeverEvicts) && silent_ns >= self.config.ticks_ns(50),
            EvictAfter::After(after) => u128::from(silent_ns) >= after.as_nanos(),
        }
    }

    fn needs_change(&self, now: Nanos, candidates: &[Candidate<'_>], evicted: &[NodeId]) -> bool {
        // Who has all openings and no room for what they list waits for room: another view of the same
        // members would bring as much.
        let ready = || self.ledger.ready().map(|(view, _)| view);
        let Some(view) = self.ledger.complete().or_else(ready) else {
            // The one under way did not complete before its rest was over.
            return self.views.rest_until <= now;
        };
        let evicted = evicted.iter().any(|node| !view.evicted.contains(node));
        let holds = |node| {
            view.member(node)
                .is_some_and(|member| !member.after.is_none())
        };
        // A leaver that keeps nothing in this view has only to hear of it.
        let closed = |node| view.has(node) && !holds(node);
        // The others went on without this node while it saw nothing change: as it may be the one to
        // propose, it has to see the need that they see.
        let passed_over = |report: &crate::view::Report| {
            let newer = report.complete && report.adopted > Some(view.id);
            newer && !report.known.contains(&self.id)
        };
        let news = |c: &Candidate<'_>| match c.report.leaving {
            true => c.report.known.contains(&c.node) && !closed(c.node),
            false => !holds(c.node) || passed_over(c.report),
        };
        candidates.iter().any(news) || evicted
    }

    /// Whether somebody has adopted a newer view than this node has completed, and cannot complete it.
    /// This node may have refused it, as one that gives up the living; it is then the one to go on if
    /// it leads.
    fn is_ahead_and_stuck(&self, candidates: &[Candidate<'_>]) -> bool {
        let own = self.ledger.complete().map(|view| view.id);
        let ahead = |c: &Candidate<'_>| !c.report.complete && c.report.adopted > own;
        own.is_some() && candidates.iter().any(ahead)
    }

    pub(super) fn propose_to_all(&mut self, view: &View) {
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
        let candidates = self.candidates(None);
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
            propose(self.id, &self.candidates(None), &[], &[])
        } else {
            None
        }
    }
}
