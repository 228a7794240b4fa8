//! TLS and QUIC settings, the same on every node but for who keeps an idle connection alive.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::client::Resumption;
use quinn::rustls::crypto::{CryptoProvider, ring};
use quinn::rustls::pki_types::CertificateDer;
use quinn::rustls::server::WebPkiClientVerifier;
use quinn::rustls::{self, RootCertStore, version::TLS13};
use quinn::{
    AckFrequencyConfig, ClientConfig, IdleTimeout, MtuDiscoveryConfig, NoneTokenStore,
    ServerConfig, TransportConfig as QuicConfig, VarInt,
};

use super::config::{
    DATAGRAM_QUEUE_BYTES_MAX, DATAGRAM_RECEIVE_BYTES_MAX, HANDSHAKES_MAX, STREAM_FRAME_BYTES_MAX,
    STREAMS_MAX, Timings,
};
use super::error::TransportError;
use super::identity::Identity;

/// Names the protocol and its major version: TLS itself refuses others.
pub(super) const ALPN: &[u8] = b"distributary/1";

/// Pause between searches for a larger datagram size, in seconds: each costs a few datagrams.
const MTU_SEARCH_SECONDS: u64 = 3600;

/// Bytes of one caller's packets held until it is looked at.
const INCOMING_BYTES_MAX: u64 = 16 << 10;

/// Both configurations for one life.
pub(super) fn configs(
    identity: &Identity,
    timings: &Timings,
) -> Result<(ClientConfig, ServerConfig), TransportError> {
    let provider = Arc::new(ring::default_provider());
    let client = client_tls(identity, &provider).map_err(identity_error)?;
    let server = server_tls(identity, &provider).map_err(identity_error)?;
    Ok((
        client_config(client, timings)?,
        server_config(server, timings)?,
    ))
}

fn identity_error(error: impl std::fmt::Display) -> TransportError {
    TransportError::Identity(error.to_string())
}

type BoxedError = Box<dyn std::error::Error>;

fn client_tls(
    identity: &Identity,
    provider: &Arc<CryptoProvider>,
) -> Result<QuicClientConfig, BoxedError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(&identity.authority)?)
        .with_client_auth_cert(vec![identity.leaf.clone()], identity.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    Ok(QuicClientConfig::try_from(tls)?)
}

fn server_tls(
    identity: &Identity,
    provider: &Arc<CryptoProvider>,
) -> Result<QuicServerConfig, BoxedError> {
    let roots = Arc::new(roots(&identity.authority)?);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![identity.leaf.clone()], identity.key.clone_key())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    Ok(QuicServerConfig::try_from(tls)?)
}

fn roots(authority: &CertificateDer<'static>) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    Ok(roots)
}

fn client_config(tls: QuicClientConfig, timings: &Timings) -> Result<ClientConfig, TransportError> {
    let mut quic = quic_config(timings)?;
    // One side is enough, and halves what an idle pair costs.
    quic.keep_alive_interval(Some(timings.keep_alive));
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(quic));
    config.token_store(Arc::new(NoneTokenStore));
    Ok(config)
}

fn server_config(tls: QuicServerConfig, timings: &Timings) -> Result<ServerConfig, TransportError> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(Arc::new(quic_config(timings)?))
        .migration(false)
        .max_incoming(HANDSHAKES_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX * HANDSHAKES_MAX as u64);
    Ok(config)
}

fn quic_config(timings: &Timings) -> Result<QuicConfig, TransportError> {
    let idle = IdleTimeout::try_from(timings.idle_timeout)
        .map_err(|_| TransportError::IdleTimeoutTooLong)?;
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.interval(std::time::Duration::from_secs(MTU_SEARCH_SECONDS));
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(timings.ack_packets))
        .max_ack_delay(Some(timings.ack_delay_max));
    let mut quic = QuicConfig::default();
    quic.max_idle_timeout(Some(idle))
        .initial_rtt(timings.round_trip_initial)
        .mtu_discovery_config(Some(mtu))
        .ack_frequency_config(Some(acks));
    bound(&mut quic);
    Ok(quic)
}

/// Bounds what one peer can make this node hold: bytes, not only counts.
fn bound(quic: &mut QuicConfig) {
    // One message and its length fit a stream's window, so no reader waits for a writer that
    // waits for it; a few fit the connection's.
    let stream_bytes = STREAM_FRAME_BYTES_MAX as u32 + 64;
    quic.max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(stream_bytes))
        .receive_window(VarInt::from_u32(4 * stream_bytes))
        .send_window(4 * u64::from(stream_bytes))
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BYTES_MAX))
        .datagram_send_buffer_size(DATAGRAM_QUEUE_BYTES_MAX);
}
