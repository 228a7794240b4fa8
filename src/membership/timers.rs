//! The detector's timers as data: what is due, in which order.

use std::collections::BTreeMap;

use foca::Timer;

use super::identity::Identity;
use crate::units::Nanos;

/// Timers by deadline, those of one deadline in the order they were set.
///
/// Bounded: one probe, one detour, one removal per remembered node, a suspicion per probe period for
/// as long as a suspicion lasts, and one out of turn per member.
#[derive(Default)]
pub(super) struct Timers {
    queue: BTreeMap<(Nanos, u64), Pending>,
    sequence: u64,
}

/// A timer that was set, and when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) timer: Timer<Identity>,
    pub(super) set_at: Nanos,
}

impl Timers {
    /// Sets a timer, in place of the one it makes pointless. O(timers).
    pub(super) fn set(&mut self, set_at: Nanos, at: Nanos, timer: Timer<Identity>) {
        self.queue
            .retain(|_, earlier| !replaces(&timer, &earlier.timer));
        let pending = Pending { timer, set_at };
        self.queue.insert((at, self.sequence), pending);
        self.sequence += 1;
    }

    pub(super) fn next_at(&self) -> Option<Nanos> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The earliest timer, if its time has come.
    pub(super) fn pop_due(&mut self, now: Nanos) -> Option<Pending> {
        let entry = self.queue.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// The detector's own mark on its timers: those with another are void. `None` while it reaches
    /// nobody.
    pub(super) fn token(&self) -> Option<foca::TimerToken> {
        let token = |pending: &Pending| match &pending.timer {
            Timer::ProbeRandomMember(token) => Some(*token),
            _ => None,
        };
        self.queue.values().find_map(token)
    }

    /// A verdict stands though the detector has taken a new identity since it was set, which voids its
    /// timers: what it concerns is another's. Else the suspect would be one until its next turn.
    pub(super) fn valid(&self, timer: Timer<Identity>) -> Timer<Identity> {
        match (timer, self.token()) {
            (
                Timer::ChangeSuspectToDown {
                    member_id,
                    incarnation,
                    ..
                },
                Some(token),
            ) => Timer::ChangeSuspectToDown {
                member_id,
                incarnation,
                token,
            },
            (timer, _) => timer,
        }
    }

    /// When a member is declared unreachable, if it is suspected here.
    pub(super) fn verdict_at(&self, suspect: &Identity) -> Option<Nanos> {
        let on_suspect = |pending: &Pending| match &pending.timer {
            Timer::ChangeSuspectToDown { member_id, .. } => member_id == suspect,
            _ => false,
        };
        let mut queue = self.queue.iter();
        let (&(at, _), _) = queue.find(|(_, pending)| on_suspect(pending))?;
        Some(at)
    }

    /// The earliest removal of an unreachable node, before its time.
    pub(super) fn pop_removal(&mut self) -> Option<Timer<Identity>> {
        let mut removals = self.queue.iter();
        let is_removal = |pending: &Pending| matches!(pending.timer, Timer::RemoveDown(_));
        let (&key, _) = removals.find(|(_, pending)| is_removal(pending))?;
        self.queue.remove(&key).map(|pending| pending.timer)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }
}

/// Whether it declares somebody unreachable.
pub(super) const fn is_verdict(timer: &Timer<Identity>) -> bool {
    matches!(timer, Timer::ChangeSuspectToDown { .. })
}

/// Whether the detector would ignore `earlier` once `timer` is set.
///
/// It would ignore it by a token of eight bits, which repeats; and timers that members can cause
/// at will must not pile up.
fn replaces(timer: &Timer<Identity>, earlier: &Timer<Identity>) -> bool {
    match (timer, earlier) {
        (Timer::RemoveDown(new), Timer::RemoveDown(old)) => new.node == old.node,
        (Timer::ProbeRandomMember(_), Timer::ProbeRandomMember(_))
        | (Timer::SendIndirectProbe { .. }, Timer::SendIndirectProbe { .. })
        | (Timer::PeriodicAnnounce(_), Timer::PeriodicAnnounce(_)) => true,
        // Suspicions stay: replacing one would start its time anew at each probe.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{membership::Peer, units::NodeId};

    fn identity(node: u64) -> Identity {
        Identity::first(Peer {
            node: NodeId(node),
            address: "10.0.0.1:7".parse().expect("an address"),
        })
    }

    fn suspicion(node: u64) -> Timer<Identity> {
        Timer::ChangeSuspectToDown {
            member_id: identity(node),
            incarnation: 0,
            token: 0,
        }
    }

    #[test]
    fn timers_come_once_in_order_of_deadline_then_of_setting() {
        let mut timers = Timers::default();
        timers.set(Nanos(1), Nanos(9), suspicion(1));
        timers.set(Nanos(1), Nanos(5), suspicion(2));
        timers.set(Nanos(1), Nanos(5), suspicion(1));
        assert_eq!(timers.next_at(), Some(Nanos(5)));
        assert_eq!(timers.pop_due(Nanos(4)), None);
        let due = |node| {
            Some(Pending {
                timer: suspicion(node),
                set_at: Nanos(1),
            })
        };
        assert_eq!(timers.verdict_at(&identity(1)), Some(Nanos(5)));
        assert_eq!(timers.pop_due(Nanos(5)), due(2));
        assert_eq!(timers.pop_due(Nanos(5)), due(1));
        assert_eq!(timers.pop_due(Nanos(5)), None);
        assert_eq!(timers.verdict_at(&identity(2)), None);
        assert_eq!(timers.pop_due(Nanos(9)), due(1));
        assert_eq!(timers.next_at(), None);
    }

    #[test]
    fn only_the_latest_probe_and_the_latest_removal_of_a_node_count() {
        let mut timers = Timers::default();
        for at in 1..=3 {
            timers.set(Nanos(0), Nanos(at), Timer::ProbeRandomMember(0));
            timers.set(Nanos(0), Nanos(at), Timer::RemoveDown(identity(1)));
        }
        timers.set(Nanos(0), Nanos(2), Timer::RemoveDown(identity(2)));
        assert_eq!(timers.len(), 3);
        assert_eq!(timers.token(), Some(0));
        timers.set(Nanos(0), Nanos(3), Timer::ProbeRandomMember(7));
        let verdict = timers.valid(suspicion(1));
        assert!(matches!(
            verdict,
            Timer::ChangeSuspectToDown { token: 7, .. }
        ));
        assert_eq!(timers.pop_removal(), Some(Timer::RemoveDown(identity(2))));
        assert_eq!(timers.pop_removal(), Some(Timer::RemoveDown(identity(1))));
        assert_eq!(timers.pop_removal(), None);
        assert_eq!(timers.next_at(), Some(Nanos(3)));
    }
}
