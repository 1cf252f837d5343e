//! What the fuzz targets share: an allocator that counts, so that a check can say how much a decoder may ask for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use trackway::testing::checks::Check;
use trackway::testing::meter::{self, Meter};

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static AT_START: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(held, Relaxed);
}

fn shrink(bytes: usize) {
    HELD.fetch_sub(bytes, Relaxed);
}

struct Counting;

// SAFETY: each method hands its arguments to `System` as they came and returns what that returns, so that whatever the
// caller and `System` promise each other holds. The counters have no part in it: they neither allocate nor panic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises about `layout` are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: `ptr` came from this allocator, so from `System`, with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both are held while one is copied to the other.
        grow(new_size);
        shrink(layout.size());
        // SAFETY: `ptr` came from this allocator, so from `System`, with this layout; the caller vouches for the size.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs one check under the meter.
pub fn run(check: Check, bytes: &[u8]) {
    let start = || {
        let held = HELD.load(Relaxed);
        AT_START.store(held, Relaxed);
        PEAK.store(held, Relaxed);
    };
    meter::install(Meter { start, peak: || PEAK.load(Relaxed).saturating_sub(AT_START.load(Relaxed)) });
    check(bytes);
}
