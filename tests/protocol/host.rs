//! One place in the cluster: the node that runs there, if any, with its table and its clock.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use distributary::proto::{
    Founding, LimitId, LimitIndex, MembershipConfig, Nanos, Node, NodeConfig, NodeId, Pace, Policy,
    Table, TableConfig,
};
use distributary::{EvictAfter, Fallback, Limit, Overshoot};

pub const LIMIT: LimitIndex = LimitIndex(0);
pub const TICK: Duration = Duration::from_millis(100);
pub const TICK_NS: u64 = 100_000_000;
pub const SECOND_NS: u64 = 1_000_000_000;

/// What all nodes of a cluster are told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub expected: usize,
    pub limit: Limit,
    /// ε in thousandths.
    pub overshoot_milli: u64,
    pub evict_after: EvictAfter,
    pub fallback: Fallback,
    pub keys_max: usize,
}

impl Settings {
    pub fn new(expected: usize, limit: Limit) -> Self {
        Self {
            expected,
            limit,
            overshoot_milli: 0,
            evict_after: EvictAfter::Never,
            fallback: Fallback::OwnShare,
            keys_max: 4096,
        }
    }

    fn config(&self) -> NodeConfig {
        let overshoot = Overshoot::new(self.overshoot_milli as f64 / 1000.0);
        NodeConfig {
            tick: TICK,
            overshoot: overshoot.expect("a small fraction"),
            evict_after: self.evict_after,
            fallback: self.fallback,
            founding: Founding {
                expected: self.expected,
                bootstrap: false,
            },
            gather_timeout: Duration::from_millis(50),
            membership: MembershipConfig {
                probe_period: Duration::from_millis(500),
                probe_timeout: Duration::from_millis(200),
                suspicion: Duration::from_secs(1),
                doubt: Duration::from_secs(1),
                forget_after: Duration::from_secs(600),
                announce_period: Duration::from_secs(2),
            },
        }
    }
}

/// One place, and who runs there.
pub struct Host {
    pub id: NodeId,
    pub node: Node,
    pub table: Arc<Table>,
    /// How far this place's clock is ahead of the cluster's virtual time.
    pub offset_ns: u64,
    pub is_alive: bool,
    pub is_paused: bool,
    pub has_left: bool,
    /// What its node has sent, in bytes of frames.
    pub bytes_sent: u64,
    /// Frames and losses of connections that wait for a paused process.
    pub waiting: Vec<Waiting>,
    /// When it is to be woken next, in virtual time.
    pub wake_at_ns: u64,
}

/// What a paused process finds when it goes on.
pub enum Waiting {
    Frame(NodeId, Vec<u8>),
    Lost(NodeId),
}

impl Host {
    pub fn new(settings: &Settings, place: usize, id: NodeId, offset_ns: u64, now: u64) -> Self {
        let policy = Policy {
            id: LimitId(7),
            limit: settings.limit,
            pace: Pace::new(settings.limit),
        };
        let table = TableConfig {
            policies: vec![policy],
            keys_max: settings.keys_max,
            capacity: 0,
            tick_ns: TICK_NS,
            clustered: true,
        };
        let table = Arc::new(Table::new(id, table));
        let local = Nanos(now + offset_ns);
        let config = settings.config();
        let node = Node::new(id, address(place), config, Arc::clone(&table), local, id.0);
        Self {
            id,
            node,
            table,
            offset_ns,
            is_alive: true,
            is_paused: false,
            has_left: false,
            bytes_sent: 0,
            waiting: Vec::new(),
            wake_at_ns: u64::MAX,
        }
    }

    pub fn runs(&self) -> bool {
        self.is_alive && !self.is_paused && !self.has_left
    }
}

pub fn address(place: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4000 + place as u16))
}
