//! Small clusters in virtual time: every packet takes a while, or is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _},
    iter,
    net::SocketAddr,
    time::Duration,
};

use crate::{
    membership::{
        Membership, MembershipConfig, MembershipError, MembershipEvent, PACKET_BYTES_MAX, Peer,
    },
    units::{Nanos, NodeId},
};

/// What one node did, as its owner would see it.
pub(super) struct Node {
    pub(super) machine: Membership,
    pub(super) own: Peer,
    pub(super) side: u8,
    pub(super) sent: u64,
    pub(super) events: Vec<MembershipEvent>,
}

/// Packets go by address, as on a real network; `side` separates who hears whom.
pub(super) struct Network {
    pub(super) now: Nanos,
    pub(super) nodes: Vec<Node>,
    pub(super) packets: BTreeMap<(Nanos, u64), (SocketAddr, u8, Vec<u8>)>,
    sequence: u64,
    pub(super) loss_percent: u64,
    /// Two nodes that do not hear each other.
    pub(super) broken_link: Option<[NodeId; 2]>,
    /// Whether all hear each other all the time by other means.
    pub(super) is_busy: bool,
    pub(super) trace: DefaultHasher,
}

impl Network {
    pub(super) fn new(size: u64) -> Self {
        let mut network = Self {
            now: Nanos::ZERO,
            nodes: Vec::new(),
            packets: BTreeMap::new(),
            sequence: 0,
            loss_percent: 0,
            broken_link: None,
            is_busy: false,
            trace: DefaultHasher::new(),
        };
        for node in 1..=size {
            network.start(peer(node, node));
        }
        network
    }

    /// A network whose members have all met through node 1.
    pub(super) fn joined(size: u64) -> Self {
        let mut network = Self::new(size);
        for joining in 1..network.nodes.len() {
            network.announce(joining, 0);
        }
        network.run(Duration::from_secs(30));
        for index in 0..network.nodes.len() {
            assert_eq!(network.seen(index), network.others(index));
        }
        network
    }

    pub(super) fn start(&mut self, own: Peer) -> usize {
        self.nodes.push(Node {
            machine: Membership::new(own, MembershipConfig::default(), own.node.0),
            own,
            side: 0,
            sent: 0,
            events: Vec::new(),
        });
        self.nodes.len() - 1
    }

    pub(super) fn announce(&mut self, from: usize, to: usize) {
        let (to, now) = (self.nodes[to].own, self.now);
        self.nodes[from].machine.announce(now, to);
        self.drain(from);
    }

    pub(super) fn suspect(&mut self, by: usize, of: usize) {
        let (of, now) = (self.nodes[of].own.node, self.now);
        self.nodes[by].machine.suspect(now, of);
        self.drain(by);
    }

    pub(super) fn leave(&mut self, index: usize) {
        let now = self.now;
        self.nodes[index].machine.leave(now);
        self.drain(index);
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.now = at;
            self.deliver();
            let heard = self.is_busy.then_some(at);
            for index in 0..self.nodes.len() {
                let due = self.nodes[index].machine.poll_timeout();
                if due.is_some_and(|due| due <= at) {
                    self.nodes[index].machine.handle_timeout(at, |_| heard);
                    self.drain(index);
                }
            }
        }
        self.now = end;
    }

    fn next_at(&self) -> Option<Nanos> {
        let timers = self
            .nodes
            .iter()
            .filter_map(|node| node.machine.poll_timeout());
        let packets = self.packets.keys().next().map(|(at, _)| *at);
        timers.chain(packets).min().map(|at| at.max(self.now))
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.packets.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (address, side, bytes) = entry.remove();
            let there = |node: &Node| node.own.address == address && node.side == side;
            if let Some(index) = self.nodes.iter().rposition(there) {
                let result = self.nodes[index].machine.handle_packet(self.now, &bytes);
                let is_stale = matches!(result, Err(MembershipError::Misdirected { .. }));
                assert!(result.is_ok() || is_stale, "{result:?}");
                self.drain(index);
            }
        }
    }

    pub(super) fn drain(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        while let Some((to, bytes)) = node.machine.poll_transmit() {
            assert!(bytes.len() <= PACKET_BYTES_MAX);
            assert_ne!(to.node, node.own.node);
            (self.now, index, to, &bytes).hash(&mut self.trace);
            node.sent += 1;
            self.sequence += 1;
            let is_broken =
                |link: [NodeId; 2]| link.contains(&node.own.node) && link.contains(&to.node);
            let is_lost = splitmix(self.sequence) % 100 < self.loss_percent;
            if !is_lost && !self.broken_link.is_some_and(is_broken) {
                let at = self.now.after(Duration::from_millis(20));
                let packet = (to.address, node.side, bytes);
                self.packets.insert((at, self.sequence), packet);
            }
        }
        node.events
            .extend(iter::from_fn(|| node.machine.poll_event()));
    }

    /// Nodes that the one at `index` reaches.
    pub(super) fn seen(&self, index: usize) -> BTreeSet<u64> {
        let reachable = self.nodes[index].machine.reachable();
        reachable.map(|peer| peer.node.0).collect()
    }

    /// Nodes that it should reach: all others on its side.
    pub(super) fn others(&self, index: usize) -> BTreeSet<u64> {
        let own = &self.nodes[index];
        let mates = self.nodes.iter().filter(|node| node.side == own.side);
        let others = mates.filter(|node| node.own != own.own);
        others.map(|node| node.own.node.0).collect()
    }

    pub(super) fn assert_settled(&self) {
        for index in 0..self.nodes.len() {
            assert_eq!(self.seen(index), self.others(index), "node {}", index + 1);
        }
    }
}

pub(super) fn peer(node: u64, host: u64) -> Peer {
    let [.., high, low] = host.to_be_bytes();
    Peer {
        node: NodeId(node),
        address: SocketAddr::from(([10, 0, high, low], 7000)),
    }
}

fn splitmix(state: u64) -> u64 {
    let mixed = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
