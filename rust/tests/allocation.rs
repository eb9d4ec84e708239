//! A counting allocator: a damaged file must not make a reader allocate more than a sound one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which records the largest request of each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn record(size: usize) {
    // A thread that is ending has no cell any more, and nothing that a test measures.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(address, layout) }
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        record(size);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(address, layout, size) }
    }
}

/// Run `work`; also return the largest number of bytes that it allocated at once on this thread.
pub(crate) fn largest_allocation<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.with(|largest| largest.set(0));
    let done = work();
    (done, LARGEST.with(Cell::get))
}

#[test]
fn the_largest_allocation_is_recorded() {
    let (kept, size) = largest_allocation(|| (vec![0_u8; 12_345], vec![0_u8; 100]));
    assert_eq!((kept.0.len(), size), (12_345, 12_345));
}
