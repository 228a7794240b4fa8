//! The greeting: what two nodes tell one another before anything else, and how it is judged.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::config::{NAME_BYTES_MAX, PROTOCOL_VERSION, TransportConfig};
use super::error::Refusal;
use crate::units::NodeId;

/// Longest greeting read, in bytes.
pub(super) const HELLO_BYTES_MAX: usize = 64 << 10;

/// Of which the readable limits may take so much; the rest of a longer list is left out.
const NAMED_LIMITS_BYTES_MAX: usize = 32 << 10;

/// The first message each way. MessagePack with names, so that later versions may add to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u16,
    pub(super) cluster: String,
    pub(super) limits: [u8; 32],
    #[serde(default)]
    pub(super) named_limits: Vec<(String, String)>,
    pub(super) node: NodeId,
    pub(super) address: SocketAddr,
    #[serde(default)]
    pub(super) name: String,
}

impl Hello {
    /// This node's greeting in its life as `node`, reachable at `address`.
    pub(super) fn new(config: &TransportConfig, node: NodeId, address: SocketAddr) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            cluster: config.cluster.clone(),
            limits: config.limits,
            named_limits: shortened(&config.named_limits),
            node,
            address,
            name: config.name.clone(),
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        rmp_serde::to_vec_named(self)
            .expect("a greeting has nothing that MessagePack cannot say")
            .into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let hello: Self =
            rmp_serde::from_slice(bytes).map_err(|error| Refusal::Hello(error.to_string()))?;
        if hello.cluster.len() > NAME_BYTES_MAX || hello.name.len() > NAME_BYTES_MAX {
            return Err(Refusal::Hello("a name is too long".to_owned()));
        }
        Ok(hello)
    }

    /// Whether this node and one that sent `theirs`, with a certificate for `certificate`, may
    /// talk.
    pub(super) fn judge(&self, theirs: &Self, certificate: NodeId) -> Result<(), Refusal> {
        if theirs.node != certificate {
            return Err(Refusal::Identity {
                certificate: Some(certificate),
                claimed: Some(theirs.node),
            });
        }
        if theirs.protocol != self.protocol {
            let (ours, theirs) = (self.protocol, theirs.protocol);
            return Err(Refusal::Protocol { ours, theirs });
        }
        if theirs.cluster != self.cluster {
            let (ours, theirs) = (self.cluster.clone(), theirs.cluster.clone());
            return Err(Refusal::Cluster { ours, theirs });
        }
        if theirs.limits != self.limits {
            let (ours, theirs) = (self.limits_unlike(theirs), theirs.limits_unlike(self));
            return Err(Refusal::Limits { ours, theirs });
        }
        Ok(())
    }

    /// The limits that `other` does not have, or has otherwise; the hash, if none are readable.
    fn limits_unlike(&self, other: &Self) -> Vec<(String, String)> {
        if self.named_limits == other.named_limits {
            let digits = self
                .limits
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            return vec![("hash".to_owned(), digits)];
        }
        let unlike = |limit: &&(String, String)| !other.named_limits.contains(limit);
        self.named_limits.iter().filter(unlike).cloned().collect()
    }
}

/// As many limits as a greeting has room for.
fn shortened(limits: &[(String, String)]) -> Vec<(String, String)> {
    let mut bytes = 0;
    let fits = |(name, value): &&(String, String)| {
        bytes += name.len() + value.len() + 16;
        bytes <= NAMED_LIMITS_BYTES_MAX
    };
    limits.iter().take_while(fits).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::Secret;
    use super::*;

    fn hello(cluster: &str, burst: &str) -> Hello {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let secret = Secret::new("a secret of some length");
        let mut config = TransportConfig::new(secret, cluster, NodeId(1), address);
        config.limits = [burst.len() as u8; 32];
        let same = ("writes".to_owned(), "1".to_owned());
        config.named_limits = vec![("reads".to_owned(), burst.to_owned()), same];
        Hello::new(&config, NodeId(1), address)
    }

    #[test]
    fn a_greeting_survives_the_wire_and_garbage_does_not() {
        let sent = hello("one", "10");
        assert_eq!(Hello::decode(&sent.encode()), Ok(sent.clone()));
        let bytes = sent.encode();
        for cut in 0..bytes.len() {
            assert!(Hello::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn only_the_limits_that_differ_are_named() {
        let (ours, theirs) = (hello("one", "10"), hello("one", "200"));
        let refusal = ours.judge(&theirs, NodeId(1)).expect_err("other limits");
        let one = |value: &str| vec![("reads".to_owned(), value.to_owned())];
        let (ours, theirs) = (one("10"), one("200"));
        assert_eq!(refusal, Refusal::Limits { ours, theirs });
    }

    #[test]
    fn the_certificate_is_judged_before_anything_else() {
        let (ours, theirs) = (hello("one", "10"), hello("other", "10"));
        let refusal = ours.judge(&theirs, NodeId(2)).expect_err("another's id");
        assert!(matches!(refusal, Refusal::Identity { .. }), "{refusal}");
        let refusal = ours.judge(&theirs, NodeId(1)).expect_err("another cluster");
        assert!(matches!(refusal, Refusal::Cluster { .. }), "{refusal}");
    }

    #[test]
    fn a_long_list_of_limits_still_fits() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let secret = Secret::new("a secret of some length");
        let mut config = TransportConfig::new(secret, "one", NodeId(1), address);
        config.named_limits = vec![("n".repeat(100), "v".repeat(100)); 10_000];
        let bytes = Hello::new(&config, NodeId(1), address).encode();
        assert!(bytes.len() <= HELLO_BYTES_MAX);
    }
}
