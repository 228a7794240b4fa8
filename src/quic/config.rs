//! What a transport is told when it starts, and the limits it keeps to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::error::TransportError;
use super::fault::FaultLink;
use crate::units::NodeId;

/// Version of what travels after the handshake. Peers with another one are refused.
pub const PROTOCOL_VERSION: u16 = 1;

/// Shortest secret taken, in bytes. Longer is better: 32 random ones are plenty.
pub const SECRET_BYTES_MIN: usize = 16;

/// Longest name of a cluster or label of a node, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Largest message on a stream, in bytes. A longer one closes the connection that carries it.
pub const STREAM_FRAME_BYTES_MAX: usize = 1 << 20;

/// Bytes of stream messages that may wait for one peer, unsent or unacknowledged. What comes on
/// top is dropped and counted.
pub const STREAM_QUEUE_BYTES_MAX: usize = 8 << 20;

/// Bytes of datagrams that may wait to be sent to one peer. What comes on top is dropped.
pub const DATAGRAM_QUEUE_BYTES_MAX: usize = 1 << 20;

/// Bytes of received datagrams that may wait for the driver, per peer; older ones are lost first.
pub const DATAGRAM_RECEIVE_BYTES_MAX: usize = 1 << 20;

/// Messages that may be on their way at a time, each on its own stream, per peer and direction.
pub const STREAMS_MAX: u32 = 32;

/// Events that may wait for the driver before the transport stops reading from the network.
pub const EVENTS_MAX: usize = 4096;

/// Connections held at a time; further incoming ones are refused.
pub const CONNECTIONS_MAX: usize = 2048;

/// Handshakes answered at a time; further ones are refused until some end.
pub const HANDSHAKES_MAX: usize = 256;

/// Handshakes under way above which a caller must first prove that it owns its address.
pub const HANDSHAKES_TRUSTED_MAX: usize = 32;

/// What the kernel is asked to buffer per direction, in bytes.
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// What every member of a cluster knows and nobody else does.
///
/// Whoever has it can make itself a member under any id. Never printed: `Debug` hides it.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// The secret itself. Shorter than [`SECRET_BYTES_MIN`] is refused at the start.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Everything a transport needs to know.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Shared by the whole cluster; both sides of every connection prove that they have it.
    pub secret: Secret,
    /// The cluster's name. Nodes of other names are refused even if they have the secret, so that
    /// a staging node does not join production. At most [`NAME_BYTES_MAX`].
    pub cluster: String,
    /// A hash of all limits. Nodes with another one are refused: with different limits no sum of
    /// shares means anything.
    pub limits: [u8; 32],
    /// The same limits for people, as (name, value): logged by both sides when hashes differ.
    pub named_limits: Vec<(String, String)>,
    /// This life's id.
    pub node: NodeId,
    /// A label for logs: a host name, say. Proves nothing. At most [`NAME_BYTES_MAX`].
    pub name: String,
    /// Where to listen. Port 0 takes any free one. `[::]` also takes IPv4.
    pub bind: SocketAddr,
    /// Where others reach this node, if not at `bind` (port 0 is replaced by the real one). An
    /// unspecified address, such as `0.0.0.0`, lets each peer fill in the address it sees.
    pub advertise: Option<SocketAddr>,
    /// Cuts links on purpose; for experiments.
    pub fault: Option<FaultLink>,
    /// How patient to be.
    pub timings: Timings,
}

impl TransportConfig {
    /// A configuration with no advertised address, no faults and default timings.
    #[must_use]
    pub fn new(secret: Secret, cluster: impl Into<String>, node: NodeId, bind: SocketAddr) -> Self {
        Self {
            secret,
            cluster: cluster.into(),
            limits: [0; 32],
            named_limits: Vec::new(),
            node,
            name: String::new(),
            bind,
            advertise: None,
            fault: None,
            timings: Timings::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), TransportError> {
        let bytes = self.secret.bytes().len();
        if bytes < SECRET_BYTES_MIN {
            let bytes_min = SECRET_BYTES_MIN;
            return Err(TransportError::SecretTooShort { bytes, bytes_min });
        }
        check_name("cluster's name", &self.cluster)?;
        check_name("node's name", &self.name)
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), TransportError> {
    let (bytes, bytes_max) = (name.len(), NAME_BYTES_MAX);
    if bytes > bytes_max {
        return Err(TransportError::NameTooLong {
            what,
            bytes,
            bytes_max,
        });
    }
    Ok(())
}

/// How long the transport waits for what. The defaults suit a data centre and most WANs.
#[derive(Clone, Debug)]
pub struct Timings {
    /// A peer silent for so long is down. Too short: peers flap when a machine is busy. Too long:
    /// dead peers hold their shares. Default 3 s.
    pub idle_timeout: Duration,
    /// An idle connection's opener sends something this often; a third of the timeout or less.
    /// Each costs two UDP datagrams (it and its acknowledgement). Default 1 s.
    pub keep_alive: Duration,
    /// An attempt to connect is given up after this. Must exceed a few round trips. Default 1 s.
    pub attempt: Duration,
    /// First pause after a failed attempt; it doubles, with jitter. Default 50 ms.
    pub backoff_min: Duration,
    /// Longest pause: about how long a healed network goes unnoticed. Default 1 s.
    pub backoff_max: Duration,
    /// Round trip assumed before one was measured. Default 50 ms.
    pub round_trip_initial: Duration,
    /// How long a receiver may hold back an acknowledgement. Default 100 ms; QUIC uses the round
    /// trip or 25 ms if that is less.
    pub ack_delay_max: Duration,
    /// Packets that may arrive before one acknowledgement is due. Default 10.
    pub ack_packets: u32,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(1),
            attempt: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
            round_trip_initial: Duration::from_millis(50),
            ack_delay_max: Duration::from_millis(100),
            ack_packets: 10,
        }
    }
}
