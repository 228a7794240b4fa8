//! What a node tells of itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::running::Running;
use crate::limiter::Core;
use crate::node::NodeCounters;
use crate::quic::TransportCounters;
use crate::table::Counters;
use crate::units::{NodeId, Share};

/// A member of the cluster, as one node knows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Where it listens, if known.
    pub address: Option<SocketAddr>,
    /// What it holds of quiet keys in this node's view; nothing if it is not in it.
    pub share: Share,
    /// Whether there is a connection to it (true for this node itself).
    pub connected: bool,
    /// Whether anybody reaches it, as far as is known.
    pub reachable: bool,
}

/// What has become of a node's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverState {
    /// It runs.
    Running,
    /// It was stopped.
    Stopped,
    /// It has panicked: the node goes on deciding on what it holds, and hears nobody.
    Panicked,
}

/// What a node has counted since it started, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests allowed.
    pub allowed: u64,
    /// Requests refused, whatever the reason.
    pub refused: u64,
    /// Decisions and keys in detail.
    pub keys: Counters,
    /// What the protocol has counted.
    pub protocol: NodeCounters,
    /// What the transport has counted.
    pub transport: TransportCounters,
    /// UDP datagrams sent, of all kinds, connections that are closed included.
    pub datagrams_sent: u64,
    /// Bytes in them.
    pub bytes_sent: u64,
    /// The sequence number of the last row that this node wrote.
    pub rows_seq_own: u64,
    /// Up to which sequence number it has all rows of each origin.
    pub rows_seq_seen: BTreeMap<NodeId, u64>,
    /// The number of the view it counts with, if it holds a share.
    pub view: Option<u64>,
    /// Members that hold a share by that view.
    pub members: usize,
    /// What has become of the driver.
    pub driver: DriverState,
    /// Times the caller's clock has panicked: the latest time it gave was used.
    pub clock_panics: u64,
    /// Times the caller's clock has stepped back by more than 10 ms.
    pub clock_steps_back: u64,
    /// Callers waiting in `acquire`.
    pub acquires_waiting: usize,
}

pub(super) fn stats(running: &Running, core: &Core) -> Stats {
    let keys = core.table.counters();
    let transport = running.transport.counters();
    let phase = *running.phase.borrow();
    let driver = match (phase.has_panicked, phase.has_stopped) {
        (true, _) => DriverState::Panicked,
        (false, true) => DriverState::Stopped,
        (false, false) => DriverState::Running,
    };
    running.with_node(|node| Stats {
        allowed: keys.allowed_owned + keys.allowed_overdrawn,
        refused: keys.refused,
        keys,
        protocol: node.counters(),
        transport,
        datagrams_sent: transport.udp_datagrams_sent,
        bytes_sent: transport.udp_bytes_sent,
        rows_seq_own: node.rows_seq_own(),
        rows_seq_seen: node.rows_seq_seen().collect(),
        view: node.ledger().complete().map(|view| view.id.number),
        members: node.ledger().complete().map_or(0, |view| {
            let holds = |member: &&crate::view::Member| !member.after.is_none();
            view.members.iter().filter(holds).count()
        }),
        driver,
        clock_panics: core.clock.panics(),
        clock_steps_back: core.clock.steps_back(),
        acquires_waiting: running.waiting(),
    })
}

pub(super) fn members(running: &Running) -> Vec<Member> {
    let own_address = running.transport.local_address();
    running.with_node(|node| {
        let view = node.ledger().complete();
        let share = |id: NodeId| {
            view.and_then(|view| view.member(id))
                .map_or(Share::NONE, |member| member.after)
        };
        let own = Member {
            id: node.id(),
            address: Some(own_address),
            share: share(node.id()),
            connected: true,
            reachable: true,
        };
        let peers = node
            .peers()
            .map(|(id, address, connected, reachable)| Member {
                id,
                address,
                share: share(id),
                connected,
                reachable,
            });
        let mut all: Vec<_> = peers.chain([own]).collect();
        all.sort_by_key(|member| member.id);
        all
    })
}
