//! Where slots are stored: pages of them that divide in two as they fill.
//!
//! A directory says which page a key is in, by some bits of its tag (extendible hashing, Fagin et al.
//! 1979). A page that is full is sorted out: what is nobody's any more is dropped, and if much is
//! left it becomes two. So a table grows by four kilobytes at a time, and no insertion moves more
//! than a page, some microseconds' work; at random keys pages are 0.59 to 0.68 full, 23 to 27 bytes for a
//! key. Where the maximum is known the first pages are as many as will be needed.

use super::LimitIndex;
use super::page::{self, Margin, Page, Resident, SLOTS, Slot, USED_MAX};
use super::supply;
use crate::limit::UnitsTime;
use crate::units::KeyId;

/// The bit of a word that says that the key is contended; the others number its entry then.
const CONTENDED: u64 = 1 << 63;

/// A page with more keys than this becomes two when it is sorted out.
const PART_FROM: usize = 180;

/// Keys of a page on average where the maximum is known: few pages have to part then.
const KEYS_PER_PAGE: usize = 196;

/// First pages of a shard, at least, and one to three more from shard to shard: pages of a shard fill
/// together, and were they as many in each all would part at once, and a table of the wrong size would be half empty.
const ROOTS_MIN: usize = 4;

/// Bits of a tag that choose the page, at most: a million pages for each first one.
const BITS_MAX: u32 = 20;

/// Bits of a tag that choose the line in its page.
const LINE_BITS: u32 = 6;

/// What is said of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is quiet: held at the base split, and drained at this units-time.
    Quiet(UnitsTime),
    /// It is contended: the number of its entry.
    Contended(usize),
}

/// Where a key is: until another is added.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotAt(&'static Slot);

/// A slot that somebody has, as a survey sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) place: SlotAt,
    pub(super) limit: LimitIndex,
    pub(super) said: Said,
}

/// The slots of one shard. What every check reads comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slots {
    /// Which page a tag is in. A page has as many entries as it has bits less than the directory.
    directory: Vec<&'static Page>,
    /// How many first pages there are.
    roots: u64,
    /// How many bits of a tag the directory goes by, for each first page.
    bits: u32,
    /// The numbers of the directory's pages.
    numbers: Vec<u32>,
    pages: Vec<&'static Page>,
    margins: Vec<Margin>,
    count: usize,
    hand: usize,
    keeps_rests: bool,
    keeps_limits: bool,
}

/// How slots are to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    /// Whether keys are to be told by their ids: a table that shares them with others needs that.
    pub(super) ids: bool,
    /// Whether there are several limits.
    pub(super) limits: bool,
    /// For how many keys to make room at once.
    pub(super) room: usize,
    /// Which of the table's shards it is.
    pub(super) shard: usize,
}

impl Said {
    const fn word(self) -> u64 {
        match self {
            // The first instant of all has drained ever since.
            Self::Quiet(UnitsTime(0)) => 1,
            Self::Quiet(UnitsTime(time)) => time & !CONTENDED,
            Self::Contended(entry) => entry as u64 | CONTENDED,
        }
    }

    const fn of(word: u64) -> Self {
        match word & CONTENDED {
            0 => Self::Quiet(UnitsTime(word)),
            _ => Self::Contended((word & !CONTENDED) as usize),
        }
    }
}

impl Slots {
    pub(super) fn new(keeping: Keeping) -> Self {
        let least = ROOTS_MIN + keeping.shard % ROOTS_MIN;
        let roots = keeping.room.div_ceil(KEYS_PER_PAGE).max(least);
        Self {
            directory: Vec::new(),
            roots: roots as u64,
            bits: 0,
            numbers: Vec::new(),
            pages: Vec::new(),
            margins: Vec::new(),
            count: 0,
            hand: 0,
            keeps_rests: keeping.ids,
            keeps_limits: keeping.limits,
        }
    }

    /// How many keys have a slot.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// What is said of a key, and where.
    pub(super) fn find(&self, key: KeyId) -> Option<(SlotAt, Said)> {
        self.find_here(key)
    }

    /// The same, for the one place where a call would be felt.
    #[inline(always)]
    pub(super) fn find_here(&self, key: KeyId) -> Option<(SlotAt, Said)> {
        let tag = tag_of(key);
        let page: &'static Page = self.directory.get(self.index_of(tag))?;
        let (slot, word) = page.find(tag)?;
        Some((SlotAt(slot), Said::of(word)))
    }

    /// Asks for where a key would be, and does not wait for it.
    pub(super) fn prefetch(&self, key: KeyId) {
        let tag = tag_of(key);
        if let Some(page) = self.directory.get(self.index_of(tag)) {
            page.prefetch(tag);
        }
    }

    /// Says something else of a key.
    #[inline]
    pub(super) fn set(&mut self, at: SlotAt, said: Said) {
        at.0.set_word(said.word());
    }

    /// Adds a key that has no slot.
    pub(super) fn add(&mut self, key: KeyId, limit: LimitIndex, said: Said) {
        let tag = tag_of(key);
        let resident = Resident {
            tag,
            word: said.word(),
            rest: key.0 as u64,
            limit,
        };
        if self.directory.is_empty() {
            self.found();
        }
        self.make_room_for(tag);
        self.count += 1;
        self.put(&resident);
    }

    /// Gives up the slot of a key.
    pub(super) fn vacate(&mut self, at: SlotAt) {
        let (page, at) = self.numbers_of(at);
        page::vacate(self.pages[page], &mut self.margins[page], at);
        self.count -= 1;
    }

    /// Under which limit the key of a slot is.
    pub(super) fn limit_at(&self, at: SlotAt) -> LimitIndex {
        let (page, at) = self.numbers_of(at);
        self.margins[page].limit(at)
    }

    /// The key of a slot, where ids are kept.
    pub(super) fn key_at(&self, at: SlotAt) -> Option<KeyId> {
        let tag = at.0.tag();
        let (page, at) = self.numbers_of(at);
        let rest = self.margins[page].rest(at);
        self.keeps_rests.then(|| key_of(tag, rest))
    }

    /// The number of a slot's page, and which slot of it it is.
    fn numbers_of(&self, at: SlotAt) -> (usize, usize) {
        let page = self.numbers[self.index_of(at.0.tag())] as usize;
        (page, self.pages[page].number_of(at.0))
    }

    /// Looks at up to `count` slots that somebody has, resuming where the last look ended, for as
    /// long as `look` wants more. Slots that are nobody's are passed over, but not for ever.
    pub(super) fn survey(&mut self, count: usize, mut look: impl FnMut(Seen) -> bool) {
        let slots = self.pages.len() * SLOTS;
        let (mut seen, mut passed) = (0, 0);
        while seen < count && passed < slots.min(SLOTS + count * 4) {
            self.hand = if self.hand + 1 < slots {
                self.hand + 1
            } else {
                0
            };
            passed += 1;
            if let Some(found) = self.at(self.hand) {
                seen += 1;
                if !look(found) {
                    return;
                }
            }
        }
    }

    /// Looks at every slot that somebody has.
    pub(super) fn each(&self) -> impl Iterator<Item = Seen> {
        (0..self.pages.len() * SLOTS).filter_map(|at| self.at(at))
    }

    fn at(&self, number: usize) -> Option<Seen> {
        let (page, at) = (number / SLOTS, number % SLOTS);
        let slot = self.pages[page].slot(at);
        let word = slot.word();
        (word != 0).then(|| Seen {
            place: SlotAt(slot),
            limit: self.margins[page].limit(at),
            said: Said::of(word),
        })
    }

    /// The first pages.
    fn found(&mut self) {
        for _ in 0..self.roots {
            let number = self.add_page(0);
            self.numbers.push(number);
            self.directory.push(self.pages[number as usize]);
        }
    }

    fn add_page(&mut self, depth: u32) -> u32 {
        self.pages.push(supply::take());
        let margin = Margin::new(depth, self.keeps_rests, self.keeps_limits);
        self.margins.push(margin);
        (self.pages.len() - 1) as u32
    }

    /// Where the directory says which page a tag is in.
    #[inline]
    fn index_of(&self, tag: u64) -> usize {
        let root = ((tag >> 32) * self.roots) >> 32;
        let below = (tag >> LINE_BITS) & ((1 << self.bits) - 1);
        ((root << self.bits) | below) as usize
    }

    fn put(&mut self, resident: &Resident) {
        let page = self.numbers[self.index_of(resident.tag)] as usize;
        let added = page::add(self.pages[page], &mut self.margins[page], resident);
        // A page has room for more than it is ever let have.
        debug_assert!(added.is_some());
    }

    /// Sorts a page out, and parts it, until there is room for one more key with this tag.
    fn make_room_for(&mut self, tag: u64) {
        loop {
            let page = self.numbers[self.index_of(tag)] as usize;
            if self.margins[page].used < USED_MAX {
                return;
            }
            let residents = page::empty(self.pages[page], &mut self.margins[page]);
            let parts = residents.len() > PART_FROM && self.part(page, tag);
            residents.iter().for_each(|resident| self.put(resident));
            if !parts {
                return;
            }
        }
    }

    /// Makes two pages of an empty one; false if its keys have no more bits to differ in.
    fn part(&mut self, page: usize, tag: u64) -> bool {
        let depth = self.margins[page].depth;
        if depth == self.bits && !self.double() {
            return false;
        }
        self.margins[page].depth = depth + 1;
        let twin = self.add_page(depth + 1);
        let root = self.index_of(tag) >> self.bits << self.bits;
        let same = (tag >> LINE_BITS) as usize & ((1 << depth) - 1);
        let first = root | same | (1 << depth);
        for index in (first..root + (1 << self.bits)).step_by(2 << depth) {
            self.numbers[index] = twin;
            self.directory[index] = self.pages[twin as usize];
        }
        true
    }

    /// Makes the directory go by one bit more.
    fn double(&mut self) -> bool {
        if self.bits >= BITS_MAX {
            return false;
        }
        self.directory = doubled(&self.directory, 1 << self.bits);
        self.numbers = doubled(&self.numbers, 1 << self.bits);
        self.bits += 1;
        true
    }
}

/// Each root's entries twice.
fn doubled<T: Copy>(entries: &[T], each: usize) -> Vec<T> {
    let roots = entries.chunks(each);
    roots.flat_map(|root| [root, root].concat()).collect()
}

/// Pages are the process's: who does not need them any more gives them back.
impl Drop for Slots {
    fn drop(&mut self) {
        supply::give_back(&self.pages);
    }
}

/// Spreads ids that somebody has numbered, too. Not the constant that numbers are usually spread by: what
/// was spread by it already would cancel out.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// No tag is zero: ids with the one that would be share it with another.
const fn tag_of(key: KeyId) -> u64 {
    let tag = !((key.0 >> 64) as u64) ^ (key.0 as u64).wrapping_mul(SPREAD);
    if tag == 0 { 1 } else { tag }
}

const fn key_of(tag: u64, rest: u64) -> KeyId {
    let first = !(tag ^ rest.wrapping_mul(SPREAD));
    KeyId((first as u128) << 64 | rest as u128)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn slots(room: usize) -> Slots {
        Slots::new(Keeping {
            ids: true,
            limits: true,
            room,
            shard: 0,
        })
    }

    fn quiet(time: u64) -> Said {
        Said::Quiet(UnitsTime(time))
    }

    /// As hashes are, or as somebody numbers them.
    fn key(number: u64, hashed: bool) -> KeyId {
        let spread = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        KeyId(u128::from(number).wrapping_mul(if hashed { spread } else { 1 }))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u64, u64),
        Contend(u64, usize),
        Vacate(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0u64..3000, 1u64..1 << 62).prop_map(|(key, time)| Step::Put(key, time)),
            1 => (0u64..3000, 0usize..100).prop_map(|(key, entry)| Step::Contend(key, entry)),
            3 => (0u64..3000).prop_map(Step::Vacate),
        ];
        prop::collection::vec(step, 0..6000)
    }

    fn put(slots: &mut Slots, key: KeyId, said: Said) {
        match slots.find(key) {
            Some((place, _)) => slots.set(place, said),
            None => slots.add(key, LimitIndex(key.0 as u16 % 7), said),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        /// Whatever is put and given up, a map says the same; with room made before or not.
        #[test]
        fn it_is_a_map(steps in steps(), hashed: bool, room in prop_oneof![Just(0), Just(2000)]) {
            let (mut slots, mut model) = (slots(room), BTreeMap::new());
            for step in steps {
                let (number, said) = match step {
                    Step::Put(number, time) => (number, Some(quiet(time))),
                    Step::Contend(number, entry) => (number, Some(Said::Contended(entry))),
                    Step::Vacate(number) => (number, None),
                };
                let key = key(number, hashed);
                if let Some(said) = said {
                    put(&mut slots, key, said);
                    model.insert(key, said);
                } else {
                    let known = slots.find(key);
                    prop_assert_eq!(known.is_some(), model.remove(&key).is_some());
                    known.into_iter().for_each(|(place, _)| slots.vacate(place));
                    prop_assert!(slots.find(key).is_none());
                }
                prop_assert_eq!(slots.count(), model.len());
            }
            for (key, said) in &model {
                let (place, found) = slots.find(*key).expect("it was put");
                prop_assert_eq!((found, slots.key_at(place)), (*said, Some(*key)));
                prop_assert_eq!(slots.limit_at(place), LimitIndex(key.0 as u16 % 7));
            }
            let each: BTreeMap<_, _> = slots.each().map(|seen| (slots.key_at(seen.place), seen.said)).collect();
            prop_assert_eq!(each.len(), model.len());
            prop_assert!(model.iter().all(|(key, said)| each.get(&Some(*key)) == Some(said)));
        }
    }

    #[test]
    fn it_grows_by_pages_that_are_well_filled() {
        let mut slots = slots(0);
        let mut least = f64::MAX;
        for number in 0..200_000 {
            slots.add(key(number, true), LimitIndex(0), quiet(number + 1));
            if number > 10_000 {
                least = least.min(slots.count() as f64 / (slots.pages.len() * SLOTS) as f64);
            }
        }
        assert!(least > 0.44, "{least} of the slots in use");
        assert!((0..200_000).all(|number| {
            slots.find(key(number, true)).map(|(_, said)| said) == Some(quiet(number + 1))
        }));
    }

    /// However many keys there are: the shards of a table do not part their pages all at once.
    #[test]
    fn shards_take_turns_in_growing() {
        let mut shards: Vec<Slots> = (0..8)
            .map(|shard| {
                Slots::new(Keeping {
                    ids: false,
                    limits: false,
                    room: 0,
                    shard,
                })
            })
            .collect();
        let (mut least, mut most) = (f64::MAX, 0.0_f64);
        for number in 0..80_000 {
            let slots = &mut shards[number as usize % 8];
            slots.add(key(number, true), LimitIndex(0), quiet(1));
            if number > 16_000 && number % 400 == 0 {
                let pages: usize = shards.iter().map(|slots| slots.pages.len()).sum();
                let part = number as f64 / (pages * SLOTS) as f64;
                (least, most) = (least.min(part), most.max(part));
            }
        }
        assert!(
            least > 0.56 && most < 0.69,
            "{least} to {most} of the slots in use"
        );
    }

    #[test]
    fn where_the_number_is_known_pages_are_fuller() {
        let mut slots = slots(100_000);
        (0..100_000).for_each(|number| slots.add(key(number, true), LimitIndex(0), quiet(1)));
        let part = slots.count() as f64 / (slots.pages.len() * SLOTS) as f64;
        assert!(part > 0.72, "{part} of the slots in use");
    }

    /// Keys come and go: their slots are used again, and pages are as well filled as after growth.
    #[test]
    fn churn_takes_no_more_memory() {
        let mut slots = slots(0);
        for number in 0..1_000_000 {
            slots.add(key(number, true), LimitIndex(0), quiet(1));
            if number >= 5_000 {
                let (place, _) = slots.find(key(number - 5_000, true)).expect("it was added");
                slots.vacate(place);
            }
        }
        assert_eq!(slots.count(), 5_000);
        let part = slots.count() as f64 / (slots.pages.len() * SLOTS) as f64;
        assert!(part > 0.44, "{part} of the slots in use");
    }

    #[test]
    fn a_survey_sees_every_slot_in_turn() {
        let mut slots = slots(0);
        (0..1_000)
            .for_each(|number| slots.add(key(number, true), LimitIndex(0), quiet(number + 1)));
        let mut seen = BTreeMap::new();
        for _ in 0..100 {
            slots.survey(10, |found| {
                *seen
                    .entry(std::ptr::from_ref(found.place.0).addr())
                    .or_insert(0) += 1;
                true
            });
        }
        assert_eq!(seen.len(), 1_000);
        assert!(seen.values().all(|times| *times == 1));
        let mut looked = 0;
        slots.survey(10, |_| {
            looked += 1;
            looked < 3
        });
        assert_eq!(looked, 3, "no further than is wanted");
    }
}
