//! The newest row of each key of one origin: found by key, and told in the order in which they were
//! written.
//!
//! Rows are replaced far more often than they are dropped, and each replacement is the newest of all. So
//! the order is a list to whose end numbers are added, and those that were replaced since stay in it
//! until there are more of them than of the others. A row costs one look into a hash table whose place
//! is a part of the key itself: keys are hashes under a secret already.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use indexmap::IndexSet;

use crate::row::{Heard, Row};
use crate::units::KeyId;

/// What stands for a row.
pub(crate) trait Told {
    fn row(&self) -> &Row;
}

impl Told for Row {
    fn row(&self) -> &Row {
        self
    }
}

impl Told for Heard {
    fn row(&self) -> &Row {
        &self.row
    }
}

/// The newest row of each key. The order of the hash table is never looked at.
#[derive(Clone, Debug)]
pub(crate) struct Newest<T> {
    by_key: IndexSet<ByKey<T>, BuildHasherDefault<KeyHasher>>,
    /// Numbers and keys of rows, in the order of the numbers; some were replaced or dropped since.
    order: VecDeque<(u64, KeyId)>,
}

/// So many replaced numbers are nothing.
const REPLACED_MIN: usize = 64;

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self {
            by_key: IndexSet::default(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Told> Newest<T> {
    /// Keeps a row if it is newer than what is here of its key, and says so. One counter numbers all
    /// of an origin's rows: were two of one number told, the later is kept.
    pub(crate) fn keep(&mut self, told: T) -> bool {
        let Row { key, seq, .. } = *told.row();
        if self.of(key).is_some_and(|known| known.row().seq >= seq) {
            return false;
        }
        self.by_key.replace(ByKey(told));
        self.note(seq, key);
        if self.order.len() > 2 * self.by_key.len() + REPLACED_MIN {
            let by_key = &self.by_key;
            self.order
                .retain(|(seq, key)| is_newest(by_key, *seq, *key));
        }
        true
    }

    fn note(&mut self, seq: u64, key: KeyId) {
        if self.order.back().is_none_or(|(last, _)| *last < seq) {
            self.order.push_back((seq, key));
            return;
        }
        match self.order.binary_search_by_key(&seq, |(seq, _)| *seq) {
            Ok(place) => {
                let (_, other) = std::mem::replace(&mut self.order[place], (seq, key));
                if other != key && is_newest(&self.by_key, seq, other) {
                    self.forget(other);
                }
            }
            Err(place) => self.order.insert(place, (seq, key)),
        }
    }

    /// Forgets a key.
    pub(crate) fn forget(&mut self, key: KeyId) {
        self.by_key.swap_remove(&key);
    }

    /// Drops the row that was written first, unless `keep` says to keep it. Says whether one was dropped.
    pub(crate) fn drop_first(&mut self, keep: impl Fn(&T) -> bool) -> bool {
        while let Some((seq, key)) = self.order.front().copied() {
            let newest = self.of(key).filter(|told| told.row().seq == seq);
            if newest.is_some_and(&keep) {
                return false;
            }
            let dropped = newest.is_some();
            self.order.pop_front();
            if dropped {
                self.forget(key);
                return true;
            }
        }
        false
    }

    /// The newest row of a key.
    pub(crate) fn of(&self, key: KeyId) -> Option<&T> {
        self.by_key.get(&key).map(|told| &told.0)
    }

    /// Rows written after `seq`, the oldest first.
    pub(crate) fn after(&self, seq: u64) -> impl Iterator<Item = &T> {
        let first = self.order.partition_point(|(written, _)| *written <= seq);
        let written = self.order.range(first..);
        written.filter_map(|(seq, key)| self.of(*key).filter(|told| told.row().seq == *seq))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

fn is_newest<T: Told>(
    by_key: &IndexSet<ByKey<T>, BuildHasherDefault<KeyHasher>>,
    seq: u64,
    key: KeyId,
) -> bool {
    by_key.get(&key).is_some_and(|told| told.0.row().seq == seq)
}

/// A row in the place of its key.
#[derive(Clone, Copy, Debug)]
struct ByKey<T>(T);

impl<T: Told> Borrow<KeyId> for ByKey<T> {
    fn borrow(&self) -> &KeyId {
        &self.0.row().key
    }
}

impl<T: Told> Hash for ByKey<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.row().key.hash(state);
    }
}

impl<T: Told> PartialEq for ByKey<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.row().key == other.0.row().key
    }
}

impl<T: Told> Eq for ByKey<T> {}

/// Takes a part of a key's id as its hash.
#[derive(Clone, Copy, Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u128(&mut self, id: u128) {
        self.0 = id as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::units::LimitId;

    fn row(key: u8, seq: u64) -> Row {
        Row {
            seq,
            ..Row::new(LimitId(1), KeyId(u128::from(key)))
        }
    }

    #[test]
    fn what_is_replaced_again_and_again_does_not_pile_up() {
        let mut newest = Newest::default();
        for seq in 1..10_000 {
            newest.keep(row((seq % 5) as u8, seq));
        }
        assert!(newest.order.len() <= 2 * 5 + REPLACED_MIN + 1);
        assert_eq!(newest.after(0).count(), 5);
    }

    proptest! {
        /// The same as a map by key and a map by number, whatever the order in which rows come.
        #[test]
        fn it_is_a_map_both_ways(
            steps in prop::collection::vec((0u8..12, 1u64..60, 0u8..8), 1..300),
            after in 0u64..60,
        ) {
            let (mut newest, mut model) = (Newest::default(), BTreeMap::<u64, u8>::new());
            let number_of = |model: &BTreeMap<u64, u8>, key| {
                model.iter().find(|(_, other)| **other == key).map(|(seq, _)| *seq)
            };
            for (key, seq, what) in steps {
                let known = number_of(&model, key);
                match what {
                    0 => {
                        newest.forget(KeyId(u128::from(key)));
                        known.map(|seq| model.remove(&seq));
                    }
                    1 => prop_assert_eq!(newest.drop_first(|_| false), model.pop_first().is_some()),
                    _ => {
                        let is_news = known.is_none_or(|known| known < seq);
                        prop_assert_eq!(newest.keep(row(key, seq)), is_news);
                        if is_news {
                            known.map(|seq| model.remove(&seq));
                            model.insert(seq, key);
                        }
                    }
                }
                prop_assert_eq!(newest.len(), model.len());
            }
            let told: Vec<_> = newest.after(after).copied().collect();
            let expected: Vec<_> = model.range(after + 1..).map(|(seq, key)| row(*key, *seq)).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
