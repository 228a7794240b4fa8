//! What is going to happen, in order of time; what is due at one instant, in order of being added.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::links::{Adoption, Call, Signal};
use super::transport::{Packet, Stream};

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A datagram arrives.
    Packet(Packet),
    /// What is left of a stream is sent, once more if it was sent before.
    Stream(Box<Stream>),
    /// A driver's timer fires, or its doorbell rings.
    Wake(usize),
    /// A process calls an address.
    Call(Call),
    /// One end of a connection comes to stand.
    Adopt(Adoption),
    /// A word about a connection arrives.
    Signal(Signal),
    /// A connection's timers are looked at.
    Review(usize, usize),
    /// The scenario's fault of this number.
    Fault(usize),
    /// A process that was told to leave has not: it is ended.
    LeaveDeadline(usize),
    /// Requests begin to be counted.
    Begin,
    /// Requests end, and so do faults.
    Heal,
    /// An operator gives the dead up.
    GiveUpDead,
    /// Once each virtual second: how things stand.
    Sample,
    /// Several times a virtual second: how far views are apart.
    Views,
    /// Has all converged?
    Look,
}

#[derive(Debug)]
struct Due {
    at_ns: u64,
    number: u64,
    what: Happening,
}

impl Due {
    const fn order(&self) -> (u64, u64) {
        (self.at_ns, self.number)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// The heap gives its greatest first: the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}

/// All that is going to happen.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BinaryHeap<Due>,
    added: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at_ns: u64, what: Happening) {
        self.added += 1;
        self.due.push(Due {
            at_ns,
            number: self.added,
            what,
        });
    }

    /// When the next thing happens.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.due.peek().map(|due| due.at_ns)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Happening)> {
        self.due.pop().map(|due| (due.at_ns, due.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_what_is_due_at_once_in_its_order() {
        let mut queue = Queue::default();
        for (at_ns, place) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            queue.push(at_ns, Happening::Wake(place));
        }
        let mut order = Vec::new();
        while let Some((at_ns, Happening::Wake(place))) = queue.pop() {
            order.push((at_ns, place));
        }
        assert_eq!(order, [(3, 2), (3, 4), (5, 1), (5, 3)]);
    }
}
