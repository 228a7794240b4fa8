//! What the transport tells its driver.

use std::net::SocketAddr;

use bytes::Bytes;

use super::error::{DownReason, Refusal};
use crate::units::NodeId;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// One UDP datagram: may be lost, never delayed by what was sent before.
    Datagram,
    /// Its own stream: arrives as long as the connection lives, in no particular order.
    Stream,
}

/// An address to keep connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Whoever answers there.
    Seed(SocketAddr),
    /// A known node.
    Peer {
        /// Its present life.
        node: NodeId,
        /// Where it says it is.
        address: SocketAddr,
    },
}

/// What happened, in order: for each peer `Up`, then its `Frame`s, then `Down`.
///
/// Two lives of one process are two peers: the new one may be `Up` before the old one is `Down`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TransportEvent {
    /// A peer's greeting was accepted: messages flow.
    Up {
        /// Its present life, proven by its certificate.
        node: NodeId,
        /// Where it says it is reached.
        address: SocketAddr,
        /// Its label; proves nothing.
        name: String,
    },
    /// The last connection to a peer ended. Messages under way may be lost.
    Down {
        /// Which peer.
        node: NodeId,
        /// Why.
        reason: DownReason,
    },
    /// A message.
    Frame {
        /// From whom: proven by the certificate, not claimed by the message.
        from: NodeId,
        /// The life of this node it was sent to: it may have ended since.
        to: NodeId,
        /// The message.
        bytes: Bytes,
        /// How it came.
        channel: Channel,
    },
    /// A node was refused, or refused this one. Told once per address and cause, until that
    /// address was up.
    Refused {
        /// Where it called from, or was called at.
        address: SocketAddr,
        /// Who it is, if its certificate was good.
        node: Option<NodeId>,
        /// Why, with both sides' values.
        why: Refusal,
    },
}
