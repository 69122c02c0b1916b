//! An allocator that counts.
//!
//! A test binary installs it:
//!
//! ```
//! use gannet_tests::counting::{Counting, counts};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! let before = counts();
//! let bytes = vec![0u8; 1000];
//! assert_eq!(counts().allocations - before.allocations, 1);
//! assert_eq!(counts().live - before.live, 1000);
//! # drop(bytes);
//! ```

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, with counts of each thread's own.
#[derive(Debug)]
pub struct Counting;

/// What a thread allocated since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// How often memory was asked for.
    pub allocations: u64,
    /// Bytes that are not given back; below zero where other threads' memory was given back.
    pub live: i64,
    /// The most that `live` ever was since [`reset_peak`].
    pub peak: i64,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, live: 0, peak: 0 }) };
}

/// What the thread allocated so far.
#[must_use]
pub fn counts() -> Counts {
    COUNTS.get()
}

/// Lets the peak be looked for from here.
pub fn reset_peak() {
    let counts = COUNTS.get();
    COUNTS.set(Counts { peak: counts.live, ..counts });
}

fn count(allocations: u64, bytes: i64) {
    // A thread that ends has no counts any more.
    let _ = COUNTS.try_with(|cell| {
        let Counts { allocations: before, live, peak } = cell.get();
        let live = live + bytes;
        cell.set(Counts { allocations: before + allocations, live, peak: peak.max(live) });
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: the caller keeps `dealloc`'s contract, and all memory is the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps `realloc`'s contract, and all memory is the system allocator's.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
