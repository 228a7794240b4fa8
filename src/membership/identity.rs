//! A node as the failure detector sees it: its name, where it is, and how often it has returned.

use std::net::SocketAddr;

use super::Peer;
use crate::units::NodeId;

/// A node that was declared down cannot refute that; it returns under the next `bump` instead.
///
/// `NodeId` stays the same all along. Between two identities of one node the higher bump wins, so
/// that every member settles on the same one, in whatever order it hears of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) node: NodeId,
    pub(super) address: SocketAddr,
    pub(super) bump: u32,
}

impl Identity {
    /// The first identity of a peer. IPv6 flow labels and scopes do not travel, so they are
    /// dropped here: a node must recognise its own identity when it comes back from others.
    pub(super) fn first(peer: Peer) -> Self {
        Self {
            node: peer.node,
            address: SocketAddr::new(peer.address.ip(), peer.address.port()),
            bump: 0,
        }
    }

    pub(super) fn peer(self) -> Peer {
        Peer {
            node: self.node,
            address: self.address,
        }
    }
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        let bump = self.bump.checked_add(1)?;
        Some(Self { bump, ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    /// Strict: of two different identities exactly one wins, or members would disagree for good.
    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.bump, self.address) > (adversary.bump, adversary.address)
    }
}

#[cfg(test)]
mod tests {
    use foca::Identity as _;

    use super::*;

    #[test]
    fn a_renewed_identity_keeps_its_node_and_wins() {
        let address = "10.0.0.1:7".parse().expect("an address");
        let first = Identity::first(Peer {
            node: NodeId(3),
            address,
        });
        let second = first.renew().expect("bumps are left");
        assert_eq!(second.node, first.node);
        assert!(second.win_addr_conflict(&first) && !first.win_addr_conflict(&second));
        let last = Identity {
            bump: u32::MAX,
            ..first
        };
        assert_eq!(last.renew(), None);
    }

    #[test]
    fn of_two_addresses_under_one_bump_exactly_one_wins() {
        let [one, two] = ["10.0.0.1:7", "10.0.0.2:7"].map(|address| {
            Identity::first(Peer {
                node: NodeId(3),
                address: address.parse().expect("an address"),
            })
        });
        assert_ne!(one.win_addr_conflict(&two), two.win_addr_conflict(&one));
    }
}
