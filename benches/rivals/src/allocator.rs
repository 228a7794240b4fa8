//! The allocator of this program: the system's, with a count of the bytes that each thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// What this thread has asked for, less what it has given back. A plain cell: it costs next to
    /// nothing, and no contestant pays for others' threads.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Bytes that this thread has asked for and not given back, from an arbitrary beginning.
pub fn live_bytes() -> isize {
    LIVE_BYTES.get()
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    // A thread that ends gives back what it holds when its cell is gone already.
    let _gone = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its nature, and every call goes to the system's as it is"
)]
// SAFETY: all is done by the system's allocator, which keeps the contract; counting touches no memory
// that it hands out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes as isize - layout.size() as isize);
        // SAFETY: the caller's.
        unsafe { System.realloc(place, layout, bytes) }
    }
}
