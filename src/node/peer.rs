//! What a node keeps of one peer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::gossip::Progress;
use crate::share::{Grant, OUTSTANDING_MAX, Outbox};
use crate::units::Nanos;
use crate::view::Report;

/// So few grants are told again with each new one: one that was lost holds up all after it, and they
/// fit the datagram.
const GRANTS_REPEATED_MAX: usize = 12;

/// Another node, as this one knows it.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Where it listens, once known.
    pub(super) address: Option<SocketAddr>,
    /// Whether there is a connection.
    pub(super) connected: bool,
    /// When anything was last heard from it directly.
    pub(super) heard_at: Option<Nanos>,
    /// Since when it owes an answer and has said nothing.
    pub(super) silent_since: Option<Nanos>,
    /// Whether the failure detector thinks that somebody reaches it.
    pub(super) reachable: bool,
    /// Since when the failure detector thinks so by hearsay alone, until that was doubted once.
    pub(super) unmet_since: Option<Nanos>,
    /// When the failure detector last came to think that nobody reaches it.
    pub(super) lost_at: Option<Nanos>,
    /// Whether an operator, or the process itself, has said that it is gone for good.
    pub(super) gone: bool,
    /// Its newest word on where it stands.
    pub(super) report: Option<Report>,
    /// The number of our report that it was last sent.
    pub(super) reported: u64,
    /// Grants on their way to it.
    pub(super) outbox: Outbox,
    /// The number of the last grant that was sent to it.
    pub(super) granted_upto: u64,
    /// Since when those that were sent wait for word of them: a retry counts anew.
    pub(super) granted_at: Option<Nanos>,
    /// Grants of its that came before their turn, by number: not applied, and not acknowledged.
    pub(super) early: BTreeMap<u64, Grant>,
    /// Since when it owes an acknowledgement of grants.
    pub(super) unacknowledged_since: Option<Nanos>,
    /// How far it has heard our rows.
    pub(super) progress: Progress,
    /// What it does not hear, and what it was told that this node does not.
    pub(super) relaying: super::relay::Relaying,
    /// What it is asked for of all keys together, by its own word.
    pub(super) load: u64,
    /// By when it is owed an acknowledgement of rows or grants.
    pub(super) owed_by: Option<Nanos>,
    /// Up to which `seq` rows were written that it should hear at once.
    pub(super) pressing: u64,
    /// When it was last told all there was to tell.
    pub(super) told_at: Option<Nanos>,
    /// Urgent messages sent to it of late: each tick lets some be forgotten.
    pub(super) urgent_sent: u32,
}

impl Peer {
    /// Whether it is worth asking: it was heard of late, or has had no reason to speak.
    pub(super) fn may_answer(&self, now: Nanos, patience_ns: u64) -> bool {
        let waits = |since: Nanos| now.0.saturating_sub(since.0) > patience_ns;
        self.connected && !self.silent_since.is_some_and(waits)
    }

    /// Whether it was heard directly within `patience_ns`.
    pub(super) fn is_heard(&self, now: Nanos, patience_ns: u64) -> bool {
        let since = |at: Nanos| now.0.saturating_sub(at.0);
        self.connected && self.heard_at.is_some_and(|at| since(at) <= patience_ns)
    }

    /// Anything came from it.
    pub(super) const fn hear(&mut self, now: Nanos) {
        self.heard_at = Some(now);
        self.silent_since = None;
    }

    /// Whether it has owed an answer for so long and said nothing.
    pub(super) fn is_mute(&self, now: Nanos, patience_ns: u64) -> bool {
        let mute = |since: Nanos| now.0.saturating_sub(since.0) >= patience_ns;
        self.connected && self.silent_since.is_some_and(mute)
    }

    /// Others say that it is there. Of who was heard in this life, `since`, or was lost before, this
    /// node knows more than hearsay.
    pub(super) fn hear_of(&mut self, now: Nanos, since: Nanos) {
        let was_met = self.heard_at.is_some_and(|at| at >= since) || self.lost_at.is_some();
        self.unmet_since = (!was_met).then_some(now);
    }

    /// Whether there has been nothing but hearsay of it for so long. Says so once.
    pub(super) fn is_rumour(&mut self, now: Nanos, patience_ns: u64) -> bool {
        let waits = |since: &mut Nanos| now.0.saturating_sub(since.0) >= patience_ns;
        self.unmet_since.take_if(waits).is_some()
    }

    /// Whether it has acknowledged no grant for longer than `patience_ns` though some were sent.
    pub(super) fn is_stalled(&self, now: Nanos, patience_ns: u64) -> bool {
        let waits = |since: Nanos| now.0.saturating_sub(since.0) > patience_ns;
        self.unacknowledged_since.is_some_and(waits)
    }

    /// Whether it has not acknowledged a row yet that it should hear at once.
    pub(super) fn is_pressed(&self) -> bool {
        self.progress.acknowledged_upto() < self.pressing
    }

    /// Whether it has said that it leaves.
    pub(super) fn leaves(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.leaving)
    }

    /// It sent something that it wants acknowledged by then at the latest.
    pub(super) fn owe(&mut self, by: Nanos) {
        self.owed_by = Some(self.owed_by.map_or(by, |owed| owed.min(by)));
    }

    /// Takes the peer's word on which grants it has applied.
    pub(super) fn acknowledge(&mut self, number: u64, now: Nanos) {
        if self.outbox.acknowledge(number) || self.outbox.is_empty() {
            self.unacknowledged_since = (!self.outbox.is_empty()).then_some(now);
            self.granted_at = self.unacknowledged_since;
        }
    }

    /// Whether it was granted something that was not sent to it yet.
    pub(super) const fn has_unsent_grants(&self) -> bool {
        self.outbox.last() > self.granted_upto
    }

    /// The next grants to send, at most so many: those that were not yet, and before them those that
    /// wait for an acknowledgement if they are few, or have waited for `patience_ns`.
    pub(super) fn next_grants(&mut self, now: Nanos, patience_ns: u64, most: usize) -> Vec<Grant> {
        let waited = |since: Nanos| now.0.saturating_sub(since.0) >= patience_ns;
        let again = self.granted_at.is_none_or(waited);
        if !again && !self.has_unsent_grants() {
            return Vec::new();
        }
        let few = self.outbox.len() <= GRANTS_REPEATED_MAX;
        let after = if again || few { 0 } else { self.granted_upto };
        let grants: Vec<Grant> = self.outbox.after(after).take(most).copied().collect();
        if let Some(last) = grants.last() {
            if again {
                self.granted_at = Some(now);
            }
            self.granted_upto = last.number;
            self.unacknowledged_since.get_or_insert(now);
        }
        grants
    }

    /// Holds a grant of its until those before have come, as messages overtake each other.
    pub(super) fn hold_early(&mut self, applied: u64, grant: &Grant) {
        while self
            .early
            .first_key_value()
            .is_some_and(|(number, _)| *number <= applied)
        {
            self.early.pop_first();
        }
        if grant.number > applied && self.early.len() < OUTSTANDING_MAX {
            self.early.insert(grant.number, *grant);
        }
    }

    /// Nothing is on its way to it or from it any more: a new view has begun.
    pub(super) fn void_grants(&mut self) {
        self.outbox.clear();
        self.early.clear();
        self.granted_upto = 0;
        self.granted_at = None;
        self.unacknowledged_since = None;
    }

    /// Whether nobody has reached it for so long; `since` stands for when it was never heard.
    pub(super) fn is_over(&self, now: Nanos, since: Nanos, patience_ns: u64) -> bool {
        let silent_ns = now.0.saturating_sub(self.heard_at.unwrap_or(since).0);
        !self.connected && !self.reachable && silent_ns >= patience_ns
    }
}
