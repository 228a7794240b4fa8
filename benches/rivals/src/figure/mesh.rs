//! Nodes without a transport: what they say to each other is handed over in memory, so that each side's
//! part can be timed by itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use distributary::proto::{
    Ask, Founding, KeyId, LimitId, LimitIndex, MembershipConfig, Nanos, Node, NodeConfig, NodeId,
    Output, Pace, Policy, Table, TableConfig,
};
use distributary::{EvictAfter, Fallback, Limit, Overshoot};

use crate::keys::{Random, mixed};

/// Length of a tick.
pub const TICK_NS: u64 = 100_000_000;

/// Each node has one limit only.
const FIRST: LimitIndex = LimitIndex(0);

/// So many units at once …
const BURST_UNITS: u64 = 1_000;
/// … and so many in each tick.
const UNITS_PER_TICK: u64 = 10;

/// The limit of most figures.
pub const LIMIT: Limit =
    Limit::per(UNITS_PER_TICK, Duration::from_nanos(TICK_NS)).burst(BURST_UNITS);

/// Of two nodes the one that tells …
pub const TELLER: usize = 0;
/// … and the one that hears.
pub const HEARER: usize = 1;

/// Between two ticks that are looked at: a row that says little new is due again then.
pub const REST_TICKS: u64 = 6;

/// What drains of a key at one of two nodes between two such ticks.
const DRAINED_UNITS: u64 = REST_TICKS * UNITS_PER_TICK / 2;

/// What makes a key contended at every node if each has its part of it, and leaves none in debt.
const FILL_UNITS: u64 = BURST_UNITS * 6 / 10;

/// Ten seconds, in which a cluster is founded many times over.
const FOUNDING_TICKS: u64 = 100;

/// A frame that was sent.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who has sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// What.
    pub bytes: Vec<u8>,
}

/// One node and its table.
#[derive(Debug)]
pub struct Host {
    /// The machine.
    pub node: Node,
    /// Its keys.
    pub table: Arc<Table>,
}

/// All nodes of one cluster, connected to each other.
#[derive(Debug)]
pub struct Mesh {
    /// The nodes.
    pub hosts: Vec<Host>,
    /// What time it is for all of them.
    pub now: Nanos,
}

impl Mesh {
    /// `count` nodes that have founded their cluster.
    pub fn founded(count: usize, limit: Limit) -> Self {
        let now = Nanos(1_000_000_000);
        let hosts = (0..count).map(|place| Host::new(place, count, limit, now));
        let mut mesh = Self {
            hosts: hosts.collect(),
            now,
        };
        for host in 0..count {
            for peer in (0..count).filter(|peer| *peer != host) {
                mesh.connect(host, peer);
            }
        }
        for _ in 0..FOUNDING_TICKS {
            mesh.now = Nanos(mesh.now.0 + TICK_NS);
            (0..count).for_each(|host| mesh.hosts[host].node.handle_timeout(mesh.now));
            mesh.exchange();
        }
        let stands = |host: &Host| host.node.counters().views_completed > 0;
        assert!(mesh.hosts.iter().all(stands), "the cluster is founded");
        mesh
    }

    /// One side of a connection has come up, or has come up again.
    pub fn connect(&mut self, host: usize, peer: usize) {
        let id = self.hosts[peer].node.id();
        let node = &mut self.hosts[host].node;
        node.handle_peer_down(self.now, id);
        node.handle_peer_up(self.now, id, address(peer));
    }

    /// Hands over all that is said until nobody says anything.
    pub fn exchange(&mut self) {
        self.exchange_seen(|_| ());
    }

    /// The same, and `sees` each frame.
    pub fn exchange_seen(&mut self, mut sees: impl FnMut(&Frame)) {
        loop {
            let hosts = 0..self.hosts.len();
            let said: Vec<_> = hosts.flat_map(|host| self.said_by(host)).collect();
            if said.is_empty() {
                return;
            }
            for frame in &said {
                sees(frame);
                self.hand_over(frame);
            }
        }
    }

    /// What a node has said since it was last asked.
    pub fn said_by(&mut self, host: usize) -> Vec<Frame> {
        let node = &mut self.hosts[host].node;
        let from = node.id();
        let outputs = std::iter::from_fn(|| node.poll_output());
        let frames = outputs.filter_map(|output| match output {
            Output::Send { to, bytes } => Some(Frame { from, to, bytes }),
            Output::Event(_) => None,
        });
        frames.collect()
    }

    /// Hands one frame to whom it is for.
    pub fn hand_over(&mut self, frame: &Frame) {
        let node = &mut self.hosts[place_of(frame.to)].node;
        let heard = node.handle_frame(self.now, frame.from, &frame.bytes);
        heard.expect("what a node says is understood");
    }

    /// Charges a node for keys: what makes them contended.
    pub fn fill(&self, host: usize, keys: u64) {
        let cost_units = FILL_UNITS / self.hosts.len() as u64;
        self.charge(host, keys, || cost_units);
    }

    /// Charges both of two nodes for keys about as much as drains between two ticks that are looked at.
    pub fn spend(&self, keys: u64, random: &mut Random) {
        for host in [TELLER, HEARER] {
            self.charge(host, keys, || random.below(2 * DRAINED_UNITS + 1));
        }
    }

    /// Charges a node for each of so many keys.
    fn charge(&self, host: usize, keys: u64, mut cost_units: impl FnMut() -> u64) {
        let table = &self.hosts[host].table;
        for number in 0..keys {
            let _decided = table.check(ask(number, cost_units()), self.now);
        }
    }
}

impl Host {
    fn new(place: usize, expected: usize, limit: Limit, now: Nanos) -> Self {
        let policy = Policy {
            id: LimitId(7),
            limit,
            pace: Pace::new(limit),
        };
        let id = id(place);
        let table = TableConfig {
            policies: vec![policy],
            keys_max: 4_000_000,
            capacity: 0,
            tick_ns: TICK_NS,
            clustered: true,
        };
        let table = Arc::new(Table::new(id, table));
        let config = NodeConfig {
            tick: Duration::from_nanos(TICK_NS),
            overshoot: Overshoot::new(0.2).expect("a fraction"),
            evict_after: EvictAfter::Never,
            fallback: Fallback::OwnShare,
            founding: Founding {
                expected,
                bootstrap: false,
            },
            gather_timeout: Duration::from_millis(50),
            membership: MembershipConfig::default(),
        };
        let node = Node::new(id, address(place), config, Arc::clone(&table), now, id.0);
        Self { node, table }
    }
}

/// One request.
pub fn ask(number: u64, cost_units: u64) -> Ask {
    let (high, low) = (mixed(number), mixed(!number));
    Ask {
        limit: FIRST,
        key: KeyId(u128::from(high) << 64 | u128::from(low)),
        cost_units,
    }
}

const fn id(place: usize) -> NodeId {
    NodeId(place as u64 + 1)
}

const fn place_of(id: NodeId) -> usize {
    id.0 as usize - 1
}

fn address(place: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4000 + place as u16))
}
