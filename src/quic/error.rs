//! What can go wrong when the transport starts, and why a peer was refused or lost.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

use super::code::CloseCode;
use crate::units::NodeId;

/// Why a transport did not start, or could not take up a new identity.
///
/// Nothing was left running, and nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Another process, or another transport of this one, holds the port.
    #[error("the UDP address {0} is already in use")]
    AddressInUse(SocketAddr),
    /// The socket could not be made or bound: no such interface, no permission.
    #[error("cannot bind the UDP address {address}: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The cluster's secret is too short to be one.
    #[error("the cluster's secret has {bytes} bytes, and needs at least {bytes_min}")]
    SecretTooShort {
        /// What was given.
        bytes: usize,
        /// The shortest that is taken.
        bytes_min: usize,
    },
    /// A name (of the cluster, of the node) is longer than a greeting may carry.
    #[error("the {what} has {bytes} bytes, and may have at most {bytes_max}")]
    NameTooLong {
        /// Which name.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest that is taken.
        bytes_max: usize,
    },
    /// The identity could not be derived from the secret: a bug, or a broken crypto library.
    #[error("cannot make this node's certificate: {0}")]
    Identity(String),
    /// There is no tokio runtime to run on, or it has no I/O driver.
    #[error("cannot start on this runtime: {0}")]
    Runtime(io::Error),
    /// A duration does not fit what QUIC can say.
    #[error("the idle timeout is longer than QUIC can express")]
    IdleTimeoutTooLong,
}

/// Why two nodes that could reach one another do not talk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// TLS said no: another cluster's secret, no certificate, or another major protocol version.
    Handshake(String),
    /// The two run incompatible protocol versions.
    Protocol {
        /// This node's version.
        ours: u16,
        /// The peer's.
        theirs: u16,
    },
    /// The peer belongs to another cluster (with the same secret).
    Cluster {
        /// This node's cluster.
        ours: String,
        /// The peer's.
        theirs: String,
    },
    /// The two were configured with different limits. Only the limits that differ are listed.
    Limits {
        /// This node's values, as (name, value).
        ours: Vec<(String, String)>,
        /// The peer's values, as (name, value).
        theirs: Vec<(String, String)>,
    },
    /// The peer claims an id that its certificate was not issued for.
    Identity {
        /// The id in the certificate, if it has one.
        certificate: Option<NodeId>,
        /// The id in the greeting, if one was read.
        claimed: Option<NodeId>,
    },
    /// The peer's greeting could not be read.
    Hello(String),
    /// The peer refused this node, for the reason it gave.
    ByPeer {
        /// Its code, if this version knows it.
        code: Option<CloseCode>,
        /// Its words.
        reason: String,
    },
}

impl Refusal {
    /// The code that closes the connection, and names the cause in counters and logs.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        match self {
            Self::Handshake(_) => CloseCode::Handshake,
            Self::Protocol { .. } => CloseCode::OtherProtocol,
            Self::Cluster { .. } => CloseCode::OtherCluster,
            Self::Limits { .. } => CloseCode::OtherLimits,
            Self::Identity { .. } => CloseCode::OtherIdentity,
            Self::Hello(_) => CloseCode::BadHello,
            Self::ByPeer { code, .. } => code.unwrap_or(CloseCode::Handshake),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Handshake(why) => write!(f, "the TLS handshake failed: {why:?}"),
            Self::Protocol { ours, theirs } => {
                write!(f, "protocol version {ours} here, {theirs} there")
            }
            Self::Cluster { ours, theirs } => write!(f, "cluster {ours:?} here, {theirs:?} there"),
            Self::Limits { ours, theirs } => write!(f, "limits {ours:?} here, {theirs:?} there"),
            Self::Identity {
                certificate,
                claimed,
            } => write!(
                f,
                "the certificate is for {certificate:?}, the claim is {claimed:?}"
            ),
            Self::Hello(why) => write!(f, "unreadable greeting: {why:?}"),
            Self::ByPeer { reason, .. } => write!(f, "the peer refused: {reason:?}"),
        }
    }
}

/// Why a peer that was up is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// Nothing was heard for the idle timeout: a dead process, a cut network.
    TimedOut,
    /// A new process answers at the peer's address and knows nothing of the connection.
    Reset,
    /// The peer closed, for the reason it gave: it leaves, it starts a new life, it saw garbage.
    ByPeer {
        /// Its code, if this version knows it.
        code: Option<CloseCode>,
        /// Its words.
        reason: String,
    },
    /// This node closed: [`disconnect`](super::Transport::disconnect), garbage, a new life.
    ByUs(CloseCode),
    /// The peer broke QUIC's own rules, or the local system failed.
    Broken(String),
}
