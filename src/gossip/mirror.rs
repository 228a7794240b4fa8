//! What a node has heard of another's journal, whatever way it came.

use super::{Ahead, Newest, Sequence};
use crate::row::{Heard, Row};
use crate::units::{KeyId, Nanos, NodeId};

/// The newest row of each key that one origin has told of late: a copy of its journal, from which
/// its rows can be passed on to a peer that does not hear it, and a key that becomes contended here
/// knows at once what was said of it.
///
/// Rows are dropped when they were not told again for long, by this node's own clock.
#[derive(Debug)]
pub(crate) struct Mirror {
    origin: NodeId,
    newest: Newest<Heard>,
    pub(crate) ahead: Ahead,
}

impl Mirror {
    pub(crate) fn new(origin: NodeId) -> Self {
        Self {
            origin,
            newest: Newest::default(),
            ahead: Ahead::default(),
        }
    }

    /// Keeps a row if it is news; of more than `rows_max` the oldest goes.
    pub(crate) fn hold(&mut self, row: Row, now: Nanos, rows_max: usize) {
        self.newest.keep(Heard {
            origin: self.origin,
            row,
            at: now,
        });
        while self.newest.len() > rows_max {
            self.newest.drop_first(|_| false);
        }
    }

    /// Forgets rows that came before `oldest`, and those numbered below any that did not.
    pub(crate) fn expire(&mut self, oldest: Nanos) {
        while self.newest.drop_first(|heard| heard.at >= oldest) {}
    }

    /// The newest row of a key.
    pub(crate) fn of(&self, key: KeyId) -> Option<&Heard> {
        self.newest.of(key)
    }

    /// How many rows are kept.
    pub(crate) fn len(&self) -> usize {
        self.newest.len()
    }

    /// What can be passed on: everything up to `upto` is here or was replaced. Rows beyond it came
    /// out of order, and what lies between is not known.
    pub(crate) const fn up_to(&self, upto: u64) -> Told<'_> {
        Told { mirror: self, upto }
    }
}

/// A mirror up to where it is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    mirror: &'a Mirror,
    upto: u64,
}

impl Sequence for Told<'_> {
    fn last(&self) -> u64 {
        self.upto
    }

    fn after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        let rows = self.mirror.newest.after(seq).map(|heard| &heard.row);
        rows.take_while(|row| row.seq <= self.upto)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gossip::{Journal, Progress};
    use crate::units::LimitId;

    fn row(key: u128, seq: u64) -> Row {
        Row {
            seq,
            ..Row::new(LimitId(1), KeyId(key))
        }
    }

    #[test]
    fn what_came_out_of_order_is_not_passed_on() {
        let mut mirror = Mirror::new(NodeId(1));
        mirror.hold(row(1, 1), Nanos(0), 10);
        mirror.hold(row(2, 9), Nanos(0), 10);
        let batch = Progress::default().next_batch(&mirror.up_to(4), 10);
        let batch = batch.expect("one row");
        assert_eq!((batch.upto, batch.rows), (4, vec![row(1, 1)]));
        assert_eq!(mirror.of(KeyId(2)).expect("kept").row, row(2, 9));
    }

    #[test]
    fn it_is_bounded_and_forgets_the_oldest() {
        let mut mirror = Mirror::new(NodeId(1));
        (1..=100).for_each(|seq| mirror.hold(row(u128::from(seq), seq), Nanos(seq), 8));
        assert_eq!(mirror.len(), 8);
        mirror.expire(Nanos(98));
        assert_eq!((mirror.len(), mirror.of(KeyId(97))), (3, None));
        // The same number for another key: neither piles up.
        mirror.hold(row(7, 99), Nanos(101), 8);
        assert_eq!((mirror.len(), mirror.up_to(100).after(0).count()), (3, 3));
    }

    proptest! {
        /// INV-4, through any number of hands: who hears a journal through a relay, in whatever
        /// order and with whatever lost and repeated, ends with its newest rows.
        #[test]
        fn a_relayed_journal_is_the_journal(
            steps in prop::collection::vec((0u128..6, any::<bool>(), any::<bool>(), any::<bool>()), 1..120),
        ) {
            let mut journal = Journal::default();
            let (mut to_relay, mut to_last) = (Progress::default(), Progress::default());
            let (mut relay, mut last) = (Mirror::new(NodeId(1)), Mirror::new(NodeId(1)));
            let (mut relay_has, mut last_has) = (0, 0);
            for (key, write, first_lost, second_lost) in steps {
                if write {
                    journal.write(row(key, 0));
                }
                pass(&mut to_relay, &journal, first_lost, &mut relay, &mut relay_has);
                pass(&mut to_last, &relay.up_to(relay_has), second_lost, &mut last, &mut last_has);
                prop_assert!(last_has <= relay_has);
            }
            while last_has < journal.last() {
                to_relay.restart();
                to_last.restart();
                pass(&mut to_relay, &journal, false, &mut relay, &mut relay_has);
                pass(&mut to_last, &relay.up_to(relay_has), false, &mut last, &mut last_has);
            }
            let newest: Vec<_> = journal.after(0).copied().collect();
            let told: Vec<_> = last.up_to(last_has).after(0).copied().collect();
            prop_assert_eq!(told, newest);
        }
    }

    fn pass(
        progress: &mut Progress,
        from: &impl Sequence,
        lost: bool,
        to: &mut Mirror,
        has: &mut u64,
    ) {
        let Some(batch) = progress.next_batch(from, 2) else {
            return;
        };
        progress.sent(&batch, Nanos(0));
        if !lost {
            (batch.rows.iter()).for_each(|row| to.hold(*row, Nanos(0), 100));
            *has = to.ahead.hear(*has, batch.after, batch.upto).max(*has);
        }
        progress.acknowledged(*has, Nanos(0));
    }
}
