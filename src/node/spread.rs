//! Rows, grants and acknowledgements on their way to and from peers.

use super::Node;
use super::audience::{ROWS_OWED_TICKS, UNHURRIED_TICKS};
use crate::gossip::Batch;
use crate::row::Row;
use crate::share::Grant;
use crate::units::{Amount, KeyId, Nanos, NodeId};
use crate::view::ViewId;
use crate::wire::{DATAGRAM_BYTES, Gossip, Message, ROW_BYTES_USUAL, row_bytes};

/// What rows may take of a datagram, beside what else is said.
const ROWS_BYTES: usize = DATAGRAM_BYTES - 70;

/// Rows that usually fit one datagram.
pub(super) const ROWS_PER_DATAGRAM: usize = ROWS_BYTES / ROW_BYTES_USUAL;

/// Rows in one message of those that a returning peer is sent: about 150 KB, on a stream.
pub(super) const ROWS_PER_BULK: usize = 2048;

/// Such messages at once; what is left goes with the ticks.
const BULKS_MAX: usize = 16;

/// Datagrams of rows in one tick, to all peers together: the tick's byte budget. What does not fit
/// waits.
const DATAGRAMS_PER_TICK_MAX: usize = 80;

/// Datagrams of rows to one peer in one tick, however many peers there are.
const DATAGRAMS_PER_PEER_MIN: usize = 4;

/// Grants in one message: a large batch goes on a stream.
const GRANTS_PER_MESSAGE_MAX: usize = 512;

/// Grants that were not acknowledged for so many ticks are sent again.
const GRANTS_RETRY_TICKS: u32 = 3;

/// A peer that had no room for a key is given none of it for so many ticks, unless it tells of it.
const RETURNED_REST_TICKS: u32 = 50;

/// Whether a row fits a datagram behind those before it.
pub(super) fn in_datagram() -> impl FnMut(&[Row], &Row) -> bool {
    let mut left_bytes = ROWS_BYTES;
    move |rows, row| {
        let bytes = row_bytes(row, rows.last());
        let fits = bytes <= left_bytes;
        left_bytes = left_bytes.saturating_sub(bytes);
        fits
    }
}

/// Whether a row fits a large message behind those before it.
pub(super) const fn in_bulk(rows: &[Row], _: &Row) -> bool {
    rows.len() < ROWS_PER_BULK
}

impl Node {
    /// Tells every connected peer what it has not heard.
    pub(super) fn spread(&mut self, now: Nanos) {
        for node in self.connected() {
            self.spread_to(node, now);
        }
    }

    /// Tells all peers again what they have not acknowledged, as a tick does: for benches, to time telling
    /// apart from all else that a tick does.
    #[doc(hidden)]
    pub fn tell_again(&mut self, now: Nanos) {
        for peer in self.peers.values_mut() {
            peer.progress.restart();
            peer.told_at = None;
        }
        self.spread(now);
    }

    /// Tells one peer what it has not heard, within the tick's budget.
    pub(super) fn spread_to(&mut self, node: NodeId, now: Nanos) {
        let Some(peer) = self.peers.get(&node) else {
            return;
        };
        let patience_ns = self.rows_patience_ns(peer);
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.progress.retry(now, patience_ns);
        }
        for _ in 0..self.datagrams_per_peer() {
            let gossip = self.gossip_for(node, now, in_datagram());
            let Some(gossip) = gossip else { return };
            self.send(node, &Message::Gossip(gossip));
        }
    }

    /// Datagrams of rows that may go to one peer in one tick.
    pub(super) fn datagrams_per_peer(&self) -> usize {
        let connected = self.peers.values().filter(|peer| peer.connected).count();
        (DATAGRAMS_PER_TICK_MAX / connected.max(1)).max(DATAGRAMS_PER_PEER_MIN)
    }

    /// So many ticks to tell every contended key's row once, with half of the budget.
    pub(super) fn round_ticks(&self) -> u32 {
        let rows_per_tick = self.datagrams_per_peer() * ROWS_PER_DATAGRAM / 2;
        u32::try_from(self.active.len() / rows_per_tick).unwrap_or(u32::MAX)
    }

    /// Tells a peer that has just come (back) all that it has not heard, in few large messages: what
    /// has piled up behind a cut would take many ticks' budgets.
    pub(super) fn spread_all(&mut self, node: NodeId, now: Nanos) {
        for _ in 0..BULKS_MAX {
            let Some(gossip) = self.gossip_for(node, now, in_bulk) else {
                return;
            };
            self.send(node, &Message::Gossip(gossip));
        }
    }

    /// Grants that were just made go out at once, with what else there is to tell.
    pub(super) fn spread_grants(&mut self, node: NodeId, now: Nanos) {
        let waits = super::Peer::has_unsent_grants;
        if self.peers.get(&node).is_some_and(waits)
            && let Some(gossip) = self.gossip_for(node, now, in_datagram())
        {
            self.send(node, &Message::Gossip(gossip));
        }
    }

    /// Rows out of turn: they say nothing of the rows between.
    pub(super) fn spread_urgent(&mut self, node: NodeId, rows: &[Row], now: Nanos) {
        if rows.is_empty() || !self.may_urge(node) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.silent_since.get_or_insert(now);
        }
        self.counters.rows_sent += rows.len() as u64;
        for rows in rows.chunks(ROWS_PER_DATAGRAM) {
            let gossip = Gossip {
                rows: rows.to_vec(),
                grants: self.grants_for(node, now),
                urgent: true,
                ..self.acknowledgement(node)
            };
            self.send(node, &Message::Gossip(gossip));
        }
    }

    /// The next message to a peer, if there is anything to say.
    fn gossip_for(
        &mut self,
        node: NodeId,
        now: Nanos,
        fits: impl FnMut(&[Row], &Row) -> bool,
    ) -> Option<Gossip> {
        let grants = self.grants_for(node, now);
        let base = self.acknowledgement(node);
        let peer = self.peers.get(&node)?;
        if grants.is_empty() && !self.should_hear(peer, now) {
            return None;
        }
        let peer = self.peers.get_mut(&node)?;
        let batch = peer.progress.next_while(&self.journal, fits);
        let all = |batch: &Batch| batch.upto == self.journal.last();
        if batch.as_ref().is_none_or(all) {
            peer.told_at = Some(now);
        }
        if batch.is_none() && grants.is_empty() && peer.owed_by.is_none() {
            return None;
        }
        peer.owed_by = None;
        let presses = batch.is_some() && peer.is_pressed();
        if presses || !grants.is_empty() {
            peer.silent_since.get_or_insert(now);
        }
        let Some(batch) = batch else {
            return Some(Gossip { grants, ..base });
        };
        peer.progress.sent(&batch, now);
        self.counters.rows_sent += batch.rows.len() as u64;
        let (after, upto) = (batch.after, batch.upto);
        Some(Gossip {
            after,
            upto,
            rows: batch.rows,
            grants,
            presses,
            ..base
        })
    }

    fn acknowledgement(&self, node: NodeId) -> Gossip {
        Gossip {
            view: self.ledger.adopted_id().unwrap_or_default(),
            applied: self.applied.of(node),
            digest: self.digest.get(&node),
            load: self.load,
            followed: self.ledger.has_followed(),
            ..Gossip::default()
        }
    }

    /// Grants to a peer that were not sent yet, or long enough ago.
    fn grants_for(&mut self, node: NodeId, now: Nanos) -> Vec<Grant> {
        let patience_ns = self.config.ticks_ns(GRANTS_RETRY_TICKS);
        let peer = self.peers.get_mut(&node);
        peer.map_or_else(Vec::new, |peer| {
            peer.next_grants(now, patience_ns, GRANTS_PER_MESSAGE_MAX)
        })
    }

    /// A peer's rows, grants and acknowledgements.
    pub(super) fn handle_gossip(&mut self, now: Nanos, from: NodeId, gossip: Gossip) {
        let Gossip {
            view,
            applied,
            digest,
            after,
            upto,
            rows,
            grants,
            urgent,
            load,
            followed,
            presses,
        } = gossip;
        let in_ticks = |ticks| Nanos(now.0.saturating_add(self.config.ticks_ns(ticks)));
        let (soon, in_time) = (in_ticks(ROWS_OWED_TICKS), in_ticks(UNHURRIED_TICKS));
        if let Some(peer) = self.peers.get_mut(&from) {
            // A claim to have heard what was never written is none.
            peer.progress
                .acknowledged(digest.min(self.journal.last()), now);
            if !grants.is_empty() {
                peer.owe(now);
            } else if presses || urgent {
                peer.owe(soon);
            } else if upto > 0 {
                peer.owe(in_time);
            }
            peer.load = load;
        }
        let before = self.applied.of(from);
        self.take_grants(now, from, view, applied, &grants);
        if followed && self.applied.of(from) > before {
            self.ledger.took_grant();
        }
        self.hear(from, &rows, now);
        self.advance_digest(from, after, upto);
        if urgent {
            self.answer_want(from, &rows, now);
            self.spread_grants(from, now);
        }
        self.look_at_gatherings(now, from);
    }

    /// Applies a peer's grants, exactly once and in order; only those of the view that both have
    /// adopted. One for which there is no room is passed on.
    fn take_grants(
        &mut self,
        now: Nanos,
        from: NodeId,
        view: ViewId,
        applied: u64,
        grants: &[Grant],
    ) {
        let adopted = self.ledger.adopted();
        let same = |adopted: ViewId| adopted == view || planted!(GrantsOfAnyView);
        if !adopted.is_some_and(|adopted| same(adopted.id) && adopted.has(from)) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.acknowledge(applied, now);
        }
        if !self.is_fellow(self.id) {
            return;
        }
        for grant in grants {
            let is_next = self.applied.is_next(from, grant.number);
            if is_next && !self.apply(now, from, grant) {
                return;
            }
            if !is_next && let Some(peer) = self.peers.get_mut(&from) {
                peer.hold_early(self.applied.of(from), grant);
            }
        }
        self.take_early(now, from);
    }

    /// Applies what came before its turn, as far as its turn has come.
    fn take_early(&mut self, now: Nanos, from: NodeId) {
        loop {
            let next = self.applied.of(from) + 1;
            let peer = self.peers.get_mut(&from);
            let Some(grant) = peer.and_then(|peer| peer.early.remove(&next)) else {
                return;
            };
            if !self.apply(now, from, &grant) {
                return;
            }
        }
    }

    /// Takes the next grant of a peer: into its key's account, or on if there is no room for it.
    fn apply(&mut self, now: Nanos, from: NodeId, grant: &Grant) -> bool {
        let absorbed = self.absorb(now, from, grant);
        if absorbed {
            self.activate(grant.key);
            self.counters.grants_applied += 1;
        }
        let taken = absorbed || self.pass_grant(from, grant);
        if taken {
            self.applied.advance(from);
        } else {
            self.counters.grants_deferred += 1;
        }
        taken
    }

    /// Puts what a grant brings into its key's account, if there is room for it.
    fn absorb(&self, now: Nanos, from: NodeId, grant: &Grant) -> bool {
        let Some(limit) = self.table.index_of(grant.limit) else {
            return false;
        };
        let pace = &self.table.policy(limit).pace;
        let rests_until = Nanos(now.0 + self.config.ticks_ns(RETURNED_REST_TICKS));
        let absorbed = self.table.with_entry(limit, grant.key, now, |entry, _| {
            entry.drain(pace, now);
            entry.account.apply(grant.parcel());
            entry.note_returned(from, grant.parcel(), rests_until);
            if entry.account.balance(pace) >= Amount::from_units(1) {
                entry.asked_in_vain = 0;
            }
        });
        absorbed.is_some()
    }

    /// There is no room for the key of a grant: what it brings goes on, as it came. Left where it is
    /// it would hold up all after it, of other keys too; and where a table is full until shares have
    /// come home, and they cannot as another table is full, for ever.
    fn pass_grant(&mut self, from: NodeId, grant: &Grant) -> bool {
        let to = self.heir_of(from, grant.key);
        let peer = self.peers.get(&to);
        let passes = peer.is_some_and(|peer| peer.outbox.has_room_to_pass());
        if passes {
            self.post(to, grant.limit, grant.key, grant.parcel());
            self.counters.grants_passed += 1;
        }
        passes
    }

    /// Who has room for a key of which there is none here: who has told of it, and so has an entry of
    /// it. The giver if that is so of it, else who lacks most: shares sum to one, so if any is on its
    /// way some member lacks it.
    fn heir_of(&self, giver: NodeId, key: KeyId) -> NodeId {
        let row = |node: NodeId| Some(self.mirrors.get(&node)?.of(key)?.row);
        if row(giver).is_some() {
            return giver;
        }
        let open = |peer: &super::Peer| peer.connected && peer.outbox.has_room();
        let view = self.ledger.adopted().into_iter();
        let members = view.flat_map(|view| view.members.iter());
        let others = members.filter(|member| self.is_fellow(member.node));
        let others = others.filter(|member| self.peers.get(&member.node).is_some_and(open));
        let lacking = others.filter_map(|member| {
            let lacks = member.after.saturating_sub(row(member.node)?.share);
            Some((lacks, member.node))
        });
        let most = lacking.filter(|(lacks, _)| !lacks.is_none()).max();
        most.map_or(giver, |(_, node)| node)
    }
}
