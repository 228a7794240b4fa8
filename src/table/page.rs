//! One page of slots: four kilobytes of cache lines, each with four slots.
//!
//! A slot is two words, a tag and what is said of the key. The tag is 64 bits of the key's id; its low
//! bits say in which line the key is looked for first, and then the lines after it, up to one that
//! has a slot which was never used. A slot that is given up keeps its tag if another may have been
//! pushed past it; it is used again by the next key that comes by.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, IntoBytes, KnownLayout};

use super::LimitIndex;

/// Slots of a page.
pub(super) const SLOTS: usize = LINES * SLOTS_PER_LINE;
const LINES: usize = 64;
const SLOTS_PER_LINE: usize = 4;

/// So many used slots, and the page is sorted out: what probes for a key grow from there on.
pub(super) const USED_MAX: usize = 236;

/// A tag and a word; no tag is nothing, no word is nobody's any more.
///
/// They are atomic only so that a page can be shared by several entries of a directory: who reads and
/// writes them has the shard's lock, and no order is asked of them.
#[derive(Debug, Default, FromBytes, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Slot {
    tag: AtomicU64,
    word: AtomicU64,
}

/// As much as a cache takes from memory at once.
#[derive(Debug, FromBytes, IntoBytes, KnownLayout)]
#[repr(C, align(64))]
pub(super) struct Line([Slot; SLOTS_PER_LINE]);

/// The slots of a page.
#[derive(Debug, FromBytes, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Page {
    lines: [Line; LINES],
}

/// What there is to say of a slot that a check does not need.
#[derive(Debug)]
pub(super) struct Margin {
    /// How many slots have a tag.
    pub(super) used: usize,
    /// How many bits of a tag all keys of the page have in common, beside the root.
    pub(super) depth: u32,
    /// The other 64 bits of the key's id, where they are needed.
    rests: Option<Box<[u64; SLOTS]>>,
    /// Under which limit the key is, where there are several.
    limits: Option<Box<[LimitIndex; SLOTS]>>,
}

/// A key as a page knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resident {
    pub(super) tag: u64,
    pub(super) word: u64,
    pub(super) rest: u64,
    pub(super) limit: LimitIndex,
}

impl Slot {
    #[inline]
    pub(super) fn tag(&self) -> u64 {
        self.tag.load(Relaxed)
    }

    #[inline]
    pub(super) fn word(&self) -> u64 {
        self.word.load(Relaxed)
    }

    #[inline]
    pub(super) fn set_word(&self, word: u64) {
        self.word.store(word, Relaxed);
    }

    fn set(&self, tag: u64, word: u64) {
        self.tag.store(tag, Relaxed);
        self.set_word(word);
    }
}

impl Page {
    /// A page with nobody in it.
    pub(super) fn new() -> Self {
        let line = || Line(std::array::from_fn(|_| Slot::default()));
        Self {
            lines: std::array::from_fn(|_| line()),
        }
    }

    /// Where the key with this tag is, and its word.
    #[inline(always)]
    pub(super) fn find(&self, tag: u64) -> Option<(&Slot, u64)> {
        let line = &self.lines[tag as usize % LINES];
        // Most keys are in the first line, or are not known.
        match line.with_tag(tag) {
            Some(slot) => known(slot),
            None if line.ends_here() => None,
            None => self.find_further(tag),
        }
    }

    /// Asks for the line that a key is looked for in first, and does not wait for it.
    pub(super) fn prefetch(&self, tag: u64) {
        prefetch_index(&self.lines, tag as usize % LINES);
    }

    /// Where a key is that was pushed out of the line that it is looked for in first.
    #[inline(never)]
    fn find_further(&self, tag: u64) -> Option<(&Slot, u64)> {
        for line in self.lines_from(tag).skip(1) {
            if let Some(slot) = line.with_tag(tag) {
                return known(slot);
            }
            if line.ends_here() {
                return None;
            }
        }
        None
    }

    /// The lines in the order in which a key is looked for in them.
    fn lines_from(&self, tag: u64) -> impl Iterator<Item = &Line> {
        let home = tag as usize;
        (0..LINES).map(move |step| &self.lines[home.wrapping_add(step) % LINES])
    }

    pub(super) fn slot(&self, at: usize) -> &Slot {
        &self.line_of(at).0[at % SLOTS_PER_LINE]
    }

    fn line_of(&self, at: usize) -> &Line {
        &self.lines[at / SLOTS_PER_LINE % LINES]
    }

    /// Which of the page's slots one is, by where it lies.
    pub(super) fn number_of(&self, slot: &Slot) -> usize {
        let from = std::ptr::from_ref(self).addr();
        (std::ptr::from_ref(slot).addr().wrapping_sub(from) / size_of::<Slot>()) % SLOTS
    }

    /// Writes a key that the page does not know into the first slot that is nobody's; where that is,
    /// and whether it was never used. `None` if every slot is somebody's.
    fn place(&self, tag: u64, word: u64) -> Option<(usize, bool)> {
        // A slot that still has this very tag comes first, or there would be two.
        let room = |line: &'_ Line| {
            line.with_tag(tag).or_else(|| line.nobodys()).map(|slot| {
                let fresh = slot.tag() == 0;
                slot.set(tag, word);
                (self.number_of(slot), fresh)
            })
        };
        self.lines_from(tag).find_map(room)
    }

    /// Makes every slot as if it had never been used.
    pub(super) fn clear(&self) {
        (0..SLOTS).for_each(|at| self.slot(at).set(0, 0));
    }
}

/// What a slot with the tag that was looked for says: nothing if it was given up.
#[inline]
fn known(slot: &Slot) -> Option<(&Slot, u64)> {
    let word = slot.word();
    (word != 0).then_some((slot, word))
}

impl Line {
    #[inline]
    fn with_tag(&self, tag: u64) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.tag() == tag)
    }

    fn nobodys(&self) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.word() == 0)
    }

    /// Whether no key can have been pushed past it.
    #[inline]
    fn ends_here(&self) -> bool {
        self.with_tag(0).is_some()
    }
}

impl Margin {
    pub(super) fn new(depth: u32, rests: bool, limits: bool) -> Self {
        Self {
            used: 0,
            depth,
            rests: rests.then(|| Box::new([0; SLOTS])),
            limits: limits.then(|| Box::new([LimitIndex(0); SLOTS])),
        }
    }

    pub(super) fn rest(&self, at: usize) -> u64 {
        self.rests.as_ref().map_or(0, |rests| rests[at % SLOTS])
    }

    pub(super) fn limit(&self, at: usize) -> LimitIndex {
        let limits = self.limits.as_ref();
        limits.map_or(LimitIndex(0), |limits| limits[at % SLOTS])
    }

    fn note(&mut self, at: usize, resident: &Resident) {
        if let Some(rests) = &mut self.rests {
            rests[at % SLOTS] = resident.rest;
        }
        if let Some(limits) = &mut self.limits {
            limits[at % SLOTS] = resident.limit;
        }
    }
}

/// Writes a key into a page that does not know it; where, or `None` if the page is full.
pub(super) fn add(page: &Page, margin: &mut Margin, resident: &Resident) -> Option<usize> {
    let (at, fresh) = page.place(resident.tag, resident.word)?;
    margin.used += usize::from(fresh);
    margin.note(at, resident);
    Some(at)
}

/// Gives a slot up.
pub(super) fn vacate(page: &Page, margin: &mut Margin, at: usize) {
    let slot = page.slot(at);
    slot.set_word(0);
    if page.line_of(at).ends_here() {
        slot.set(0, 0);
        margin.used -= 1;
    }
}

/// Takes every key out of a page, which is empty then.
pub(super) fn empty(page: &Page, margin: &mut Margin) -> Vec<Resident> {
    let residents = (0..SLOTS).filter(|at| page.slot(*at).word() != 0);
    let residents = residents
        .map(|at| Resident {
            tag: page.slot(at).tag(),
            word: page.slot(at).word(),
            rest: margin.rest(at),
            limit: margin.limit(at),
        })
        .collect();
    page.clear();
    margin.used = 0;
    residents
}
