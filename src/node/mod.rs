//! The state machine that composes all of it. The page to read first.
//!
//! A [`Node`] opens no socket, reads no clock and draws no randomness but from the seed it was
//! given. It is fed `(now, input)` and asked for outputs; two drivers run the very same machine,
//! the QUIC driver and the simulations.
//!
//! | input | what it is | then ask |
//! |---|---|---|
//! | [`Node::handle_peer_up`] / [`Node::handle_peer_down`] | a connection came or went | outputs, timeout |
//! | [`Node::handle_frame`] | a frame from a peer whose id the transport vouches for | outputs, timeout |
//! | [`Node::handle_timeout`] | time has passed | outputs, timeout |
//! | [`Node::handle_urgent`] | the table has keys that cannot wait for the tick | outputs |
//! | [`Node::acquire`] / [`Node::refund`] / [`Node::leave`] / [`Node::forget`] | commands | outputs, timeout |
//!
//! After each input drain [`Node::poll_output`] and then ask [`Node::poll_timeout`]. Time must not
//! go backwards; if it does, nothing drains until it has caught up.
//!
//! The table is shared with the callers of `check`, who never wait for this machine.
//!
//! Within one tick a node: forgets what has expired; sends what changed of its contended keys to
//! its peers, with acknowledgements; moves shares and units by [`crate::share::plan`]; and looks
//! after its view. Between ticks only keys whose rights ran out are attended to.

mod acquire;
mod ages;
mod asking;
mod audience;
mod config;
mod hear;
mod hold;
mod keys;
mod news;
mod output;
mod overload;
mod peer;
mod proposals;
mod relay;
mod spread;
mod standing;
mod timer;
mod views;

pub use acquire::{Request, Ticket};
pub use config::{EvictAfter, Fallback, Founding, NodeConfig};
pub use output::{Event, Memory, NodeCounters, Output};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use crdts::VClock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::gossip::{Journal, Mirror};
use crate::membership::{self, Membership, MembershipEvent};
use crate::share::AppliedClock;
use crate::table::Table;
use crate::units::{KeyId, Nanos, NodeId};
use crate::view::Ledger;
use crate::wire::{Message, WireError};
use keys::URGENT_PER_TICK;
use peer::Peer;
use timer::{Timer, Timers};

/// One node of a cluster.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    address: SocketAddr,
    config: NodeConfig,
    table: Arc<Table>,
    ledger: Ledger,
    membership: Membership,
    peers: BTreeMap<NodeId, Peer>,
    /// Keys that are contended here.
    active: BTreeSet<KeyId>,
    /// What this node is asked for of all of them together.
    load: u64,
    journal: Journal,
    /// Up to which `seq` all rows of each origin are here.
    digest: VClock<NodeId>,
    /// The rows of each member, as far as they are here.
    mirrors: BTreeMap<NodeId, Mirror>,
    /// Whom this node has asked for the rows of members that it does not hear.
    sources: BTreeMap<NodeId, relay::Source>,
    /// Which grants were applied in the adopted view.
    applied: AppliedClock,
    asking: asking::Asking,
    holding: hold::Holding,
    views: views::Change,
    ages: ages::Ages,
    timers: Timers,
    outputs: VecDeque<Output>,
    counters: NodeCounters,
    rng: StdRng,
    started_at: Nanos,
}

impl Node {
    /// A node that has just come to life and holds nothing yet. `seed` decides every random choice.
    #[must_use]
    pub fn new(
        id: NodeId,
        address: SocketAddr,
        config: NodeConfig,
        table: Arc<Table>,
        now: Nanos,
        seed: u64,
    ) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let own = membership::Peer { node: id, address };
        let membership = Membership::new(own, config.membership.clone(), rng.random());
        let mut timers = Timers::default();
        timers.set(Timer::Tick, Some(now));
        Self {
            id,
            address,
            ledger: Ledger::new(id, config.founding.bootstrap),
            membership,
            peers: BTreeMap::new(),
            active: BTreeSet::new(),
            load: 0,
            journal: Journal::default(),
            digest: VClock::new(),
            mirrors: BTreeMap::new(),
            sources: BTreeMap::new(),
            applied: AppliedClock::default(),
            asking: asking::Asking::default(),
            holding: hold::Holding::default(),
            views: views::Change::new(now),
            ages: ages::Ages::default(),
            timers,
            outputs: VecDeque::new(),
            counters: NodeCounters::default(),
            rng,
            started_at: now,
            config,
            table,
        }
    }

    /// This life's id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Where it stands with its views.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The table that it shares with the callers of `check`.
    #[must_use]
    pub const fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// What it has counted.
    #[must_use]
    pub const fn counters(&self) -> NodeCounters {
        self.counters
    }

    /// The `seq` of the last row it wrote.
    #[must_use]
    pub const fn rows_seq_own(&self) -> u64 {
        self.journal.last()
    }

    /// The newest row of a key that it wrote, told to all or to some so far.
    #[must_use]
    pub fn row_written(&self, key: KeyId) -> Option<&crate::row::Row> {
        self.journal.of(key)
    }

    /// Up to which `seq` it has all rows of each origin.
    pub fn rows_seq_seen(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        let members = self.ledger.adopted().into_iter();
        let members = members.flat_map(|view| view.nodes());
        let mut origins: BTreeSet<NodeId> = self.peers.keys().copied().chain(members).collect();
        origins.remove(&self.id);
        let seen = |node| (node, self.digest.get(&node));
        origins.into_iter().map(seen)
    }

    /// How much it remembers of keys.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory {
            keys_active: self.active.len(),
            rows_own: self.journal.len(),
            rows_held: self.mirrors.values().map(Mirror::len).sum(),
            gatherings: self.holding.keys(),
            refusals: self.asking.refusals(),
            grants: self.grants_in_flight().count(),
        }
    }

    /// The peers it knows, with their addresses and whether they are connected and reachable.
    pub fn peers(&self) -> impl Iterator<Item = (NodeId, Option<SocketAddr>, bool, bool)> + '_ {
        let told =
            |(node, peer): (&NodeId, &Peer)| (*node, peer.address, peer.connected, peer.reachable);
        self.peers.iter().map(told)
    }

    /// Grants that are not acknowledged yet, by receiver.
    pub fn grants_in_flight(&self) -> impl Iterator<Item = (NodeId, &crate::share::Grant)> + '_ {
        let outboxes = self.peers.iter();
        outboxes.flat_map(|(node, peer)| peer.outbox.pending().map(|grant| (*node, grant)))
    }

    /// How many grants of `from` were applied in the adopted view.
    #[must_use]
    pub fn grants_applied_of(&self, from: NodeId) -> u64 {
        self.applied.of(from)
    }

    /// A connection to a peer is up: it has proved its id and was greeted.
    pub fn handle_peer_up(&mut self, now: Nanos, node: NodeId, address: SocketAddr) {
        let peer = self.peers.entry(node).or_default();
        let returned = !peer.connected;
        peer.connected = true;
        peer.unmet_since = None;
        peer.address = Some(address);
        peer.hear(now);
        peer.progress.restart();
        peer.told_at = None;
        peer.relaying = relay::Relaying::default();
        peer.reported = 0;
        self.membership
            .announce(now, membership::Peer { node, address });
        if returned {
            self.spread_reachable(node);
        }
        self.spread_all(node, now);
        self.send_report(node);
        self.drain_membership(now);
    }

    /// The connection to a peer is gone.
    pub fn handle_peer_down(&mut self, now: Nanos, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.connected = false;
        }
        self.membership.suspect(now, node);
        self.drain_membership(now);
        self.ask_again(now, node);
    }

    /// A frame came from `from`, whose id the transport vouches for.
    ///
    /// # Errors
    /// The frame does not decode, or is not one that this peer may send. Nothing was changed; the
    /// driver should close the connection with the error as its reason.
    pub fn handle_frame(
        &mut self,
        now: Nanos,
        from: NodeId,
        frame: &[u8],
    ) -> Result<(), WireError> {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                self.counters.frames_refused += 1;
                return Err(error);
            }
        };
        let Some(message) = message else {
            self.counters.frames_skipped += 1;
            return Ok(());
        };
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(());
        };
        peer.hear(now);
        self.handle_message(now, from, message);
        Ok(())
    }

    fn handle_message(&mut self, now: Nanos, from: NodeId, message: Message) {
        match message {
            Message::Gossip(gossip) => self.handle_gossip(now, from, gossip),
            Message::Membership(packet) => self.handle_membership(now, &packet),
            Message::Report(report) => self.handle_report(now, from, &report),
            Message::Propose(view) => self.handle_proposal(now, from, &view),
            Message::Opening(chunk) => self.handle_opening(now, chunk),
            Message::Ask(question) => self.handle_question(now, from, question),
            Message::Answer(answer) => self.handle_answer(now, from, answer),
            Message::Gather(gather) => self.handle_gather(now, from, gather),
            Message::Gathered(gathered) => self.handle_gathered(now, from, gathered),
            Message::Refund(refund) => self.handle_refund(now, refund),
            Message::Reachable(node) => self.handle_reachable(node),
            Message::Clocks(clocks) => self.handle_clocks(now, from, &clocks),
            Message::Relayed(relayed) => self.handle_relayed(now, from, relayed),
        }
    }

    /// Time has passed: fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Nanos) {
        if self.membership.poll_timeout().is_some_and(|at| at <= now) {
            let heard_at = |node| self.peers.get(&node).and_then(|peer| peer.heard_at);
            self.membership.handle_timeout(now, heard_at);
            self.drain_membership(now);
        }
        if self.timers.is_due(Timer::Deadline, now) {
            self.expire_gatherings(now);
            self.expire_questions(now);
        }
        if self.timers.is_due(Timer::Tick, now) {
            self.tick(now);
            self.timers
                .set(Timer::Tick, Some(now.after(self.config.tick)));
        }
        self.set_deadline();
    }

    fn tick(&mut self, now: Nanos) {
        for peer in self.peers.values_mut() {
            peer.urgent_sent = peer.urgent_sent.saturating_sub(URGENT_PER_TICK);
        }
        self.tick_keys(now);
        self.doubt_silent(now);
        self.spread(now);
        self.relay(now);
        self.tick_views(now);
        self.forget_peers(now);
        self.holding.forget(now);
        self.asking.forget(now, self.config.ticks_ns(1));
        self.table.sweep(now, SWEEP_SLOTS);
    }

    /// Forgets nodes that nobody has reached for long and that no view counts, mostly past lives:
    /// or every restart in the cluster would be remembered for ever.
    fn forget_peers(&mut self, now: Nanos) {
        let patience_ns = self.config.ticks_ns(PEER_LIFE_TICKS);
        let since = self.started_at;
        let counted = |node: &NodeId| self.ledger.adopted().is_some_and(|view| view.has(*node));
        let forgotten: Vec<_> = self
            .peers
            .iter()
            .filter(|(node, peer)| !counted(node) && peer.is_over(now, since, patience_ns))
            .map(|(node, peer)| (*node, peer.address))
            .collect();
        for (node, address) in forgotten {
            self.peers.remove(&node);
            self.forget_digest(node);
            if let Some(address) = address {
                let peer = membership::Peer { node, address };
                self.outputs
                    .push_back(Output::Event(Event::Forgotten(peer)));
            }
        }
    }

    fn set_deadline(&mut self) {
        let deadline = self
            .asking
            .earliest()
            .into_iter()
            .chain(self.holding.earliest())
            .min();
        self.timers.set(Timer::Deadline, deadline);
    }

    /// When to call [`Node::handle_timeout`] next. May change with every input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        let membership = self.membership.poll_timeout();
        membership.into_iter().chain(self.timers.earliest()).min()
    }

    /// The next thing to do for the driver. May change with every input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn handle_membership(&mut self, now: Nanos, packet: &[u8]) {
        if self.membership.handle_packet(now, packet).is_err() {
            self.counters.membership_refused += 1;
        }
        self.drain_membership(now);
    }

    /// Peers that owe an answer and have said nothing for long are asked at every tick, and then
    /// suspected, by everybody who notices: their turn with the failure detector comes later. So are
    /// those that others say are there, and that cannot be met: who has slept for long takes the dead
    /// for living, and so does who hears of them from it.
    fn doubt_silent(&mut self, now: Nanos) {
        let patience_ns = self.mute_patience_ns();
        let unmet_ns = u64::try_from(UNMET_MAX.as_nanos()).unwrap_or(u64::MAX);
        let mut doubted = Vec::new();
        for (node, peer) in &mut self.peers {
            if peer.is_mute(now, patience_ns / 2) {
                peer.progress.restart();
            }
            if peer.is_mute(now, patience_ns) || peer.is_rumour(now, unmet_ns) {
                doubted.push(*node);
            }
        }
        for node in doubted {
            self.membership.suspect(now, node);
        }
        self.drain_membership(now);
    }

    fn mute_patience_ns(&self) -> u64 {
        let shortest_ns = u64::try_from(MUTE_MIN.as_nanos()).unwrap_or(u64::MAX);
        self.config.ticks_ns(MUTE_TICKS).max(shortest_ns)
    }

    /// For how long everybody has surely found a peer silent when it is found to be unreachable: that it
    /// is doubted is told to all and to itself, and whoever hears it says so. For how long it had owed an
    /// answer before is the word of one node, who may have missed what others heard.
    pub(super) fn noticed_after_ns(&self) -> u64 {
        u64::try_from(self.config.membership.doubt.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Passes on what the failure detector wants to send and has found out.
    fn drain_membership(&mut self, now: Nanos) {
        while let Some((to, packet)) = self.membership.poll_transmit() {
            self.send(to.node, &Message::Membership(packet));
        }
        while let Some(event) = self.membership.poll_event() {
            match event {
                MembershipEvent::Reachable(found) => {
                    let peer = self.peers.entry(found.node).or_default();
                    peer.reachable = true;
                    peer.address.get_or_insert(found.address);
                    if !peer.connected {
                        peer.hear_of(now, self.started_at);
                        self.outputs.push_back(Output::Event(Event::Found(found)));
                    }
                }
                MembershipEvent::Unreachable(node) => {
                    if let Some(peer) = self.peers.get_mut(&node) {
                        peer.reachable = false;
                        peer.unmet_since = None;
                        peer.lost_at = Some(now);
                    }
                }
            }
        }
    }

    /// Somebody else reaches a node that this one may have lost: the driver should try at once.
    fn handle_reachable(&mut self, node: NodeId) {
        let lost = self.peers.values().any(|peer| !peer.connected);
        if lost || !self.peers.contains_key(&node) {
            self.outputs.push_back(Output::Event(Event::TryAgain));
        }
    }

    fn spread_reachable(&mut self, node: NodeId) {
        self.outputs.push_back(Output::Event(Event::TryAgain));
        for to in self.connected() {
            if to != node {
                self.send(to, &Message::Reachable(node));
            }
        }
    }

    fn connected(&self) -> Vec<NodeId> {
        let connected = self.peers.iter().filter(|(_, peer)| peer.connected);
        connected.map(|(node, _)| *node).collect()
    }

    /// Queues a message for a connected peer; to others nothing is sent.
    fn send(&mut self, to: NodeId, message: &Message) {
        if self.peers.get(&to).is_some_and(|peer| peer.connected) {
            let bytes = message.encode();
            self.counters.frames_sent += 1;
            self.outputs.push_back(Output::Send { to, bytes });
        }
    }
}

/// A node that nobody has reached for so many ticks, and that no view counts, is forgotten: an hour
/// at the default tick. Groups that are apart for longer meet again over their seeds.
const PEER_LIFE_TICKS: u32 = 36_000;

/// A peer that owes an answer and says nothing for so many ticks, and at least so long, is
/// suspected; from half of that on it is asked again at every tick. Answers come with the next
/// tick, so four have to be lost in a row, and then what was asked again.
const MUTE_TICKS: u32 = 5;
const MUTE_MIN: std::time::Duration = std::time::Duration::from_millis(800);

/// Who is said to be there and could not be connected to for so long is suspected: time for a few
/// calls.
const UNMET_MAX: std::time::Duration = std::time::Duration::from_secs(3);

/// Slots of each shard that are looked at in a tick to drop drained ones.
const SWEEP_SLOTS: usize = 16;
