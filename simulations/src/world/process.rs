//! A process: the shipping node with its table, its clock and its ends of connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use distributary::proto::{
    Founding, LimitId, LimitIndex, MembershipConfig, Nanos, Node, NodeConfig, NodeId, Pace, Policy,
    Table, TableConfig, Ticket, UnitsTime, ViewId, Wake,
};
use distributary::{EvictAfter, Fallback, Limit, Overshoot};

use super::links::{Keeper, Side};
use super::transport::Packet;
use crate::clock::Clock;
use crate::dice::Dice;
use crate::scenario::{self, Cluster};

/// The one limit that a scenario has.
pub(super) const LIMIT: LimitIndex = LimitIndex(0);

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Paused,
    Ended,
}

/// What waits for a paused process.
#[derive(Debug)]
pub(super) enum Waiting {
    Packet(Packet),
    Signal(super::links::Signal),
}

/// The hot path's bell: it rings until the driver has heard it.
#[derive(Debug, Default)]
pub(super) struct Bell(AtomicBool);

impl Bell {
    pub(super) fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How a watched key stands at one process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contention {
    /// Since when it is contended, by units-time; it may have ceased to be and be so again within one input.
    pub(super) opened_at: Option<UnitsTime>,
    /// How often it has ceased to be.
    pub(super) ceased: u64,
    /// Rows that were heard of it and are not forgotten.
    pub(super) rows: usize,
    /// How often some of them were forgotten.
    pub(super) forgotten: u64,
}

/// What is compared to see that a node counts with others than before.
pub(super) type Standpoint = (Option<ViewId>, bool, bool);

/// One process, from its start to its end; it may live several lives.
pub(super) struct Process {
    pub(super) place: usize,
    /// Where it listens: two processes at one place do not share an address.
    pub(super) endpoint: usize,
    pub(super) id: NodeId,
    /// Lives of this process that have ended, the present one once the process has.
    pub(super) former: Vec<NodeId>,
    pub(super) node: Node,
    pub(super) table: Arc<Table>,
    pub(super) bell: Arc<Bell>,
    pub(super) clock: Clock,
    pub(super) state: State,
    /// Who was in touch with it when it left in good order: they know that it did.
    pub(super) farewell: Option<Vec<usize>>,
    pub(super) life_began_ns: u64,
    /// Whether this life has held its share.
    pub(super) has_held: bool,
    pub(super) wake_at_ns: u64,
    pub(super) sides: Vec<Side>,
    /// Endpoints to keep connected.
    pub(super) keepers: BTreeMap<usize, Keeper>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) waiting_bytes: usize,
    /// Requests that came while it was paused.
    pub(super) requests: Vec<u32>,
    /// Requests that wait for their answers.
    pub(super) asked: BTreeMap<Ticket, u32>,
    pub(super) standpoint: Standpoint,
    /// Whom its failure detector thinks reachable.
    pub(super) thought: BTreeMap<NodeId, bool>,
    pub(super) looked_ns: u64,
    pub(super) jitter: Dice,
    /// Each watched key as it was after the last input.
    pub(super) contended: Vec<Contention>,
}

/// What a new process is made of.
pub(super) struct Birth {
    pub(super) place: usize,
    pub(super) endpoint: usize,
    /// Which process of the run it is.
    pub(super) number: u64,
    pub(super) now_ns: u64,
    pub(super) clock: Clock,
    pub(super) seeds: BTreeSet<usize>,
    pub(super) watched: usize,
}

impl Process {
    pub(super) fn new(cluster: &Cluster, seed: u64, birth: Birth) -> Self {
        let id = NodeId(Dice::split(seed, "ids", birth.number).roll());
        let node_seed = Dice::split(seed, "nodes", birth.number).roll();
        let mut clock = birth.clock;
        let local = Nanos(clock.now(birth.now_ns));
        let table = Arc::new(Table::new(id, table_config(cluster)));
        let bell = Arc::new(Bell::default());
        table.set_wake(Arc::clone(&bell) as Arc<dyn Wake>);
        let shared = Arc::clone(&table);
        let config = node_config(cluster);
        let node = Node::new(
            id,
            address(birth.endpoint),
            config,
            shared,
            local,
            node_seed,
        );
        let keeper = |endpoint: &usize| (*endpoint, Keeper::default());
        Self {
            place: birth.place,
            endpoint: birth.endpoint,
            id,
            former: Vec::new(),
            node,
            table,
            bell,
            clock,
            state: State::Running,
            farewell: None,
            life_began_ns: birth.now_ns,
            has_held: false,
            wake_at_ns: u64::MAX,
            sides: Vec::new(),
            keepers: birth.seeds.iter().map(keeper).collect(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            requests: Vec::new(),
            asked: BTreeMap::new(),
            standpoint: (None, false, false),
            thought: BTreeMap::new(),
            looked_ns: 0,
            jitter: Dice::split(seed, "jitter", birth.number),
            contended: vec![Contention::default(); birth.watched],
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.state == State::Running
    }

    pub(super) fn lives(&self) -> bool {
        self.state != State::Ended
    }

    pub(super) fn side(&mut self, peer: usize) -> &mut Side {
        if self.sides.len() <= peer {
            self.sides.resize_with(peer + 1, Side::default);
        }
        &mut self.sides[peer]
    }

    pub(super) fn local(&self, now_ns: u64) -> Nanos {
        Nanos(self.clock.peek(now_ns))
    }

    pub(super) fn standpoint_now(&self) -> Standpoint {
        let ledger = self.node.ledger();
        let complete = ledger.complete().is_some();
        (ledger.adopted_id(), complete, ledger.weight().is_none())
    }
}

/// An endpoint as nodes know it.
pub(super) fn address(endpoint: usize) -> SocketAddr {
    let port = PORT_FIRST + u16::try_from(endpoint).expect("endpoints are few");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Which endpoint that is.
pub(super) fn endpoint_of(address: SocketAddr) -> usize {
    usize::from(address.port().saturating_sub(PORT_FIRST))
}

const PORT_FIRST: u16 = 4_000;

/// The scenario's limit.
pub(super) fn limit(cluster: &Cluster) -> Limit {
    let period = Duration::from_millis(cluster.rate_period_ms);
    Limit::per(cluster.rate_units, period).burst(cluster.burst_units)
}

fn table_config(cluster: &Cluster) -> TableConfig {
    let limit = limit(cluster);
    TableConfig {
        policies: vec![Policy {
            id: LimitId(7),
            limit,
            pace: Pace::new(limit),
        }],
        keys_max: cluster.keys_max,
        capacity: 0,
        tick_ns: cluster.tick_ms * 1_000_000,
        clustered: true,
    }
}

fn node_config(cluster: &Cluster) -> NodeConfig {
    let overshoot = Overshoot::new(cluster.overshoot_milli as f64 / 1000.0);
    let evict = |after_ms| EvictAfter::After(Duration::from_millis(after_ms));
    NodeConfig {
        tick: Duration::from_millis(cluster.tick_ms),
        overshoot: overshoot.expect("a fraction of thousandths"),
        evict_after: cluster.evict_after_ms.map_or(EvictAfter::Never, evict),
        fallback: match cluster.fallback {
            scenario::Fallback::OwnShare => Fallback::OwnShare,
            scenario::Fallback::Allow => Fallback::Allow,
            scenario::Fallback::Deny => Fallback::Deny,
        },
        founding: Founding {
            expected: cluster.nodes,
            bootstrap: cluster.nodes == 1,
        },
        // As the library's own builder has it.
        gather_timeout: Duration::from_millis(cluster.acquire_deadline_ms) / 5 * 3,
        membership: MembershipConfig::default(),
    }
}
