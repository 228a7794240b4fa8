//! Nodes that must not talk, and strangers.

use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls::{self, RootCertStore, version::TLS13};
use quinn::{ClientConfig, Connection, ConnectionError};

use super::super::hello::Hello;
use super::super::identity::{Identity, SERVER_NAME};
use super::super::tls::{self, ALPN};
use super::*;

pub(super) fn greeting(config: &TransportConfig) -> Hello {
    Hello::new(config, config.node, config.bind)
}

/// Calls `node` as whoever `identity` says, or nobody, trusting `trusted`'s authority.
pub(super) async fn raw_call(
    identity: Option<&Identity>,
    trusted: &Identity,
    node: &Node,
) -> Result<Connection, ConnectionError> {
    let client = match identity {
        Some(identity) => {
            tls::configs(identity, &Timings::default())
                .expect("configurations")
                .0
        }
        None => anonymous(trusted),
    };
    let endpoint = Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    let address = node.transport.local_address();
    endpoint
        .connect_with(client, address, SERVER_NAME)
        .expect("a good address")
        .await
}

fn anonymous(trusted: &Identity) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.authority.clone()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    ClientConfig::new(Arc::new(
        QuicClientConfig::try_from(tls).expect("a QUIC suite"),
    ))
}

fn identity(id: u64) -> Identity {
    Identity::new(&Secret::new(SECRET), NodeId(id)).expect("a certificate")
}

fn application_code(error: &ConnectionError) -> Option<CloseCode> {
    match error {
        ConnectionError::ApplicationClosed(close) => CloseCode::from_wire(close.error_code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_secret_is_refused() {
    let mut stranger = config(2);
    stranger.secret = Secret::new("the secret of another cluster");
    let (mut one, mut two) = (start(config(1)).await, start(stranger).await);
    two.transport.want(one.seed());
    assert!(matches!(two.refused().await, Refusal::Handshake(_)));
    assert!(matches!(one.refused().await, Refusal::Handshake(_)));
    assert!(one.counters().handshakes_refused > 0 && two.counters().handshakes_refused > 0);
    assert_eq!((one.counters().peers_up, two.counters().peers_up), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_certificate_is_refused() {
    let mut one = start(config(1)).await;
    let error = match raw_call(None, &identity(9), &one).await {
        // The client cannot know yet what the server thinks of it.
        Ok(connection) => connection.closed().await,
        Err(error) => error,
    };
    assert!(
        matches!(error, ConnectionError::ConnectionClosed(_)),
        "{error}"
    );
    assert!(matches!(one.refused().await, Refusal::Handshake(_)));
    assert_eq!(one.counters().peers_up, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_id_is_refused() {
    let mut one = start(config(1)).await;
    let mallory = identity(66);
    let connection = raw_call(Some(&mallory), &mallory, &one)
        .await
        .expect("TLS accepts");
    let claim = greeting(&config(2)).encode();
    frame::write(&connection, claim)
        .await
        .expect("an open connection");
    let (certificate, claimed) = (Some(NodeId(66)), Some(NodeId(2)));
    let refusal = Refusal::Identity {
        certificate,
        claimed,
    };
    assert_eq!(one.refused().await, refusal);
    let error = connection.closed().await;
    assert_eq!(
        application_code(&error),
        Some(CloseCode::OtherIdentity),
        "{error}"
    );
    let counters = one.counters();
    assert_eq!((counters.refused_identity, counters.peers_up), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_greeting_is_refused() {
    let mut one = start(config(1)).await;
    let mallory = identity(66);
    let connection = raw_call(Some(&mallory), &mallory, &one)
        .await
        .expect("TLS accepts");
    let noise = Bytes::from_static(b"not a greeting");
    frame::write(&connection, noise)
        .await
        .expect("an open connection");
    assert!(matches!(one.refused().await, Refusal::Hello(_)));
    let error = connection.closed().await;
    assert_eq!(
        application_code(&error),
        Some(CloseCode::BadHello),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_caller_is_closed() {
    let one = start(config(1)).await;
    let silent = identity(66);
    let connection = raw_call(Some(&silent), &silent, &one)
        .await
        .expect("TLS accepts");
    let error = connection.closed().await;
    assert_eq!(application_code(&error), Some(CloseCode::Silent), "{error}");
    assert_eq!(one.counters().refused_hello, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_is_refused_with_both_names() {
    let mut other = config(2);
    other.cluster = "production".to_owned();
    let (mut one, mut two) = (start(config(1)).await, start(other).await);
    two.transport.want(one.seed());
    let here = ("tests".to_owned(), "production".to_owned());
    let (ours, theirs) = here.clone();
    assert_eq!(one.refused().await, Refusal::Cluster { ours, theirs });
    let (theirs, ours) = here;
    assert_eq!(two.refused().await, Refusal::Cluster { ours, theirs });
    assert_eq!((one.counters().peers_up, two.counters().peers_up), (0, 0));
    assert!(one.counters().refused_cluster > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_version_is_refused() {
    let mut one = start(config(1)).await;
    let future = identity(2);
    let connection = raw_call(Some(&future), &future, &one)
        .await
        .expect("TLS accepts");
    let mut hello = greeting(&config(2));
    hello.protocol = PROTOCOL_VERSION + 1;
    frame::write(&connection, hello.encode())
        .await
        .expect("an open connection");
    let (ours, theirs) = (PROTOCOL_VERSION, PROTOCOL_VERSION + 1);
    assert_eq!(one.refused().await, Refusal::Protocol { ours, theirs });
    let error = connection.closed().await;
    assert_eq!(
        application_code(&error),
        Some(CloseCode::OtherProtocol),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_limits_are_refused_with_both_values_once() {
    let limited = |id: u64, value: &str| {
        let mut config = config(id);
        config.limits = [id as u8; 32];
        let shared = ("writes".to_owned(), "5/s".to_owned());
        config.named_limits = vec![("reads".to_owned(), value.to_owned()), shared];
        config
    };
    let (mut one, mut two) = (
        start(limited(1, "10/s")).await,
        start(limited(2, "20/s")).await,
    );
    two.transport.want(one.seed());
    let reads = |value: &str| vec![("reads".to_owned(), value.to_owned())];
    let (ours, theirs) = (reads("10/s"), reads("20/s"));
    assert_eq!(one.refused().await, Refusal::Limits { ours, theirs });
    let (ours, theirs) = (reads("20/s"), reads("10/s"));
    assert_eq!(two.refused().await, Refusal::Limits { ours, theirs });
    sleep(Duration::from_secs(1)).await;
    assert!(two.counters().refused_limits > 1, "it keeps trying");
    assert!(two.events.try_recv().is_err(), "and says so once");
}
