//! A node's own rows, by the order in which they were last written.

use super::{Newest, Sequence};
use crate::row::Row;
use crate::units::KeyId;

/// The newest row of each contended key of this node. One counter numbers all writes of one life.
#[derive(Debug, Default)]
pub struct Journal {
    last: u64,
    newest: Newest<Row>,
}

impl Journal {
    /// Writes a row down, in place of the key's older one; its `seq` is set here.
    pub fn write(&mut self, row: Row) -> Row {
        self.last += 1;
        let row = Row {
            seq: self.last,
            ..row
        };
        self.newest.keep(row);
        row
    }

    /// Forgets a key that has nothing more to tell: peers drop its row in time.
    pub fn forget(&mut self, key: KeyId) {
        self.newest.forget(key);
    }

    /// The `seq` of the last write.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many keys have a row.
    #[must_use]
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Whether no key has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest row of a key.
    #[must_use]
    pub fn of(&self, key: KeyId) -> Option<&Row> {
        self.newest.of(key)
    }
}

impl Sequence for Journal {
    fn last(&self) -> u64 {
        self.last
    }

    fn after(&self, seq: u64) -> impl Iterator<Item = &Row> {
        self.newest.after(seq)
    }
}
