//! Rows through other hands: what reaches a node of a member that it is not connected to.
//!
//! Who does not hear a member says so to its peers, and up to where it has that member's rows; it
//! asks one of them to pass on what is newer: one that hears the member itself if there is any, the
//! lowest id first, so that not everybody tells the same. The one that is asked sends what it has
//! beyond that, in the order in which the origin wrote it, as it would send its own. If nothing
//! comes for a while, another is asked. Where all hear all, none of this is sent.

use std::collections::BTreeMap;

use crdts::{CmRDT, Dot, ResetRemove, VClock};

use super::Node;
use super::audience::ROWS_RETRY_TICKS;
use super::keys::ROW_LIFE_TICKS;
use super::spread::{ROWS_PER_DATAGRAM, in_bulk, in_datagram};
use crate::gossip::{Mirror, Progress, Sequence};
use crate::row::Row;
use crate::units::{KeyId, Nanos, NodeId};
use crate::view::MEMBERS_MAX;
use crate::wire::{Clock, Clocks, Message, Relayed};

/// Rows of other nodes that are kept, over all origins: about 50 MB. An origin's part of it is
/// equal to the others'; of more, its oldest are not passed on.
const ROWS_HELD_MAX: usize = 1 << 18;

/// Clocks are told again after so many ticks though nothing changed: the message may be lost.
const CLOCKS_REFRESH_TICKS: u32 = 50;

/// Clocks that were not told again for so many ticks are forgotten.
const CLOCKS_LIFE_TICKS: u32 = 120;

/// A relay that is ahead, and from which nothing came for so many ticks, gives way to the next.
const RELAY_PATIENCE_TICKS: u32 = 25;

/// What a peer lacks of members that it does not hear, and what it was told of those that this
/// node does not hear.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    /// The peer's clocks.
    lacks: BTreeMap<NodeId, Lack>,
    heard_at: Nanos,
    /// The clocks that it was sent last, and when.
    told: Vec<Clock>,
    told_at: Nanos,
    /// It has passed rows on: it should hear that they came.
    owed: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lack {
    progress: Progress,
    seq: u64,
    wanted: bool,
}

/// Whom this node has asked to pass on the rows of one origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    relay: NodeId,
    /// Up to where the rows were here when that last changed, and when it did.
    seq: u64,
    since: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    /// It has not said that it does not hear the origin.
    Hears,
    /// It had more of its rows than this node.
    IsAhead,
    /// It has asked a third.
    AsksElsewhere,
    /// It has asked this node.
    AsksHere,
}

impl Node {
    /// Keeps what a member says, to pass it on and for keys that become contended later.
    pub(super) fn hold_rows(&mut self, origin: NodeId, rows: &[Row], now: Nanos) {
        let members = self.ledger.adopted().map_or(1, |view| view.members.len());
        let rows_max = ROWS_HELD_MAX / members.max(1);
        let mirror = self.mirrors.entry(origin);
        let mirror = mirror.or_insert_with(|| Mirror::new(origin));
        let known = |row: &&Row| self.table.index_of(row.limit).is_some();
        for row in rows.iter().filter(known) {
            mirror.hold(*row, now, rows_max);
        }
    }

    /// Everything of an origin above `after` and up to `upto` has been heard.
    pub(super) fn advance_digest(&mut self, origin: NodeId, after: u64, upto: u64) {
        let seen = self.digest.get(&origin);
        let mirror = self.mirrors.entry(origin);
        let mirror = mirror.or_insert_with(|| Mirror::new(origin));
        let upto = mirror.ahead.hear(seen, after, upto);
        if upto > seen {
            self.digest.apply(Dot::new(origin, upto));
        }
    }

    /// A key has become contended here: what was said of it before is of use now.
    pub(super) fn recall(&self, key: KeyId) {
        let said = self.mirrors.values().filter_map(|mirror| mirror.of(key));
        for heard in said.copied() {
            let Some(limit) = self.table.index_of(heard.row.limit) else {
                continue;
            };
            self.table.with_contended(key, |entry, _| {
                if entry.limit == limit {
                    entry.rows.join(heard.origin, heard.row, heard.at);
                }
            });
        }
    }

    /// Asks for what this node does not hear itself, and passes on what peers have asked for.
    pub(super) fn relay(&mut self, now: Nanos) {
        self.forget_mirrors(now);
        self.choose_sources(now);
        for node in self.connected() {
            self.tell_clocks(node, now);
            self.pass_on(node, now);
        }
    }

    /// Nothing is kept of who is no member, nor what was not told again for long.
    fn forget_mirrors(&mut self, now: Nanos) {
        let oldest = Nanos(now.0.saturating_sub(self.config.ticks_ns(ROW_LIFE_TICKS)));
        let view = self.ledger.adopted();
        self.mirrors
            .retain(|origin, _| view.is_some_and(|view| view.has(*origin)));
        for mirror in self.mirrors.values_mut() {
            mirror.expire(oldest);
        }
        let strangers = self.digest.iter().map(|dot| *dot.actor).filter(|origin| {
            !self.peers.contains_key(origin) && !view.is_some_and(|view| view.has(*origin))
        });
        let strangers: Vec<_> = strangers.collect();
        for origin in strangers {
            self.forget_digest(origin);
        }
    }

    pub(super) fn forget_digest(&mut self, origin: NodeId) {
        self.digest
            .reset_remove(&VClock::from(Dot::new(origin, u64::MAX)));
    }

    fn is_deaf_to(&self, origin: NodeId) -> bool {
        !self.peers.get(&origin).is_some_and(|peer| peer.connected)
    }

    /// Members that this node is not connected to.
    fn unheard(&self) -> Vec<NodeId> {
        let view = self.ledger.adopted().into_iter();
        let members = view.flat_map(|view| view.nodes());
        members
            .filter(|node| *node != self.id && self.is_fellow(*node) && self.is_deaf_to(*node))
            .collect()
    }

    /// Decides whom to ask for each member that is not heard.
    fn choose_sources(&mut self, now: Nanos) {
        let unheard = self.unheard();
        self.sources.retain(|origin, _| unheard.contains(origin));
        for origin in unheard {
            let seq = self.digest.get(&origin);
            if let Some(source) = self.sources.get_mut(&origin)
                && source.seq < seq
            {
                (source.seq, source.since) = (seq, now);
            }
            let Some(relay) = self.relay_for(origin, now) else {
                self.sources.remove(&origin);
                continue;
            };
            let chosen = self.sources.get(&origin).map(|source| source.relay);
            if chosen != Some(relay) {
                let since = now;
                self.sources.insert(origin, Source { relay, seq, since });
            }
        }
    }

    /// The peer to ask: the one that was asked, unless another is better or it is of no use.
    fn relay_for(&self, origin: NodeId, now: Nanos) -> Option<NodeId> {
        let mut peers = self.connected();
        peers.retain(|node| self.is_fellow(*node) && *node != origin);
        peers.sort_by_key(|node| (self.fitness(*node, origin), *node));
        let best = *peers.first()?;
        let asked = |source: &&Source| peers.contains(&source.relay);
        let Some(source) = self.sources.get(&origin).filter(asked) else {
            return Some(best);
        };
        let fitness = self.fitness(source.relay, origin);
        if self.fitness(best, origin) < fitness {
            return Some(best);
        }
        let patience_ns = self.config.ticks_ns(RELAY_PATIENCE_TICKS);
        let tired = now.0.saturating_sub(source.since.0) >= patience_ns;
        let others = peers.iter().filter(|node| **node != source.relay);
        let next = others
            .copied()
            .find(|node| self.fitness(*node, origin) <= fitness);
        let fails = tired && fitness == Fitness::IsAhead;
        Some(next.filter(|_| fails).unwrap_or(source.relay))
    }

    /// Through whom a member that is not connected can be reached, as far as is known.
    pub(super) fn relay_towards(&self, origin: NodeId) -> Option<NodeId> {
        let relay = self.sources.get(&origin)?.relay;
        (self.fitness(relay, origin) < Fitness::AsksHere).then_some(relay)
    }

    /// Of how much use a peer is to hear of an origin: the first is the best.
    fn fitness(&self, node: NodeId, origin: NodeId) -> Fitness {
        let peer = self.peers.get(&node);
        match peer.and_then(|peer| peer.relaying.lacks.get(&origin)) {
            None => Fitness::Hears,
            Some(lack) if lack.seq > self.digest.get(&origin) => Fitness::IsAhead,
            Some(lack) if lack.wanted => Fitness::AsksHere,
            Some(_) => Fitness::AsksElsewhere,
        }
    }

    /// Tells a peer up to where this node has what it does not hear, if it should know.
    fn tell_clocks(&mut self, node: NodeId, now: Nanos) {
        let clocks = self.clocks_for(node);
        let refresh_ns = self.config.ticks_ns(CLOCKS_REFRESH_TICKS);
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let relaying = &mut peer.relaying;
        let same = |told: &Clock, clock: &Clock| {
            (told.origin, told.wanted) == (clock.origin, clock.wanted)
        };
        let told = relaying.told.len() == clocks.len()
            && relaying
                .told
                .iter()
                .zip(&clocks)
                .all(|(told, c)| same(told, c));
        let rested = now.0.saturating_sub(relaying.told_at.0) < refresh_ns;
        if told && !relaying.owed && (rested || clocks.is_empty()) {
            return;
        }
        relaying.owed = false;
        relaying.told.clone_from(&clocks);
        relaying.told_at = now;
        self.send(node, &Message::Clocks(Clocks { clocks }));
    }

    fn clocks_for(&self, node: NodeId) -> Vec<Clock> {
        let others = self.sources.iter().filter(|(origin, _)| **origin != node);
        let clocks = others.map(|(origin, source)| Clock {
            origin: *origin,
            seq: self.digest.get(origin),
            wanted: source.relay == node,
        });
        clocks.collect()
    }

    /// A peer says what it does not hear, and how far it is with it.
    pub(super) fn handle_clocks(&mut self, now: Nanos, from: NodeId, clocks: &Clocks) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let relaying = &mut peer.relaying;
        let mut before = std::mem::take(&mut relaying.lacks);
        relaying.heard_at = now;
        for clock in clocks.clocks.iter().take(MEMBERS_MAX) {
            let mut lack = before.remove(&clock.origin).unwrap_or_default();
            // A claim to have what was never heard of is none.
            let seq = clock.seq.min(self.digest.get(&clock.origin));
            lack.progress.acknowledged(seq, now);
            (lack.seq, lack.wanted) = (clock.seq, clock.wanted);
            relaying.lacks.insert(clock.origin, lack);
        }
    }

    /// Sends a peer what it has asked for, within the tick's budget.
    fn pass_on(&mut self, node: NodeId, now: Nanos) {
        let patience_ns = self.config.ticks_ns(ROWS_RETRY_TICKS);
        let life_ns = self.config.ticks_ns(CLOCKS_LIFE_TICKS);
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if now.0.saturating_sub(peer.relaying.heard_at.0) >= life_ns {
            peer.relaying.lacks.clear();
        }
        let mut passed = Vec::new();
        for (origin, lack) in &mut peer.relaying.lacks {
            let Some(mirror) = self.mirrors.get(origin).filter(|_| lack.wanted) else {
                continue;
            };
            lack.progress.retry(now, patience_ns);
            let told = mirror.up_to(self.digest.get(origin));
            while passed.len() < FAR_BEHIND_DATAGRAMS
                && let Some(relayed) = next_of(*origin, lack, &told, now)
            {
                passed.push(relayed);
            }
        }
        for relayed in passed {
            self.counters.rows_relayed += relayed.rows.len() as u64;
            self.send(node, &Message::Relayed(relayed));
        }
    }

    /// Rows that a peer has passed on. Whose they are is the peer's word, as peers do not lie; of
    /// who is no member nothing is taken in.
    pub(super) fn handle_relayed(&mut self, now: Nanos, from: NodeId, relayed: Relayed) {
        let Relayed {
            origin,
            after,
            upto,
            rows,
        } = relayed;
        let is_member = self.ledger.adopted().is_some_and(|view| view.has(origin));
        if origin == self.id || !is_member {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.relaying.owed = true;
        }
        self.hear(origin, &rows, now);
        self.advance_digest(origin, after, upto);
    }
}

/// So many datagrams of rows are passed on in a tick; who lacks more is far behind.
const FAR_BEHIND_DATAGRAMS: usize = 8;

/// The next rows of an origin for a peer: a datagram of them, or many at once if it is far behind.
fn next_of(origin: NodeId, lack: &mut Lack, told: &impl Sequence, now: Nanos) -> Option<Relayed> {
    let bulk = lack.progress.next_while(told, in_bulk)?;
    let many = bulk.rows.len() > ROWS_PER_DATAGRAM * FAR_BEHIND_DATAGRAMS;
    let batch = if many {
        bulk
    } else {
        lack.progress.next_while(told, in_datagram())?
    };
    lack.progress.sent(&batch, now);
    Some(Relayed {
        origin,
        after: batch.after,
        upto: batch.upto,
        rows: batch.rows,
    })
}
