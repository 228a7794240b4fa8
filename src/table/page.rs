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
    #[inline]
    pub(super) fn find(&self, tag: u64) -> Option<(usize, u64)> {
        let home = tag as usize % LINES;
        let line = &self.lines[home];
        // Most keys are in the first line, or are not known.
        match line.position(tag) {
            Some(at) => line.found(home, at),
            None if line.ends_here() => None,
            None => self.find_further(tag),
        }
    }

    /// Where a key is that was pushed out of the line that it is looked for in first.
    #[inline(never)]
    fn find_further(&self, tag: u64) -> Option<(usize, u64)> {
        for number in lines_from(tag).skip(1) {
            let line = &self.lines[number];
            if let Some(at) = line.position(tag) {
                return line.found(number, at);
            }
            if line.ends_here() {
                return None;
            }
        }
        None
    }

    #[inline]
    pub(super) fn slot(&self, at: usize) -> Slot {
        self.lines[at / SLOTS_PER_LINE % LINES].0[at % SLOTS_PER_LINE]
    }

    #[inline]
    pub(super) fn set_word(&mut self, at: usize, word: u64) {
        self.slot_mut(at).word = word;
    }

    #[inline]
    fn slot_mut(&mut self, at: usize) -> &mut Slot {
        &mut self.lines[at / SLOTS_PER_LINE % LINES].0[at % SLOTS_PER_LINE]
    }

    /// Writes a key that the page does not know into the first slot that is nobody's; where that is,
    /// and whether it was never used. `None` if every slot is somebody's.
    fn place(&mut self, slot: Slot) -> Option<(usize, bool)> {
        for number in lines_from(slot.tag) {
            let line = &mut self.lines[number];
            // A slot that still has this very tag comes first, or there would be two.
            let same = line.position(slot.tag);
            if let Some(at) = same.or_else(|| line.0.iter().position(|old| old.word == 0)) {
                let fresh = line.0[at].tag == 0;
                line.0[at] = slot;
                return Some((number * SLOTS_PER_LINE + at, fresh));
            }
        }
        None
    }
}

/// The lines of a page in the order in which a key is looked for in them.
fn lines_from(tag: u64) -> impl Iterator<Item = usize> {
    let home = tag as usize;
    (0..LINES).map(move |step| home.wrapping_add(step) % LINES)
}

impl Line {
    #[inline]
    fn position(&self, tag: u64) -> Option<usize> {
        self.0.iter().position(|slot| slot.tag == tag)
    }

    /// What a slot with the tag that was looked for says: nothing if it was given up.
    #[inline]
    fn found(&self, number: usize, at: usize) -> Option<(usize, u64)> {
        let word = self.0[at % SLOTS_PER_LINE].word;
        (word != 0).then_some((number * SLOTS_PER_LINE + at, word))
    }

    /// Whether no key can have been pushed past it.
    #[inline]
    fn ends_here(&self) -> bool {
        self.0.iter().any(|slot| slot.tag == 0)
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
    if page.lines[at / SLOTS_PER_LINE % LINES].ends_here() {
        page.slot_mut(at).tag = 0;
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
