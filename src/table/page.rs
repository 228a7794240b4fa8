//! One page of slots: four kilobytes of cache lines, each with four slots.
//!
//! A slot is two words, a tag and what is said of the key. The tag is 64 bits of the key's id; its low
//! bits say in which line the key is looked for first, and then the lines after it, up to one that
//! has a slot which was never used. A slot that is given up keeps its tag if another may have been
//! pushed past it; it is used again by the next key that comes by.

use super::LimitIndex;

/// Slots of a page.
pub(super) const SLOTS: usize = LINES * SLOTS_PER_LINE;
const LINES: usize = 64;
const SLOTS_PER_LINE: usize = 4;

/// So many used slots, and the page is sorted out: what probes for a key grow from there on.
pub(super) const USED_MAX: usize = 230;

/// A tag and a word; no tag is nothing, no word is nobody's any more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) tag: u64,
    pub(super) word: u64,
}

/// As much as a cache takes from memory at once.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Line([Slot; SLOTS_PER_LINE]);

/// The slots of a page.
#[derive(Debug)]
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
    pub(super) slot: Slot,
    pub(super) rest: u64,
    pub(super) limit: LimitIndex,
}

impl Page {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            lines: [Line::default(); LINES],
        })
    }

    /// Where the key with this tag is, and its word.
    pub(super) fn find(&self, tag: u64) -> Option<(usize, u64)> {
        let home = tag as usize;
        for step in 0..LINES {
            let line = home.wrapping_add(step) % LINES;
            let slots = &self.lines[line].0;
            for (at, slot) in slots.iter().enumerate() {
                if slot.tag == tag {
                    return (slot.word != 0).then_some((line * SLOTS_PER_LINE + at, slot.word));
                }
            }
            if slots.iter().any(|slot| slot.tag == 0) {
                return None;
            }
        }
        None
    }

    pub(super) fn slot(&self, at: usize) -> Slot {
        self.lines[at / SLOTS_PER_LINE % LINES].0[at % SLOTS_PER_LINE]
    }

    pub(super) fn set_word(&mut self, at: usize, word: u64) {
        self.lines[at / SLOTS_PER_LINE % LINES].0[at % SLOTS_PER_LINE].word = word;
    }

    /// Writes a key that the page does not know into the first slot that is nobody's; where that is,
    /// and whether it was never used. `None` if every slot is somebody's.
    fn place(&mut self, slot: Slot) -> Option<(usize, bool)> {
        let home = slot.tag as usize;
        for step in 0..LINES {
            let line = home.wrapping_add(step) % LINES;
            let slots = &mut self.lines[line].0;
            // A slot that still has this very tag comes first, or there would be two.
            let same = slots.iter().position(|old| old.tag == slot.tag);
            if let Some(at) = same.or_else(|| slots.iter().position(|old| old.word == 0)) {
                let fresh = slots[at].tag == 0;
                slots[at] = slot;
                return Some((line * SLOTS_PER_LINE + at, fresh));
            }
        }
        None
    }

    /// Whether no key can have been pushed past the line of a slot.
    fn ends_here(&self, at: usize) -> bool {
        let line = &self.lines[at / SLOTS_PER_LINE % LINES].0;
        line.iter().any(|slot| slot.tag == 0)
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
pub(super) fn add(page: &mut Page, margin: &mut Margin, resident: &Resident) -> Option<usize> {
    let (at, fresh) = page.place(resident.slot)?;
    margin.used += usize::from(fresh);
    margin.note(at, resident);
    Some(at)
}

/// Gives a slot up.
pub(super) fn vacate(page: &mut Page, margin: &mut Margin, at: usize) {
    page.set_word(at, 0);
    if page.ends_here(at) {
        page.lines[at / SLOTS_PER_LINE % LINES].0[at % SLOTS_PER_LINE].tag = 0;
        margin.used -= 1;
    }
}

/// Takes every key out of a page, which is empty then.
pub(super) fn empty(page: &mut Page, margin: &mut Margin) -> Vec<Resident> {
    let residents = (0..SLOTS).filter(|at| page.slot(*at).word != 0);
    let residents = residents
        .map(|at| Resident {
            slot: page.slot(at),
            rest: margin.rest(at),
            limit: margin.limit(at),
        })
        .collect();
    page.lines = [Line::default(); LINES];
    margin.used = 0;
    residents
}
