//! What the failure detector wants done, collected: packets, timers, changes of who is reachable.

use std::{collections::VecDeque, time::Duration};

use foca::{Notification, Runtime, Timer};

use super::{
    Peer, contacts::Contacts, identity::Identity, roster::Roster, timers::Timers,
    timers::is_verdict,
};
use crate::units::Nanos;

pub(super) struct Outbox {
    pub(super) now: Nanos,
    pub(super) packets: VecDeque<(Peer, Vec<u8>)>,
    pub(super) timers: Timers,
    pub(super) roster: Roster,
    pub(super) contacts: Contacts,
    /// Whether something has come up that others should hear at once: a suspicion, or a loss.
    pub(super) is_urgent: bool,
    forget_after: Duration,
}

impl Outbox {
    pub(super) fn new(forget_after: Duration) -> Self {
        Self {
            now: Nanos::ZERO,
            packets: VecDeque::new(),
            timers: Timers::default(),
            roster: Roster::default(),
            contacts: Contacts::default(),
            is_urgent: false,
            forget_after,
        }
    }

    /// Somebody to try again until heard of, or forgotten.
    pub(super) fn seek(&mut self, peer: Peer) {
        self.contacts
            .insert(peer, self.now.after(self.forget_after));
    }

    fn appeared(&mut self, peer: Peer) {
        self.contacts.remove(peer.node);
        self.roster.insert(peer);
    }

    fn vanished(&mut self, peer: Peer) {
        self.roster.remove(peer.node);
        self.is_urgent = true;
        self.seek(peer);
    }
}

/// This node itself never comes up here: the detector lists its former identities, but only ever as
/// down.
impl Runtime<Identity> for Outbox {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::MemberUp(id) => self.appeared(id.peer()),
            Notification::MemberDown(id) => self.vanished(id.peer()),
            Notification::Rename(_, id) if self.roster.contains(id.node) => {
                self.roster.insert(id.peer());
            }
            Notification::Rename(..)
            | Notification::Active
            | Notification::Idle
            | Notification::Defunct
            | Notification::Rejoin(_) => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        if self.packets.len() < PACKETS_MAX {
            self.packets.push_back((to.peer(), data.to_vec()));
        }
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        self.is_urgent |= is_verdict(&event);
        self.timers.set(self.now, self.now.after(after), event);
    }
}

/// Packets waiting to be polled; those beyond are lost, as any packet may be. One input causes a
/// handful at most, so this is reached only if nobody polls, or by a malicious packet.
const PACKETS_MAX: usize = 64;
