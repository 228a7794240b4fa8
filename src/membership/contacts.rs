//! Nodes that may be there but are not reachable: whom to try again, and when.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::{MEMBERS_MAX, Peer};
use crate::units::{Nanos, NodeId};

/// Peers that were announced to, or lost, and have not been heard of since.
///
/// One of them is tried at a time, the least tried first. This is what brings back a node that
/// has lost everybody (the library underneath then waits to be called), two halves of a
/// cluster that gave each other up without a broken connection, and an announcement that got lost.
#[derive(Default)]
pub(super) struct Contacts {
    contacts: BTreeMap<NodeId, Contact>,
    next_at: Option<Nanos>,
}

struct Contact {
    address: SocketAddr,
    tries: u32,
    expires_at: Nanos,
}

impl Contacts {
    /// Remembers a peer until `expires_at`; beyond [`MEMBERS_MAX`] the one that would expire
    /// first gives way.
    pub(super) fn insert(&mut self, peer: Peer, expires_at: Nanos) {
        if self.contacts.len() >= MEMBERS_MAX && !self.contacts.contains_key(&peer.node) {
            self.drop_earliest();
        }
        let contact = Contact {
            address: peer.address,
            tries: 0,
            expires_at,
        };
        self.contacts.insert(peer.node, contact);
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        self.contacts.remove(&node);
    }

    pub(super) fn next_at(&self) -> Option<Nanos> {
        self.next_at
    }

    /// Sees to it that somebody is tried within `delay`, if there is anybody to try.
    pub(super) fn schedule(&mut self, now: Nanos, delay: Duration) {
        let latest = now.after(delay);
        self.next_at = if self.contacts.is_empty() {
            None
        } else {
            Some(self.next_at.map_or(latest, |at| at.min(latest)))
        };
    }

    /// Whom to try now, if the time has come.
    pub(super) fn pop_due(&mut self, now: Nanos) -> Option<Peer> {
        self.next_at.take_if(|at| *at <= now)?;
        self.contacts.retain(|_, contact| contact.expires_at > now);
        let contacts = self.contacts.iter_mut();
        let (&node, contact) = contacts.min_by_key(|(node, contact)| (contact.tries, **node))?;
        contact.tries = contact.tries.saturating_add(1);
        Some(Peer {
            node,
            address: contact.address,
        })
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn drop_earliest(&mut self) {
        let contacts = self.contacts.iter();
        let earliest = contacts.min_by_key(|(node, contact)| (contact.expires_at, **node));
        if let Some((&node, _)) = earliest {
            self.contacts.remove(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(node: u64) -> Peer {
        Peer {
            node: NodeId(node),
            address: SocketAddr::from(([10, 0, 0, 1], 7)),
        }
    }

    #[test]
    fn contacts_take_turns_until_they_expire() {
        let mut contacts = Contacts::default();
        contacts.insert(peer(1), Nanos(100));
        contacts.insert(peer(2), Nanos(35));
        let mut tried = Vec::new();
        for now in [10, 20, 30, 40] {
            contacts.schedule(Nanos(now - 10), Duration::from_nanos(10));
            assert_eq!(contacts.pop_due(Nanos(now - 1)), None);
            tried.push(contacts.pop_due(Nanos(now)).map(|peer| peer.node.0));
        }
        assert_eq!(tried, [Some(1), Some(2), Some(1), Some(1)]);
        contacts.remove(NodeId(1));
        contacts.schedule(Nanos(40), Duration::from_nanos(10));
        assert_eq!(contacts.next_at(), None);
    }

    #[test]
    fn a_full_list_drops_who_would_expire_first() {
        let mut contacts = Contacts::default();
        for node in 0..=MEMBERS_MAX as u64 {
            contacts.insert(peer(node), Nanos(1000 - node.min(1)));
        }
        assert_eq!(contacts.contacts.len(), MEMBERS_MAX);
        assert!(!contacts.contacts.contains_key(&NodeId(1)));
    }
}
