//! Where slots are stored: the part that a flat, lock-free table can replace.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::IndexMap;

use super::{Entry, LimitIndex};
use crate::limit::UnitsTime;
use crate::units::KeyId;

/// What is stored of a key.
#[derive(Debug)]
pub(super) enum Slot {
    /// Held at the base split; drained at this units-time.
    Quiet(LimitIndex, UnitsTime),
    /// Has more to tell.
    Contended(Box<Entry>),
}

/// Storage for slots: what a shard asks of it, and no more.
pub(super) trait Slots {
    /// The slot of a key.
    fn find(&mut self, key: KeyId) -> Option<&mut Slot>;
    /// Stores a slot, replacing the key's old one.
    fn store(&mut self, key: KeyId, slot: Slot);
    /// Removes a key's slot.
    fn remove(&mut self, key: KeyId);
    /// How many keys have a slot.
    fn count(&self) -> usize;
    /// Looks at up to `count` slots, resuming where the last look ended.
    fn survey(&mut self, count: usize, look: &mut dyn FnMut(KeyId, &Slot));
    /// Looks at every slot.
    fn each(&self, look: &mut dyn FnMut(KeyId, &Slot));
}

/// A plain map: slots in insertion order, with a hand that goes round.
#[derive(Debug, Default)]
pub(super) struct PlainMap {
    slots: IndexMap<KeyId, Slot, BuildHasherDefault<KeyHasher>>,
    hand: usize,
}

impl Slots for PlainMap {
    fn find(&mut self, key: KeyId) -> Option<&mut Slot> {
        self.slots.get_mut(&key)
    }

    fn store(&mut self, key: KeyId, slot: Slot) {
        self.slots.insert(key, slot);
    }

    fn remove(&mut self, key: KeyId) {
        self.slots.swap_remove(&key);
    }

    fn count(&self) -> usize {
        self.slots.len()
    }

    fn survey(&mut self, count: usize, look: &mut dyn FnMut(KeyId, &Slot)) {
        for _ in 0..count.min(self.slots.len()) {
            self.hand = if self.hand + 1 < self.slots.len() {
                self.hand + 1
            } else {
                0
            };
            if let Some((key, slot)) = self.slots.get_index(self.hand) {
                look(*key, slot);
            }
        }
    }

    fn each(&self, look: &mut dyn FnMut(KeyId, &Slot)) {
        self.slots.iter().for_each(|(key, slot)| look(*key, slot));
    }
}

/// Key ids are keyed hashes already: their low half is as good as any hash of them.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, word: u128) {
        self.0 = word as u64;
    }
}
