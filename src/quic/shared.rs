//! What all tasks of one transport share.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use dashmap::{DashMap, DashSet};
use parking_lot::Mutex;
use quinn::{ClientConfig, Endpoint, ServerConfig};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::warn;

use super::code::CloseCode;
use super::config::{HANDSHAKES_MAX, TransportConfig};
use super::counters::{Counters, count};
use super::error::{Refusal, TransportError};
use super::event::TransportEvent;
use super::hello::Hello;
use super::identity::Identity;
use super::link::Link;
use super::registry::Note;
use super::tls;
use crate::units::NodeId;

/// Refusals remembered so as not to be told twice; beyond, all are forgotten and may be told again.
const REFUSALS_MAX: usize = 1024;

/// One life of this node: its certificate and its greeting.
pub(super) struct Life {
    pub(super) hello: Hello,
    pub(super) greeting: Bytes,
    pub(super) client: ClientConfig,
    pub(super) server: Arc<ServerConfig>,
}

impl Life {
    pub(super) fn new(
        config: &TransportConfig,
        node: NodeId,
        address: SocketAddr,
    ) -> Result<Arc<Self>, TransportError> {
        let identity = Identity::new(&config.secret, node)?;
        let (client, server) = tls::configs(&identity, &config.timings)?;
        let hello = Hello::new(config, node, address);
        let greeting = hello.encode();
        let server = Arc::new(server);
        Ok(Arc::new(Self {
            hello,
            greeting,
            client,
            server,
        }))
    }
}

/// Whom a refusal is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Other {
    /// Somebody with a good certificate.
    Member(SocketAddr, NodeId),
    /// Somebody who answered there.
    Answered(SocketAddr),
    /// Somebody who called from there.
    Called(SocketAddr),
}

/// What wakes those that keep targets connected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wake {
    /// Moves when a peer came or went, or a target changed.
    pub(super) changes: u64,
    /// Moves when all pauses are to end.
    pub(super) retries: u64,
    /// The transport ends.
    pub(super) stopping: bool,
}

pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) config: TransportConfig,
    pub(super) address: SocketAddr,
    pub(super) life: ArcSwap<Life>,
    /// The connection that messages to a peer are sent on. Written by the registry alone.
    pub(super) peers: DashMap<NodeId, Arc<Link>>,
    /// Peers that this node is greeting as the one who called.
    greeting: DashSet<NodeId>,
    pub(super) registry: mpsc::UnboundedSender<Note>,
    pub(super) events: mpsc::Sender<TransportEvent>,
    pub(super) wake: watch::Sender<Wake>,
    pub(super) callers: Arc<Semaphore>,
    pub(super) counters: Arc<Counters>,
    refusals: Mutex<BTreeSet<(IpAddr, u16, CloseCode)>>,
}

/// What `Shared` is made of.
pub(super) struct SharedParts {
    pub(super) endpoint: Endpoint,
    pub(super) config: TransportConfig,
    pub(super) address: SocketAddr,
    pub(super) life: Arc<Life>,
    pub(super) registry: mpsc::UnboundedSender<Note>,
    pub(super) events: mpsc::Sender<TransportEvent>,
    pub(super) counters: Arc<Counters>,
}

/// The right to greet a peer, given back when dropped.
pub(super) struct Greeting<'a>(&'a DashSet<NodeId>, NodeId);

impl Drop for Greeting<'_> {
    fn drop(&mut self) {
        self.0.remove(&self.1);
    }
}

impl Shared {
    pub(super) fn new(parts: SharedParts) -> Arc<Self> {
        Arc::new(Self {
            endpoint: parts.endpoint,
            config: parts.config,
            address: parts.address,
            life: ArcSwap::new(parts.life),
            peers: DashMap::new(),
            greeting: DashSet::new(),
            registry: parts.registry,
            events: parts.events,
            wake: watch::Sender::new(Wake::default()),
            callers: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            counters: parts.counters,
            refusals: Mutex::default(),
        })
    }

    /// The connection to `node`, if it is up.
    pub(super) fn link(&self, node: NodeId) -> Option<Arc<Link>> {
        self.peers.get(&node).map(|link| Arc::clone(link.value()))
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.link(node).is_some_and(|link| link.is_open())
    }

    /// Only one greeting per peer may be under way, lest two calls replace one another.
    pub(super) fn greet(&self, node: NodeId) -> Option<Greeting<'_>> {
        let first = self.greeting.insert(node);
        first.then(|| Greeting(&self.greeting, node))
    }

    /// Tells the driver, waiting for room; gives up only when the transport ends.
    pub(super) async fn emit(&self, event: TransportEvent) {
        let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) else {
            return;
        };
        let mut wake = self.wake.subscribe();
        tokio::select! {
            _ = self.events.send(event) => {}
            _ = wake.wait_for(|wake| wake.stopping) => {}
        }
    }

    /// Counts a refusal, and tells people and driver if it is new.
    pub(super) async fn refuse(&self, other: Other, why: Refusal) {
        match why {
            Refusal::ByPeer { .. } => count(&self.counters.refused_by_peer),
            _ => self.counters.refused(why.code()),
        }
        let (address, node, port) = match other {
            Other::Member(address, node) => (address, Some(node), address.port()),
            Other::Answered(address) => (address, None, address.port()),
            // Strangers call from any number of ports.
            Other::Called(address) => (address, None, 0),
        };
        if !self.is_new_refusal((address.ip(), port, why.code())) {
            return;
        }
        let peer = node.map(tracing::field::display);
        warn!(%address, peer, why = %why, "refused");
        let refused = TransportEvent::Refused { address, node, why };
        self.emit(refused).await;
    }

    fn is_new_refusal(&self, refusal: (IpAddr, u16, CloseCode)) -> bool {
        let mut refusals = self.refusals.lock();
        if refusals.len() >= REFUSALS_MAX {
            refusals.clear();
        }
        refusals.insert(refusal)
    }

    /// A peer came up: if it is refused again, that is news.
    pub(super) fn forget_refusals(&self, address: SocketAddr) {
        let (ip, port) = (address.ip(), address.port());
        let other = |refusal: &(IpAddr, u16, CloseCode)| {
            refusal.0 != ip || (refusal.1 != port && refusal.1 != 0)
        };
        self.refusals.lock().retain(other);
    }

    pub(super) fn note(&self, note: Note) {
        // Once the registry has ended there is nothing left to note.
        drop(self.registry.send(note));
    }

    pub(super) fn changed(&self) {
        self.wake.send_modify(|wake| wake.changes += 1);
    }

    /// Ends every task and every connection.
    pub(super) fn stop(&self) {
        self.wake.send_modify(|wake| wake.stopping = true);
        let code = CloseCode::ShuttingDown;
        self.endpoint.close(code.wire(), code.words().as_bytes());
        self.note(Note::Stop);
    }
}
