//! How far one peer has heard a node's journal.

use super::{Journal, Sequence};
use crate::row::Row;
use crate::units::Nanos;

/// One peer's progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    acknowledged: u64,
    sent: u64,
    /// Since when the peer owes an acknowledgement: that of what was sent first after the last.
    waits_since: Nanos,
}

/// Consecutive rows for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All rows written after this …
    pub after: u64,
    /// … and up to this.
    pub upto: u64,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Progress {
    /// The next rows to send, at most so many; `None` if there are none.
    #[must_use]
    pub fn next_batch(&self, journal: &impl Sequence, rows_max: usize) -> Option<Batch> {
        self.next_while(journal, |rows, _| rows.len() < rows_max)
    }

    /// The next rows to send, for as long as `fits` says of those before and another one that they
    /// fit; `None` if there are none.
    #[must_use]
    pub fn next_while(
        &self,
        journal: &impl Sequence,
        mut fits: impl FnMut(&[Row], &Row) -> bool,
    ) -> Option<Batch> {
        if self.sent >= journal.last() {
            return None;
        }
        let mut rows: Vec<Row> = Vec::new();
        let mut whole = true;
        for row in journal.after(self.sent) {
            whole = fits(&rows, row);
            if !whole {
                break;
            }
            rows.push(*row);
        }
        let upto = if whole {
            journal.last()
        } else {
            rows.last()?.seq
        };
        Some(Batch {
            after: self.sent,
            upto,
            rows,
        })
    }

    /// Up to where all was sent, heard or not.
    #[must_use]
    pub const fn reached(&self) -> u64 {
        self.sent
    }

    /// Up to where it has said that it heard all.
    #[must_use]
    pub const fn acknowledged_upto(&self) -> u64 {
        self.acknowledged
    }

    /// Notes that a batch is on its way.
    pub fn sent(&mut self, batch: &Batch, now: Nanos) {
        if self.sent <= self.acknowledged {
            self.waits_since = now;
        }
        self.sent = batch.upto;
    }

    /// Notes up to where the peer has everything.
    pub fn acknowledged(&mut self, seq: u64, now: Nanos) {
        if seq > self.acknowledged {
            self.acknowledged = seq;
            self.sent = self.sent.max(seq);
            self.waits_since = now;
        }
    }

    /// Starts again from what was acknowledged, if nothing was for `patience_ns`.
    pub fn retry(&mut self, now: Nanos, patience_ns: u64) {
        if self.acknowledged < self.sent && now.0.saturating_sub(self.waits_since.0) >= patience_ns
        {
            self.sent = self.acknowledged;
        }
    }

    /// Starts again from what was acknowledged: the peer has just come back.
    pub fn restart(&mut self) {
        self.sent = self.acknowledged;
    }

    /// Whether the peer has heard all.
    #[must_use]
    pub fn is_heard(&self, journal: &Journal) -> bool {
        self.acknowledged >= journal.last()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::units::{Amount, KeyId, LimitId};

    proptest! {
        /// Whatever is lost, a peer that acknowledges what it has ends with the newest rows.
        #[test]
        fn a_peer_hears_the_newest_of_everything(
            steps in prop::collection::vec((0u128..6, any::<bool>(), any::<bool>()), 1..120),
        ) {
            let (mut journal, mut progress) = (Journal::default(), Progress::default());
            let (mut digest, mut heard) = (0, BTreeMap::<KeyId, Row>::new());
            let mut hear = |progress: &mut Progress, journal: &Journal, lost: bool| {
                let Some(batch) = progress.next_batch(journal, 2) else { return };
                progress.sent(&batch, Nanos(0));
                if lost {
                    return;
                }
                heard.extend(batch.rows.iter().map(|row| (row.key, *row)));
                if batch.after <= digest {
                    digest = digest.max(batch.upto);
                }
                progress.acknowledged(digest, Nanos(0));
            };
            for (index, (key, write, lost)) in steps.into_iter().enumerate() {
                if write {
                    let filled = Amount::from_units(index as u64);
                    journal.write(Row { filled, ..Row::new(LimitId(1), KeyId(key)) });
                }
                hear(&mut progress, &journal, lost);
                progress.retry(Nanos(5), 5 * u64::from(index % 3 == 0));
            }
            while !progress.is_heard(&journal) {
                progress.restart();
                hear(&mut progress, &journal, false);
            }
            let newest: BTreeMap<_, _> = journal.after(0).map(|row| (row.key, *row)).collect();
            prop_assert_eq!(heard, newest);
        }
    }
}
