//! What the transport did since it started, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::code::CloseCode;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Totals since the transport started. Cheap to take; each is exact, and they are read
        /// one after another.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TransportCounters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)+
        }

        impl Counters {
            pub(super) fn read(&self) -> TransportCounters {
                TransportCounters { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// UDP datagrams handed to the kernel: handshakes, acknowledgements, everything.
    udp_datagrams_sent,
    /// Bytes of those, without IP and UDP headers.
    udp_bytes_sent,
    /// UDP datagrams received, from anybody.
    udp_datagrams_received,
    /// Bytes of those, without IP and UDP headers.
    udp_bytes_received,
    /// Attempts to connect that were started.
    attempts,
    /// Attempts that ended without a connection, for whatever reason.
    attempts_failed,
    /// Handshakes that TLS refused, here or there.
    handshakes_refused,
    /// Callers turned away because too many handshakes or connections were open.
    callers_turned_away,
    /// Callers asked to prove their address first.
    callers_retried,
    /// Greetings refused for another protocol version.
    refused_protocol,
    /// Greetings refused for another cluster's name.
    refused_cluster,
    /// Greetings refused for other limits.
    refused_limits,
    /// Greetings refused for an id that is not the certificate's.
    refused_identity,
    /// Greetings that could not be read, or did not come.
    refused_hello,
    /// Refusals of this node by its peers.
    refused_by_peer,
    /// Peers that came up.
    peers_up,
    /// Peers that went down.
    peers_down,
    /// Connections to peers that were up already: calls that crossed, or a peer that called again.
    further_connections,
    /// Messages handed over to be sent as datagrams.
    datagrams_sent,
    /// Messages handed over to be sent on streams.
    streams_sent,
    /// Of those, messages meant as datagrams but too large at that moment.
    datagrams_too_large,
    /// Messages received as datagrams.
    datagrams_received,
    /// Messages received on streams.
    streams_received,
    /// Messages not sent because the peer's queue was full.
    dropped_queue_full,
    /// Messages not sent because the peer was not up.
    dropped_not_up,
    /// Messages not sent because they exceed what any message may.
    dropped_oversize,
    /// Received messages longer than any may be; each closed its connection.
    oversize_frames,
    /// Received messages that were not framed; each closed its connection.
    garbage_frames,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    /// One more refusal of the cause that `code` names.
    pub(super) fn refused(&self, code: CloseCode) {
        count(match code {
            CloseCode::OtherProtocol => &self.refused_protocol,
            CloseCode::OtherCluster => &self.refused_cluster,
            CloseCode::OtherLimits => &self.refused_limits,
            CloseCode::OtherIdentity => &self.refused_identity,
            CloseCode::BadHello | CloseCode::Silent => &self.refused_hello,
            _ => &self.handshakes_refused,
        });
    }
}
