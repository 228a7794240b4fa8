//! Where pages come from: a supply that all tables of the process share.
//!
//! The first pages are of memory as it comes. From there on they are cut from chunks that the system is
//! asked to map by large pages, of two megabytes on most machines: a check of one key among millions
//! then finds where its page lies without a walk through tables of addresses. Chunks are never given
//! back to the system, which is what lets a page be a plain reference; pages that a table no longer
//! needs go to the next that asks.

use memmap2::MmapMut;
use parking_lot::Mutex;
use zerocopy::FromBytes;

use super::page::Page;

/// The first chunk: two megabytes of small pages, of which no more is taken than is used.
const FIRST_CHUNK_BYTES: usize = 2 << 20;

/// Every other chunk. Addresses only: memory is taken two megabytes at a time, as it is used.
const CHUNK_BYTES: usize = 64 << 20;

struct Supply {
    /// Pages that came back, with nobody in them.
    returned: Vec<&'static Page>,
    /// Pages that were never used.
    fresh: &'static [Page],
    chunks: usize,
}

static SUPPLY: Mutex<Supply> = Mutex::new(Supply {
    returned: Vec::new(),
    fresh: &[],
    chunks: 0,
});

/// A page with nobody in it.
pub(super) fn take() -> &'static Page {
    SUPPLY.lock().take()
}

/// Takes pages back that their table needs no more.
pub(super) fn give_back(pages: &[&'static Page]) {
    pages.iter().for_each(|page| page.clear());
    SUPPLY.lock().returned.extend_from_slice(pages);
}

impl Supply {
    fn take(&mut self) -> &'static Page {
        if let Some(page) = self.returned.pop() {
            return page;
        }
        if self.fresh.is_empty() {
            self.fresh = chunk(self.chunks == 0).unwrap_or_default();
            self.chunks += 1;
        }
        if let Some((page, rest)) = self.fresh.split_first() {
            self.fresh = rest;
            return page;
        }
        // The system maps nothing: what the allocator has will do.
        Box::leak(Box::new(Page::new()))
    }
}

/// Memory for many pages. The system fills it with zeros, which is what an empty page is.
fn chunk(first: bool) -> Option<&'static [Page]> {
    let bytes = if first {
        FIRST_CHUNK_BYTES
    } else {
        CHUNK_BYTES
    };
    let memory = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    if !first {
        // Without large pages all works as well, and somewhat slower.
        let _advised = memory.advise(memmap2::Advice::HugePage);
    }
    let memory: &'static mut MmapMut = Box::leak(Box::new(memory));
    let pages: &'static [Page] = <[Page]>::mut_from_bytes(memory).ok()?;
    Some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_back_and_go_out_again_empty() {
        let mut supply = Supply {
            returned: Vec::new(),
            fresh: &[],
            chunks: 0,
        };
        let page = supply.take();
        page.slot(3).set_word(7);
        page.clear();
        supply.returned.push(page);
        let again = supply.take();
        assert!(std::ptr::eq(page, again));
        assert_eq!(again.slot(3).word(), 0);
        assert!(!std::ptr::eq(again, supply.take()));
    }

    #[test]
    fn a_chunk_is_followed_by_another() {
        let mut supply = Supply {
            returned: Vec::new(),
            fresh: &[],
            chunks: 0,
        };
        let pages = FIRST_CHUNK_BYTES / size_of::<Page>();
        let distinct: std::collections::BTreeSet<usize> = (0..=pages)
            .map(|_| std::ptr::from_ref(supply.take()).addr())
            .collect();
        assert_eq!((distinct.len(), supply.chunks), (pages + 1, 2));
    }
}
