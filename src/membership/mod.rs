//! Who can be reached: failure detection and its news, spread by SWIM.
//!
//! Every member probes one other member per period, by turns. One that answers neither directly
//! nor over three others is suspected; if it does not speak up, it is declared unreachable, and
//! the news travels on the probes. Nodes find each other by an *announcement* to any member, which
//! replies with the members it knows.
//!
//! That is all there is to it: unreachable means unreachable. Whether a node still holds a share,
//! is evicted or replaced is decided above, by views. A node that others gave up while it was
//! alive, behind a partition say, comes back by itself under the same [`NodeId`].
//!
//! The protocol is SWIM (Das, Gupta, Motivala, 2002) with suspicion, by the library `foca`, which
//! no item of this module's interface mentions, so that it can be replaced. Added to it here:
//!
//! - a packet is decoded whole before any of it counts;
//! - timers are data, ordered, and none piles up;
//! - unreachable nodes are tried again, also when nobody is reachable at all;
//! - who has lost everybody forgets its verdicts on the others;
//! - what a node sees by itself counts: who owes it an answer and is silent is suspected out of turn,
//!   and nobody is declared unreachable whom it has heard since;
//! - suspicions, losses and refutations are passed on at once by everybody to whom they are news,
//!   and repeated while a suspicion lasts;
//! - the number of nodes is bounded.
//!
//! Like all of the core it is a state machine without sockets and clocks. After every input, drain
//! [`Membership::poll_transmit`] and [`Membership::poll_event`], then ask
//! [`Membership::poll_timeout`]. Two machines with one seed and the same inputs answer the same.

mod config;
mod contacts;
mod identity;
mod news;
mod outbox;
mod roster;
mod timers;
mod wire;

use std::{borrow::Cow, collections::BTreeSet, iter, net::SocketAddr, slice};

use foca::{Foca, Header, Member, Message, NoCustomBroadcast, Runtime as _, State, Timer};
use rand::{SeedableRng as _, rngs::StdRng, seq::IteratorRandom as _};
use thiserror::Error;

pub use config::MembershipConfig;

use crate::units::{Nanos, NodeId};
use identity::Identity;
use outbox::Outbox;
use timers::{Pending, is_verdict};
use wire::{Packet, Wire, WireError};

/// A node and where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// This life of the node.
    pub node: NodeId,
    /// Where others reach it. IPv6 flow labels and scopes do not travel to other members.
    pub address: SocketAddr,
}

/// A change of who is reachable. For one node the two kinds alternate, beginning with `Reachable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipEvent {
    /// The node is there, for the first time or again. A reachable node whose address changes is
    /// reported unreachable first.
    Reachable(Peer),
    /// The node left, or answered nobody for too long. It may return.
    Unreachable(NodeId),
}

/// Why a packet was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// Not a membership packet. No state changed.
    #[error("malformed membership packet: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The packet says that it comes from the node that received it. No state changed.
    #[error("a membership packet from this very node")]
    FromOurselves,
    /// The packet is for another node. No state changed.
    #[error("a membership packet for node {to}")]
    Misdirected {
        /// Whom it is for.
        to: NodeId,
    },
    /// The sender is unknown and [`MEMBERS_MAX`] nodes are reachable already. No state changed.
    #[error("more than {MEMBERS_MAX} members")]
    TooManyMembers,
    /// A defect of this module: the failure detector refused what should suit it. The packet may
    /// have been acted upon in part.
    #[error("the failure detector failed: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
}

impl From<WireError> for MembershipError {
    fn from(error: WireError) -> Self {
        let reason = error.to_string();
        Self::Malformed { reason }
    }
}

/// One node's view of who is reachable.
///
/// - Inputs: [`handle_packet`](Self::handle_packet), [`handle_timeout`](Self::handle_timeout).
/// - Commands: [`announce`](Self::announce), [`leave`](Self::leave).
/// - Outputs: [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
///   [`poll_timeout`](Self::poll_timeout); all of them may change with any input or command.
///
/// `now` must not go backwards.
pub struct Membership {
    detector: Detector,
    outbox: Outbox,
    config: MembershipConfig,
    rng: StdRng,
    /// When an open suspicion is told again.
    remind_at: Option<Nanos>,
    has_left: bool,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}

impl Membership {
    /// A node that knows nobody yet; `own.address` is what others will be told. All randomness
    /// comes from `seed`.
    ///
    /// # Panics
    /// If `config` does not pass [`MembershipConfig::check`].
    #[must_use]
    pub fn new(own: Peer, config: MembershipConfig, seed: u64) -> Self {
        assert_eq!(config.check(), Ok(()), "an unsound membership config");
        let mut rng = StdRng::seed_from_u64(seed);
        Self {
            detector: detector(Identity::first(own), &config, &mut rng),
            outbox: Outbox::new(config.forget_after),
            config,
            rng,
            remind_at: None,
            has_left: false,
        }
    }

    /// Takes a packet from the network: any bytes, from anybody the transport trusts.
    ///
    /// Packets for a former identity of this node are answered with the present one, and otherwise
    /// ignored, as is everything after [`leave`](Self::leave).
    ///
    /// # Errors
    /// See [`MembershipError`]; all but `Internal` leave everything as it was.
    pub fn handle_packet(&mut self, now: Nanos, bytes: &[u8]) -> Result<(), MembershipError> {
        if self.has_left {
            return Ok(());
        }
        let packet = Packet::parse(bytes)?;
        self.check_parties(&packet.header)?;
        self.outbox.now = now;
        if !self.is_current(&packet.header) {
            self.introduce(packet.header.src);
            return Ok(());
        }
        let is_urgent = news::is_urgent(&packet, |id| self.member(id.node));
        let suspicions = news::suspicions(&packet);
        let doubter = packet.header.src;
        let admitted = self.admit(packet, bytes)?;
        self.outbox.is_urgent |= is_urgent;
        let result = self.detector.handle_data(&admitted, &mut self.outbox);
        self.speak_up(doubter, &suspicions);
        self.settle();
        result.map_err(|error| MembershipError::Internal {
            reason: error.to_string(),
        })
    }

    /// Fires every timer that is due, each once; harmless when none is. `heard_at` says when this
    /// node has heard another one last, of anything: while it does, it declares nobody unreachable.
    pub fn handle_timeout(&mut self, now: Nanos, heard_at: impl Fn(NodeId) -> Option<Nanos>) {
        self.outbox.now = now;
        while let Some(Pending { timer, set_at }) = self.outbox.timers.pop_due(now) {
            if let Some(heard) = refuted(&timer, set_at, &heard_at) {
                let again_at = heard.after(self.config.suspicion);
                self.outbox.timers.set(heard, again_at, timer);
                continue;
            }
            if is_verdict(&timer) && !self.stands(&timer) {
                continue;
            }
            let timer = self.outbox.timers.valid(timer);
            let result = self.detector.handle_timer(timer, &mut self.outbox);
            log_failure("timer", result);
        }
        if self.remind_at.take_if(|at| *at <= now).is_some() {
            self.warn_suspects();
        }
        if let Some(peer) = self.outbox.contacts.pop_due(now) {
            self.send_announcement(peer);
        }
        self.settle();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` while nobody is known.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        let contact_at = self.outbox.contacts.next_at();
        self.outbox
            .timers
            .next_at()
            .into_iter()
            .chain(contact_at)
            .chain(self.remind_at)
            .min()
    }

    /// The next packet and whom it is for; at most [`PACKET_BYTES_MAX`] bytes, never for
    /// this node itself. Packets may be lost, doubled and reordered on the way.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<(Peer, Vec<u8>)> {
        self.outbox.packets.pop_front()
    }

    /// The next change since the last poll, lowest node first. What changed back in between is
    /// not reported.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<MembershipEvent> {
        self.outbox.roster.poll_event()
    }

    /// Makes this node known to `to`, and asks it whom it knows.
    ///
    /// To be called for every seed, and whenever a connection to a member is made again: after a
    /// partition longer than [`MembershipConfig::forget_after`] nothing else brings the two sides
    /// together. Repeated by itself until `to` is heard of, or forgotten.
    pub fn announce(&mut self, now: Nanos, to: Peer) {
        if self.has_left || to.node == self.detector.identity().node {
            return;
        }
        self.outbox.now = now;
        if !self.outbox.roster.contains(to.node) {
            self.outbox.seek(to);
            let retry_after = self.config.probe_period;
            self.outbox.contacts.schedule(now, retry_after);
        }
        self.send_announcement(to);
        self.settle();
    }

    /// Somebody owes this node an answer and is silent, or its connection is lost: it is suspected
    /// out of turn, and unreachable after [`MembershipConfig::doubt`] unless it is heard again, by
    /// this node or by another one that says so. Nothing, if that is under way already.
    pub fn suspect(&mut self, now: Nanos, node: NodeId) {
        self.outbox.now = now;
        let verdict_at = now.after(self.config.doubt);
        let is_down = |member: &&Member<Identity>| member.state() == State::Down;
        let reached = self.member(node).filter(|member| !is_down(member));
        let (Some(member), Some(token)) = (reached, self.outbox.timers.token()) else {
            return;
        };
        let (id, incarnation) = (*member.id(), member.incarnation());
        let under_way = self.outbox.timers.verdict_at(&id);
        if self.has_left || under_way.is_some_and(|at| at <= verdict_at) {
            return;
        }
        let suspect = iter::once(Member::new(id, incarnation, State::Suspect));
        let result = self.detector.apply_many(suspect, true, &mut self.outbox);
        log_failure("suspicion", result);
        let verdict = Timer::ChangeSuspectToDown {
            member_id: id,
            incarnation,
            token,
        };
        self.outbox.submit_after(verdict, self.config.doubt);
        self.settle();
    }

    /// Tells a few members that this node goes, so that nobody has to find out; they tell the
    /// others. Packets remain to be polled; apart from those the machine is at rest for good.
    pub fn leave(&mut self, now: Nanos) {
        if self.has_left {
            return;
        }
        self.has_left = true;
        self.outbox.now = now;
        let result = self.detector.leave_cluster(&mut self.outbox);
        log_failure("leave", result);
        self.outbox.timers.clear();
        self.outbox.contacts.clear();
        self.remind_at = None;
    }

    #[cfg(test)]
    /// Who is reachable, by node; never this node itself. Suspected members count.
    pub fn reachable(&self) -> impl Iterator<Item = Peer> + '_ {
        self.outbox.roster.iter()
    }

    /// The library lets anybody claim to be anybody; what it would choke on is refused here.
    fn check_parties(&self, header: &Header<Identity>) -> Result<(), MembershipError> {
        let own = self.detector.identity().node;
        if header.dst.node != own {
            let to = header.dst.node;
            return Err(MembershipError::Misdirected { to });
        }
        if header.src.node == own {
            return Err(MembershipError::FromOurselves);
        }
        if about(&header.message).is_some_and(|third| third.node == own) {
            let reason = "a detour to where it came from".to_owned();
            return Err(MembershipError::Malformed { reason });
        }
        Ok(())
    }

    /// Whether a packet means this node as it is now. An announcement means any of its identities,
    /// since the announcer cannot know which one is current.
    fn is_current(&self, header: &Header<Identity>) -> bool {
        header.dst == *self.detector.identity() || header.message == Message::Announce
    }

    /// Shows this node's identity to who knows it by a former one: that one no longer answers, and
    /// would be declared unreachable.
    fn introduce(&mut self, to: Identity) {
        let own = *self.detector.identity();
        self.send_packet(to, &news::word(own, to, &[]));
    }

    /// Answers who says that somebody is suspected of whom this node knows better, itself above all:
    /// a refutation goes to a few chosen at random, and who doubts may never hear it.
    fn speak_up(&mut self, doubter: Identity, suspicions: &[Member<Identity>]) {
        let own = *self.detector.identity();
        let known = |id: &Identity| self.member(id.node);
        if let Some(refutation) = news::refutation(own, doubter, suspicions, known) {
            self.send_packet(doubter, &refutation);
        }
    }

    fn send_packet(&mut self, to: Identity, packet: &Packet) {
        match packet.to_bytes() {
            Ok(bytes) => self.outbox.send_to(to, &bytes),
            Err(error) => tracing::error!(%error, "a packet that cannot be bytes"),
        }
    }

    /// The packet without news of nodes for which there is no room.
    fn admit<'a>(
        &mut self,
        mut packet: Packet,
        bytes: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, MembershipError> {
        let waiting = self.detector.updates_backlog();
        if self.known().max(waiting) + 1 + packet.updates.len() <= MEMBERS_MAX {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut strangers = self.make_room(&packet);
        let sender_is_strange = strangers.remove(&packet.header.src.node);
        if sender_is_strange && self.known() >= MEMBERS_MAX {
            return Err(MembershipError::TooManyMembers);
        }
        // News of nodes long forgotten may still wait to be passed on, and takes memory too.
        let occupied = self.known().max(waiting) + usize::from(sender_is_strange);
        if occupied + strangers.len() <= MEMBERS_MAX {
            return Ok(Cow::Borrowed(bytes));
        }
        let updates = &mut packet.updates;
        updates.retain(|member| !strangers.contains(&member.id().node));
        Ok(Cow::Owned(packet.to_bytes()?))
    }

    /// A node as the detector knows it, under its latest identity.
    fn member(&self, node: NodeId) -> Option<&Member<Identity>> {
        let mut members = self.detector.iter_membership_state();
        members.find(|member| member.id().node == node)
    }

    /// Whether a verdict is on who is still suspected as it was then. The library asks as well, but tells
    /// also who has refuted it that it is down, which would take another identity for nothing.
    fn stands(&self, verdict: &Timer<Identity>) -> bool {
        let Timer::ChangeSuspectToDown {
            member_id,
            incarnation,
            ..
        } = verdict
        else {
            return false;
        };
        let suspect = Member::new(*member_id, *incarnation, State::Suspect);
        self.member(member_id.node) == Some(&suspect)
    }

    /// How many nodes the detector remembers, reachable or not.
    fn known(&self) -> usize {
        self.detector.iter_membership_state().len()
    }

    /// Forgets unreachable nodes, those lost longest ago first, until the nodes in the packet fit.
    /// Returns which of them are not known.
    fn make_room(&mut self, packet: &Packet) -> BTreeSet<NodeId> {
        loop {
            let strangers = self.strangers_in(packet);
            if self.known() + strangers.len() <= MEMBERS_MAX {
                return strangers;
            }
            let Some(removal) = self.outbox.timers.pop_removal() else {
                return strangers;
            };
            let result = self.detector.handle_timer(removal, &mut self.outbox);
            log_failure("removal", result);
        }
    }

    fn strangers_in(&self, packet: &Packet) -> BTreeSet<NodeId> {
        let told = packet.updates.iter().map(|member| member.id().node);
        let mut strangers: BTreeSet<_> = told.chain([packet.header.src.node]).collect();
        strangers.remove(&self.detector.identity().node);
        for member in self.detector.iter_membership_state() {
            strangers.remove(&member.id().node);
        }
        strangers
    }

    fn send_announcement(&mut self, to: Peer) {
        let to = Identity::first(to);
        let result = self.detector.announce(to, &mut self.outbox);
        log_failure("announcement", result);
    }

    /// Forgets what led to reaching nobody.
    ///
    /// Who lost everybody was most likely cut off itself, and the others gave it up as well. Back
    /// among them, it would spread that all of them are down, and each would have to refute that.
    /// With a new identity and no opinions it is let in at once.
    fn start_over(&mut self) {
        let own = *self.detector.identity();
        let own = foca::Identity::renew(&own).unwrap_or(own);
        self.detector = detector(own, &self.config, &mut self.rng);
        self.outbox.timers.clear();
    }

    /// Passes news on at once, to some members chosen at random, and again while a suspicion is open
    /// here: else it would wait for the next probes, and the suspect might hear of it too late.
    fn spread_news(&mut self) {
        for _ in 0..NEWS_ROUNDS {
            let result = self.detector.gossip(&mut self.outbox);
            log_failure("news", result);
        }
        let is_open = self.suspects().next().is_some();
        self.remind_at = is_open.then(|| self.outbox.now.after(self.config.doubt / REMINDERS));
    }

    /// Members whose verdict is awaited here: suspected by this node, and not refuted yet.
    fn suspects(&self) -> impl Iterator<Item = &Member<Identity>> {
        let members = self.detector.iter_membership_state();
        let timers = &self.outbox.timers;
        members.filter(|member| {
            member.state() == State::Suspect && timers.verdict_at(member.id()).is_some()
        })
    }

    /// Tells those who are suspected here that they are, and a few others, who may know better.
    ///
    /// News passes through a bounded number of hands, and may pass by the one it is about. It would
    /// never refute it then, and be declared unreachable as soon as nobody has a reason to write. Nor
    /// would this node hear the refutation, if nothing that the suspect writes to it arrives.
    fn warn_suspects(&mut self) {
        let own = *self.detector.identity();
        let suspects: Vec<_> = self.suspects().cloned().collect();
        self.outbox.is_urgent |= !suspects.is_empty();
        for suspect in &suspects {
            let to = *suspect.id();
            self.send_packet(to, &news::word(own, to, slice::from_ref(suspect)));
        }
        let told = suspects
            .into_iter()
            .sample(&mut self.rng, SUSPECTS_TOLD_MAX);
        for to in self.witnesses() {
            self.send_packet(to, &news::word(own, to, &told));
        }
    }

    /// Some whom nobody suspects, chosen at random; none if this node suspects nobody.
    fn witnesses(&mut self) -> Vec<Identity> {
        let members = self.detector.iter_members();
        let trusted = members.filter(|member| member.state() == State::Alive);
        let ids = trusted.map(|member| *member.id());
        ids.sample(&mut self.rng, WITNESSES)
    }

    /// Brings detector and timers in line with what has just happened.
    fn settle(&mut self) {
        if self.detector.num_members() == 0 && self.known() > 0 {
            self.start_over();
        }
        // The library notices only here that it has members again after it took a new identity,
        // and would else stop probing until somebody happens to write.
        let nothing = iter::empty();
        let result = self.detector.apply_many(nothing, true, &mut self.outbox);
        log_failure("wake", result);
        if std::mem::take(&mut self.outbox.is_urgent) {
            self.spread_news();
        }
        let delay = if self.outbox.roster.is_empty() {
            self.config.probe_period
        } else {
            self.config.announce_period
        };
        self.outbox.contacts.schedule(self.outbox.now, delay);
    }
}

type Detector = Foca<Identity, Wire, StdRng, NoCustomBroadcast>;

fn detector(own: Identity, config: &MembershipConfig, rng: &mut StdRng) -> Detector {
    Foca::new(own, config.for_detector(), StdRng::from_rng(rng), Wire)
}

/// When a member was heard that is about to be declared unreachable, if that was after it came to
/// be suspected.
fn refuted(
    timer: &Timer<Identity>,
    set_at: Nanos,
    heard_at: impl Fn(NodeId) -> Option<Nanos>,
) -> Option<Nanos> {
    let Timer::ChangeSuspectToDown { member_id, .. } = timer else {
        return None;
    };
    heard_at(member_id.node).filter(|heard| *heard > set_at)
}

/// The third party of a message that takes a detour.
fn about(message: &Message<Identity>) -> Option<&Identity> {
    match message {
        Message::PingReq { target, .. } | Message::IndirectAck { target, .. } => Some(target),
        Message::IndirectPing { origin, .. } | Message::ForwardedAck { origin, .. } => Some(origin),
        Message::Ping(_)
        | Message::Ack(_)
        | Message::Announce
        | Message::Feed
        | Message::Gossip
        | Message::Broadcast
        | Message::TurnUndead => None,
    }
}

/// None of these can fail unless this module or the library has a defect, and none of them leaves
/// anything to undo: the next timer or packet goes on from there.
fn log_failure(what: &'static str, result: Result<(), foca::Error>) {
    if let Err(error) = result {
        tracing::error!(what, %error, "the failure detector failed");
    }
}

/// How often urgent news goes to three members each. They pass it on, so that after two rounds one
/// member in four hundred has not heard it.
const NEWS_ROUNDS: usize = 2;

/// How many are asked at a time whether they know better of those who are suspected.
const WITNESSES: usize = 3;

/// Of how many suspects at a time: so many fit a packet with room to spare.
const SUSPECTS_TOLD_MAX: usize = 16;

/// How often an open suspicion is told within [`MembershipConfig::doubt`].
const REMINDERS: u32 = 3;

/// The longest packet, in bytes, sent or accepted: with an envelope around it, it still fits the
/// one datagram that QUIC promises to carry on any path.
pub const PACKET_BYTES_MAX: usize = 1000;

/// How many nodes are known at a time, reachable or remembered. Beyond it, unreachable ones are
/// forgotten before their time, and then newcomers are not let in.
pub const MEMBERS_MAX: usize = 1024;

#[cfg(test)]
mod tests;
