//! A node's own rows, by the order in which they were last written.

use std::collections::BTreeMap;

use super::Sequence;
use crate::row::Row;
use crate::units::KeyId;

/// The newest row of each contended key of this node. One counter numbers all writes of one life.
#[derive(Debug, Default)]
pub struct Journal {
    last: u64,
    by_seq: BTreeMap<u64, Row>,
    seq_of: BTreeMap<KeyId, u64>,
}

impl Journal {
    /// Writes a row down, in place of the key's older one; its `seq` is set here.
    pub fn write(&mut self, row: Row) -> Row {
        self.last += 1;
        let row = Row {
            seq: self.last,
            ..row
        };
        if let Some(old) = self.seq_of.insert(row.key, row.seq) {
            self.by_seq.remove(&old);
        }
        self.by_seq.insert(row.seq, row);
        row
    }

    /// Forgets a key that has nothing more to tell: peers drop its row in time.
    pub fn forget(&mut self, key: KeyId) {
        if let Some(seq) = self.seq_of.remove(&key) {
            self.by_seq.remove(&seq);
        }
    }

    /// The `seq` of the last write.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many keys have a row.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_seq.len()
    }

    /// Whether no key has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    /// The newest row of a key.
    #[must_use]
    pub fn of(&self, key: KeyId) -> Option<&Row> {
        self.by_seq.get(self.seq_of.get(&key)?)
    }
}

impl Sequence for Journal {
    fn last(&self) -> u64 {
        self.last
    }

    fn after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        let rows = self.by_seq.range(seq.saturating_add(1)..);
        rows.map(|(_, row)| row)
    }
}
