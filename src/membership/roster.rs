//! Who is reachable, and what of that has been told.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use super::{MembershipEvent, Peer};
use crate::units::NodeId;

/// Events are the difference between what is and what was told, so they need no queue: a node
/// that goes and returns between two polls was never reported gone, and events of one node
/// always alternate.
#[derive(Default)]
pub(super) struct Roster {
    reachable: BTreeMap<NodeId, SocketAddr>,
    told: BTreeMap<NodeId, SocketAddr>,
    changed: BTreeSet<NodeId>,
}

impl Roster {
    pub(super) fn insert(&mut self, peer: Peer) {
        self.reachable.insert(peer.node, peer.address);
        self.changed.insert(peer.node);
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        self.reachable.remove(&node);
        self.changed.insert(node);
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.reachable.contains_key(&node)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reachable.is_empty()
    }

    #[cfg(test)]
    /// Sorted by node.
    pub(super) fn iter(&self) -> impl Iterator<Item = Peer> {
        let entries = self.reachable.iter();
        entries.map(|(&node, &address)| Peer { node, address })
    }

    /// The next difference, lowest node first.
    pub(super) fn poll_event(&mut self) -> Option<MembershipEvent> {
        while let Some(&node) = self.changed.first() {
            if let Some(event) = self.tell(node) {
                return Some(event);
            }
            self.changed.remove(&node);
        }
        None
    }

    /// One event that brings what was told about `node` closer to what is.
    fn tell(&mut self, node: NodeId) -> Option<MembershipEvent> {
        let current = self.reachable.get(&node);
        if self.told.get(&node) == current {
            return None;
        }
        if self.told.remove(&node).is_some() {
            return Some(MembershipEvent::Unreachable(node));
        }
        let &address = current?;
        self.told.insert(node, address);
        Some(MembershipEvent::Reachable(Peer { node, address }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(node: u64, port: u16) -> Peer {
        Peer {
            node: NodeId(node),
            address: SocketAddr::from(([10, 0, 0, 1], port)),
        }
    }

    #[test]
    fn a_change_is_told_once_and_a_detour_not_at_all() {
        let mut roster = Roster::default();
        roster.insert(peer(2, 7));
        roster.insert(peer(1, 7));
        roster.insert(peer(1, 7));
        let up = MembershipEvent::Reachable;
        assert_eq!(roster.poll_event(), Some(up(peer(1, 7))));
        assert_eq!(roster.poll_event(), Some(up(peer(2, 7))));
        assert_eq!(roster.poll_event(), None);
        roster.remove(NodeId(1));
        roster.insert(peer(1, 7));
        assert_eq!(roster.poll_event(), None);
        roster.remove(NodeId(9));
        assert_eq!(roster.poll_event(), None);
    }

    #[test]
    fn a_new_address_is_told_as_gone_and_back() {
        let mut roster = Roster::default();
        roster.insert(peer(1, 7));
        roster.poll_event();
        roster.insert(peer(1, 8));
        let gone = MembershipEvent::Unreachable(NodeId(1));
        assert_eq!(roster.poll_event(), Some(gone));
        let back = MembershipEvent::Reachable(peer(1, 8));
        assert_eq!(roster.poll_event(), Some(back));
        assert_eq!(roster.poll_event(), None);
    }
}
