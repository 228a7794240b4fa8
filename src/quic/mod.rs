//! The QUIC transport: who is who, who is connected, bytes to and fro.
//!
//! It knows nodes and bytes, not limits. Every pair of nodes shares one connection, mutually
//! authenticated with certificates that follow from the cluster's secret; whoever has the secret
//! can make itself a member. Small messages travel as datagrams, large ones on streams of their
//! own. Nothing is retried above QUIC: what is sent is state, and its sender sends it again.
//!
//! A driver starts a [`Transport`], says which addresses to keep connected, and reads
//! [`TransportEvent`]s. It must keep reading: while it does not, and [`EVENTS_MAX`] wait, nothing
//! is read from the network and no peer comes up.
//!
//! Two idle nodes exchange two UDP datagrams a second. A dead peer is noticed after the idle
//! timeout (3 s), or as soon as its successor answers at the same address.

mod address;
mod cid;
mod code;
mod config;
mod counters;
mod error;
mod event;
mod fault;
mod frame;
mod handshake;
mod hello;
mod identity;
mod link;
mod registry;
mod shared;
mod socket;
mod targets;
#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quinn::{Endpoint, EndpointConfig, Runtime, TokioRuntime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

pub use self::code::CloseCode;
pub use self::config::{EVENTS_MAX, Secret, TransportConfig};
pub use self::counters::TransportCounters;
pub use self::error::TransportError;
pub use self::event::{Channel, Target, TransportEvent};
pub use self::fault::FaultLink;

#[cfg(test)]
use self::config::{NAME_BYTES_MAX, PROTOCOL_VERSION, STREAM_FRAME_BYTES_MAX, Timings};
#[cfg(test)]
use self::error::{DownReason, Refusal};

use self::cid::RandomIds;
use self::counters::{Counters, count};
use self::registry::Note;
use self::shared::{Life, Shared, SharedParts};
use self::socket::WatchedSocket;
use self::targets::Targets;
use crate::units::NodeId;

/// How often a flush looks whether it is done.
const FLUSH_LOOK: Duration = Duration::from_millis(2);

/// A running transport. Clones are handles to the same one; dropping the last closes every
/// connection at once and ends every task.
#[derive(Clone)]
pub struct Transport(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    targets: Targets,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl Transport {
    /// Binds the socket and starts listening. Connects to nobody until told whom to
    /// [`want`](Self::want).
    ///
    /// # Errors
    ///
    /// If the secret or a name breaks its limits, the address cannot be bound, or there is no
    /// tokio runtime with I/O and time. Nothing was started then.
    #[expect(
        clippy::unused_async,
        reason = "needs a runtime, which an async signature promises"
    )]
    pub async fn start(
        config: TransportConfig,
    ) -> Result<(Self, mpsc::Receiver<TransportEvent>), TransportError> {
        config.check()?;
        let counters = Arc::<Counters>::default();
        let socket = socket::bind(config.bind)?;
        let bound = socket.local_addr().map_err(TransportError::Runtime)?;
        let address = advertised(&config, bound.port());
        let life = Life::new(&config, config.node, address)?;
        let endpoint = endpoint(&config, &life, socket, &counters)?;
        let (registry, notes) = mpsc::unbounded_channel();
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let shared = Shared::new(SharedParts {
            endpoint,
            config,
            address,
            life,
            registry,
            events,
            counters,
        });
        tokio::spawn(registry::run(Arc::clone(&shared), notes));
        tokio::spawn(handshake::answer_all(Arc::clone(&shared)));
        let targets = Targets::new(tokio::runtime::Handle::current());
        Ok((Self(Arc::new(Owner { shared, targets })), receiver))
    }

    /// Where this node tells others it is: the advertised address with the real port.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.0.shared.address
    }

    /// This node's present life.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.shared.life.load().hello.node
    }

    /// Keeps trying to be connected to `target`, until it is no longer wanted.
    ///
    /// Wanting twice is wanting once. A seed that turns out to be this node is left alone. If
    /// another node answers at a peer's address, that one is connected, and the address is called
    /// again every ten seconds until the peer is unwanted: unwant it when it is known to be gone.
    pub fn want(&self, target: Target) {
        self.0.targets.want(&self.0.shared, target);
    }

    /// Stops trying. An existing connection stays.
    pub fn unwant(&self, target: Target) {
        self.0.targets.unwant(target);
    }

    /// Ends all pauses and calls every missing target at once: a healed network is worth a try.
    pub fn retry_now(&self) {
        self.0.shared.wake.send_modify(|wake| wake.retries += 1);
    }

    /// Sends `bytes`, or queues them, without waiting; `false` if they were dropped (and counted):
    /// the peer is not up, its queue is full, or they exceed [`STREAM_FRAME_BYTES_MAX`].
    ///
    /// A datagram too large at this moment goes on a stream. `true` promises nothing: the
    /// connection may end before the peer has read it.
    pub fn send(&self, to: NodeId, bytes: Bytes, channel: Channel) -> bool {
        let shared = &self.0.shared;
        let Some(link) = shared.link(to) else {
            count(&shared.counters.dropped_not_up);
            return false;
        };
        link.send(bytes, channel, &shared.counters)
    }

    /// Bytes that fit one datagram to `to` at this moment; `None` if it is not up. About 1160 at
    /// first, more once the path was measured; it can shrink.
    #[must_use]
    pub fn datagram_bytes_max(&self, to: NodeId) -> Option<usize> {
        self.0.shared.link(to)?.connection.max_datagram_size()
    }

    /// Closes the connection to `node`, telling it the code and why; `Down` follows. It is called
    /// again while wanted, and may call.
    pub fn disconnect(&self, node: NodeId, code: CloseCode, why: &str) {
        let why = why.to_owned();
        self.0.shared.note(Note::Disconnect { node, code, why });
    }

    /// Starts a new life as `node`: a new certificate, and every connection closed and made anew.
    ///
    /// For each peer `Down` (by us, [`CloseCode::Reidentified`]) then `Up` follow. Frames say which
    /// life they were sent to.
    ///
    /// # Errors
    ///
    /// If no certificate could be made; the former life goes on then.
    pub fn reidentify(&self, node: NodeId) -> Result<(), TransportError> {
        let shared = &self.0.shared;
        let life = Life::new(&shared.config, node, shared.address)?;
        shared.life.store(life);
        shared.note(Note::Reidentified);
        self.retry_now();
        Ok(())
    }

    /// What happened since the start, in numbers.
    #[must_use]
    pub fn counters(&self) -> TransportCounters {
        self.0.shared.counters.read()
    }

    /// Waits until all that was handed over was sent, and what went on streams was acknowledged by
    /// the peers' transports; then closes everything. Takes at most `deadline`.
    ///
    /// Acknowledged is not processed: who needs that waits for the peers' own answers first.
    pub async fn shutdown(&self, deadline: Duration) {
        let shared = &self.0.shared;
        let end = Instant::now() + deadline;
        if timeout_at(end, flushed(shared)).await.is_err() {
            tracing::debug!("shut down with messages unsent");
        }
        shared.stop();
        drop(timeout_at(end, shared.endpoint.wait_idle()).await);
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("node", &self.node())
            .field("address", &self.local_address())
            .finish_non_exhaustive()
    }
}

async fn flushed(shared: &Shared) {
    while !shared.peers.iter().all(|link| link.is_flushed()) {
        sleep(FLUSH_LOOK).await;
    }
}

fn advertised(config: &TransportConfig, port: u16) -> SocketAddr {
    let mut address = config.advertise.unwrap_or(config.bind);
    if address.port() == 0 {
        address.set_port(port);
    }
    address
}

fn endpoint(
    config: &TransportConfig,
    life: &Life,
    socket: std::net::UdpSocket,
    counters: &Arc<Counters>,
) -> Result<Endpoint, TransportError> {
    // The endpoint itself panics without a runtime.
    tokio::runtime::Handle::try_current()
        .map_err(|error| TransportError::Runtime(io::Error::other(error)))?;
    let socket = WatchedSocket {
        inner: TokioRuntime
            .wrap_udp_socket(socket)
            .map_err(TransportError::Runtime)?,
        counters: Arc::clone(counters),
        fault: config.fault.clone(),
    };
    let mut quic = EndpointConfig::new(Arc::new(identity::reset_key(&config.secret)));
    let ids = Mutex::new(
        RandomIds::new().map_err(|error| TransportError::Runtime(io::Error::other(error)))?,
    );
    quic.cid_generator(move || Box::new(ids.lock().fork()));
    let server = life.server.as_ref().clone();
    Endpoint::new_with_abstract_socket(quic, Some(server), Arc::new(socket), Arc::new(TokioRuntime))
        .map_err(TransportError::Runtime)
}
