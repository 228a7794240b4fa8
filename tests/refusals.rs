//! Goal: who does not belong to a cluster never becomes a member of it, and both sides can tell why
//! from what they counted.
//!
//! Method: a cluster of one, and strangers that differ from it in one thing each: nodes built by the
//! public builder, a bare QUIC client that shows no certificate, and a socket that sends noise.

#![cfg(feature = "quic")]

mod nodes;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use distributary::{Builder, Limit, Node, Refusal, StartOutcome, TransportCounters, Verdict};
use nodes::{PATIENCE, builder, cluster, until};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

const LIMIT: Limit = Limit::per_day(10).burst(30);

async fn home() -> Node {
    let mut nodes = cluster(1, |_, builder| builder.limit("api", LIMIT)).await;
    nodes.remove(0)
}

/// A node that wants to join `home` and is not let in: what both have counted in the end.
async fn assert_refused(
    home: &Node,
    stranger: Builder,
    is_counted: impl Fn(&TransportCounters) -> bool,
) {
    let stranger = stranger
        .seeds([home.address()])
        .start_deadline(Duration::from_millis(300));
    let stranger = stranger.start().await.expect("it starts, and waits");
    assert_eq!(stranger.start_outcome(), StartOutcome::DeadlinePassed);
    until("both have counted the refusal", || {
        let (home, stranger) = (home.stats().transport, stranger.stats().transport);
        is_counted(&home) && (is_counted(&stranger) || stranger.refused_by_peer > 0)
    })
    .await;
    for node in [home, &stranger] {
        assert_eq!(node.stats().transport.peers_up, 0);
        assert_eq!(node.members().len(), 1, "nobody but itself");
    }
    let limiter = stranger.limiter("api").expect("it has one");
    let refused = limiter.check("ann");
    assert_eq!(refused.verdict(), Verdict::Refused(Refusal::NoShare));
    assert!(!limiter.acquire("ann").await.is_allowed());
    assert_undisturbed(home);
}

/// Whether a cluster of one goes on as if nobody had called.
fn assert_undisturbed(home: &Node) {
    let stats = home.stats();
    assert_eq!((stats.members, stats.view), (1, Some(1)));
    assert_eq!(stats.protocol.frames_refused, 0, "no frame came so far");
    let limiter = home.limiter("api").expect("it has one");
    assert!(limiter.check("ann").is_allowed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_secret_is_refused() {
    let stranger = Node::builder().secret("a secret of another cluster");
    let stranger = stranger.cluster("stories").limit("api", LIMIT);
    assert_refused(&home().await, stranger, |counted| {
        counted.handshakes_refused > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_clusters_name_is_refused() {
    let stranger = builder().cluster("staging").limit("api", LIMIT);
    assert_refused(&home().await, stranger, |counted| {
        counted.refused_cluster > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_limits_are_refused() {
    let home = home().await;
    let is_counted = |counted: &TransportCounters| counted.refused_limits > 0;
    let other_burst = builder().limit("api", LIMIT.burst(31));
    assert_refused(&home, other_burst, is_counted).await;
    let other_rate = builder().limit("api", Limit::per_day(11).burst(30));
    assert_refused(&home, other_rate, is_counted).await;
    let one_more = builder().limit("api", LIMIT).limit("login", LIMIT);
    assert_refused(&home, one_more, is_counted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_in_which_limits_are_named_is_no_difference() {
    let other = Limit::per_minute(7);
    let nodes = cluster(2, |index, builder| match index {
        0 => builder.limit("api", LIMIT).limit("login", other),
        _ => builder.limit("login", other).limit("api", LIMIT),
    })
    .await;
    for node in &nodes {
        let login = node.limiter("login").expect("it has one");
        assert_eq!(login.limit(), other);
        assert_eq!(node.stats().members, 2);
    }
    let spent = nodes[0].limiter("login").expect("it has one");
    assert!(spent.acquire_n("ann", 7).await.is_allowed());
    let refused = nodes[1].limiter("login").expect("it has one");
    assert!(!refused.acquire("ann").await.is_allowed());
}

/// Believes whoever answers.
#[derive(Debug)]
struct Credulous(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_without_a_certificate_is_refused() {
    let home = home().await;
    let provider = rustls::crypto::ring::default_provider();
    let credulous = Arc::new(Credulous(provider.clone()));
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(credulous)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"distributary/1".to_vec()];
    let quic = QuicClientConfig::try_from(tls).expect("a QUIC suite");
    let client = quinn::ClientConfig::new(Arc::new(quic));
    let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)));
    let endpoint = endpoint.expect("a socket");
    let calling = endpoint.connect_with(client, home.address(), "node.distributary");
    let closed = async {
        // A client's side of the handshake is done before the server has judged it.
        match calling.expect("a good address").await {
            Ok(connection) => connection.closed().await,
            Err(error) => error,
        }
    };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    let closed = closed.expect("it is turned away in time");
    assert!(
        matches!(closed, quinn::ConnectionError::ConnectionClosed(_)),
        "{closed}"
    );
    until("it is counted", || {
        home.stats().transport.handshakes_refused > 0
    })
    .await;
    assert_eq!(home.stats().transport.peers_up, 0);
    assert_undisturbed(&home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_changes_nothing_and_members_still_come_in() {
    let home = home().await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let before = home.stats().transport.udp_datagrams_received;
    for length in 1..200_u8 {
        let noise: Vec<u8> = (0..length).map(|n| n.wrapping_mul(91) ^ length).collect();
        let sent = socket.send_to(&noise, home.address());
        sent.expect("loopback takes it");
    }
    until("the noise is heard", || {
        home.stats().transport.udp_datagrams_received > before + 100
    })
    .await;
    assert_undisturbed(&home);
    let joining = builder().limit("api", LIMIT).seeds([home.address()]);
    let joined = joining.start().await.expect("starts");
    assert_eq!(joined.start_outcome(), StartOutcome::Holding);
    assert_eq!(joined.stats().members, 2);
}
