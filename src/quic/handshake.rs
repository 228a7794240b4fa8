//! From a call, made or answered, to a connection that the registry has adopted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::rustls::pki_types::CertificateDer;
use quinn::{Connection, ConnectionError, Incoming};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::address::{canonical, reachable};
use super::code::CloseCode;
use super::config::{CONNECTIONS_MAX, HANDSHAKES_MAX, HANDSHAKES_TRUSTED_MAX};
use super::counters::count;
use super::error::Refusal;
use super::frame;
use super::hello::{HELLO_BYTES_MAX, Hello};
use super::identity::{SERVER_NAME, node_of_leaf};
use super::link::{self, Link, LinkParts};
use super::registry::Note;
use super::shared::{Life, Other, Shared};
use crate::units::NodeId;

/// How long a refused caller may take to read why, and close by itself.
const REFUSED_CLOSES_AFTER: Duration = Duration::from_millis(500);

/// Longest reason sent in a close, in bytes: it must fit one packet.
const REASON_BYTES_MAX: usize = 512;

/// TLS alerts are these QUIC error codes.
const CRYPTO_CODES: std::ops::Range<u64> = 0x100..0x200;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Connected: now, before, or by another call under way.
    Known(NodeId),
    /// The address is this node's own.
    Myself,
    /// No connection.
    Failed,
}

/// Which end of a connection this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Caller,
    Called,
}

/// A connection that TLS accepted.
struct Authenticated {
    connection: Connection,
    role: Role,
    life: Arc<Life>,
    /// From the peer's certificate.
    node: NodeId,
}

/// Calls `address`, greets whoever answers, and runs the connection.
pub(super) async fn call(shared: Arc<Shared>, address: SocketAddr) -> Outcome {
    count(&shared.counters.attempts);
    let outcome = try_call(&shared, address).await;
    if outcome.is_none() {
        count(&shared.counters.attempts_failed);
    }
    outcome.unwrap_or(Outcome::Failed)
}

async fn try_call(shared: &Arc<Shared>, address: SocketAddr) -> Option<Outcome> {
    let life = shared.life.load_full();
    let client = life.client.clone();
    let connecting = shared
        .endpoint
        .connect_with(client, address, SERVER_NAME)
        .inspect_err(|error| tracing::debug!(%address, %error, "cannot call"))
        .ok()?;
    let patience = shared.config.timings.attempt;
    match timeout(patience, connecting).await.ok()? {
        Ok(connection) => {
            let peer = authenticated(shared, life, connection, Role::Caller).await?;
            greet(shared, peer).await
        }
        Err(error) => {
            lost(shared, Other::Answered(address), &error).await;
            None
        }
    }
}

/// The caller's part: greet, judge the answer, stand.
async fn greet(shared: &Arc<Shared>, peer: Authenticated) -> Option<Outcome> {
    let node = peer.node;
    if node == peer.life.hello.node {
        close(&peer.connection, CloseCode::Myself);
        return Some(Outcome::Myself);
    }
    // Held until the connection is adopted or given up.
    let greeting = shared.greet(node);
    if greeting.is_none() || shared.is_up(node) {
        close(&peer.connection, CloseCode::Duplicate);
        return Some(Outcome::Known(node));
    }
    send_greeting(&peer).await;
    let hello = read_hello(shared, &peer).await?;
    if let Err(why) = peer.life.hello.judge(&hello, node) {
        refuse(shared, &peer, why).await;
        return None;
    }
    stand(shared, peer, hello).await
}

/// Answers calls until the endpoint closes.
pub(super) async fn answer_all(shared: Arc<Shared>) {
    while let Some(incoming) = shared.endpoint.accept().await {
        receive(&shared, incoming);
    }
}

fn receive(shared: &Arc<Shared>, incoming: Incoming) {
    let callers = HANDSHAKES_MAX - shared.callers.available_permits();
    let unproven = !incoming.remote_address_validated() && incoming.may_retry();
    if callers >= HANDSHAKES_TRUSTED_MAX && unproven {
        count(&shared.counters.callers_retried);
        if incoming.retry().is_err() {
            tracing::debug!("a caller could not be asked to retry");
        }
        return;
    }
    let full = shared.endpoint.open_connections() >= CONNECTIONS_MAX;
    match Arc::clone(&shared.callers).try_acquire_owned() {
        Ok(place) if !full => {
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                answer(&shared, incoming).await;
                drop(place);
            });
        }
        _ => {
            count(&shared.counters.callers_turned_away);
            incoming.refuse();
        }
    }
}

async fn answer(shared: &Arc<Shared>, incoming: Incoming) -> Option<Outcome> {
    let address = canonical(incoming.remote_address());
    let life = shared.life.load_full();
    let connecting = incoming.accept_with(Arc::clone(&life.server)).ok()?;
    // The caller gives up after one; a second allows for its packets being under way.
    let patience = 2 * shared.config.timings.attempt;
    match timeout(patience, connecting).await.ok()? {
        Ok(connection) => {
            let peer = authenticated(shared, life, connection, Role::Called).await?;
            welcome(shared, peer).await
        }
        Err(error) => {
            lost(shared, Other::Called(address), &error).await;
            None
        }
    }
}

/// The part of the one called: judge the greeting, stand, and only then answer.
async fn welcome(shared: &Arc<Shared>, peer: Authenticated) -> Option<Outcome> {
    if peer.node == peer.life.hello.node {
        close(&peer.connection, CloseCode::Myself);
        return Some(Outcome::Myself);
    }
    let hello = read_hello(shared, &peer).await?;
    match peer.life.hello.judge(&hello, peer.node) {
        Ok(()) => stand(shared, peer, hello).await,
        Err(why) => {
            turn_away(shared, &peer, why).await;
            None
        }
    }
}

/// Lets the registry adopt the connection, and runs it in a task of its own.
async fn stand(shared: &Arc<Shared>, peer: Authenticated, hello: Hello) -> Option<Outcome> {
    let node = peer.node;
    let seen = peer.connection.remote_address();
    let (link, outbox) = Link::new(LinkParts {
        connection: peer.connection.clone(),
        node,
        opened_by: match peer.role {
            Role::Caller => peer.life.hello.node,
            Role::Called => node,
        },
        life: Arc::clone(&peer.life),
        address: reachable(hello.address, seen),
        name: hello.name,
    });
    if let Err(code) = adopt(shared, &link).await? {
        link.close(code, code.words());
        return Some(Outcome::Known(node));
    }
    if peer.role == Role::Called {
        send_greeting(&peer).await;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let reason = link::run(&shared, &link, outbox).await;
        shared.note(Note::Gone { link, reason });
    });
    Some(Outcome::Known(node))
}

/// `None` once the transport ends.
async fn adopt(shared: &Shared, link: &Arc<Link>) -> Option<Result<(), CloseCode>> {
    let (reply, adopted) = oneshot::channel();
    let link = Arc::clone(link);
    shared.note(Note::Adopt { link, reply });
    adopted.await.ok()
}

/// Who is at the other end, by its certificate.
async fn authenticated(
    shared: &Shared,
    life: Arc<Life>,
    connection: Connection,
    role: Role,
) -> Option<Authenticated> {
    if let Some(node) = node_of(&connection) {
        return Some(Authenticated {
            connection,
            role,
            life,
            node,
        });
    }
    let (certificate, claimed) = (None, None);
    let why = Refusal::Identity {
        certificate,
        claimed,
    };
    close(&connection, why.code());
    let address = canonical(connection.remote_address());
    shared.refuse(Other::Called(address), why).await;
    None
}

fn node_of(connection: &Connection) -> Option<NodeId> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    node_of_leaf(chain.first()?)
}

/// If the connection ends meanwhile, reading the peer's greeting says so.
async fn send_greeting(peer: &Authenticated) {
    let greeting = peer.life.greeting.clone();
    if let Err(error) = frame::write(&peer.connection, greeting).await {
        tracing::debug!(peer = %peer.node, %error, "could not greet");
    }
}

/// Reads the peer's greeting; `None`, and the connection closed, if there is none.
async fn read_hello(shared: &Shared, peer: &Authenticated) -> Option<Hello> {
    let address = canonical(peer.connection.remote_address());
    let patience = shared.config.timings.attempt;
    let Ok(read) = timeout(patience, read_greeting(&peer.connection)).await else {
        shared.counters.refused(CloseCode::Silent);
        close(&peer.connection, CloseCode::Silent);
        tracing::debug!(%address, "no greeting in time");
        return None;
    };
    match read {
        Ok(hello) => return Some(hello),
        Err(Unread::Lost(error)) => lost(shared, Other::Member(address, peer.node), &error).await,
        Err(Unread::Bad(why)) => refuse(shared, peer, why).await,
    }
    None
}

enum Unread {
    Lost(ConnectionError),
    Bad(Refusal),
}

async fn read_greeting(connection: &Connection) -> Result<Hello, Unread> {
    let mut stream = connection.accept_uni().await.map_err(Unread::Lost)?;
    let read = frame::read(&mut stream, HELLO_BYTES_MAX).await;
    let bytes = read.map_err(|error| match connection.close_reason() {
        Some(lost) => Unread::Lost(lost),
        None => Unread::Bad(Refusal::Hello(error.to_string())),
    })?;
    Hello::decode(&bytes).map_err(Unread::Bad)
}

/// Refuses a caller, after telling it who we are so that it can report both sides' values too.
async fn turn_away(shared: &Shared, peer: &Authenticated, why: Refusal) {
    let may_know = !matches!(why, Refusal::Identity { .. });
    if may_know {
        send_greeting(peer).await;
        let closed = peer.connection.closed();
        drop(timeout(REFUSED_CLOSES_AFTER, closed).await);
    }
    refuse(shared, peer, why).await;
}

async fn refuse(shared: &Shared, peer: &Authenticated, why: Refusal) {
    let reason = shortened(&why.to_string());
    peer.connection.close(why.code().wire(), reason.as_bytes());
    let address = canonical(peer.connection.remote_address());
    shared.refuse(Other::Member(address, peer.node), why).await;
}

fn shortened(reason: &str) -> String {
    let mut bytes = 0;
    let fits = |character: &char| {
        bytes += character.len_utf8();
        bytes <= REASON_BYTES_MAX
    };
    reason.chars().take_while(fits).collect()
}

/// Reports a connection that ended before it stood, if the reason is a refusal.
async fn lost(shared: &Shared, other: Other, error: &ConnectionError) {
    tracing::debug!(?other, %error, "no connection");
    if let Some(why) = refusal(error) {
        shared.refuse(other, why).await;
    }
}

fn refusal(error: &ConnectionError) -> Option<Refusal> {
    match error {
        ConnectionError::TransportError(inner) => tls_refusal(inner.code.into(), error),
        ConnectionError::ConnectionClosed(close) => tls_refusal(close.error_code.into(), error),
        ConnectionError::ApplicationClosed(close) => {
            let code = CloseCode::from_wire(close.error_code);
            let reason = String::from_utf8_lossy(&close.reason).into_owned();
            let refused = code.is_some_and(CloseCode::is_refusal);
            refused.then_some(Refusal::ByPeer { code, reason })
        }
        ConnectionError::VersionMismatch => Some(Refusal::Handshake(error.to_string())),
        _ => None,
    }
}

fn tls_refusal(code: u64, error: &ConnectionError) -> Option<Refusal> {
    let refused = CRYPTO_CODES.contains(&code);
    refused.then(|| Refusal::Handshake(error.to_string()))
}

fn close(connection: &Connection, code: CloseCode) {
    connection.close(code.wire(), code.words().as_bytes());
}
