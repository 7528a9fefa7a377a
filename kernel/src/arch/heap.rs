//! The allocator behind `alloc`: a linked list of holes in a window of virtual addresses.
//!
//! For start-up and slow paths; hot objects come from pools. The window grows by new frames when no hole is large
//! enough, and never shrinks. When memory is short an allocation fails: code whose sizes a program chooses uses
//! `try_reserve` and its kin.

use core::alloc::{GlobalAlloc, Layout};
use core::hint;
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;
use spin::{Mutex, MutexGuard};

use super::{interrupts, paging, tlb};
use crate::memory;

/// Least growth in bytes.
const GROWTH: u64 = 256 << 10;
/// Size of the window in bytes.
const WINDOW: u64 = 512 << 30;

struct KernelHeap {
    heap: Mutex<Window>,
    /// Held by whoever makes the heap grow, so that it grows in order. Frames and `heap` are taken inside.
    growth: Mutex<()>,
}

/// The heap and the end of what is mapped of its window.
struct Window {
    heap: Heap,
    end: u64,
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap {
    heap: Mutex::new(Window { heap: Heap::empty(), end: paging::HEAP }),
    growth: Mutex::new(()),
};

/// Bytes that are allocated, and bytes that the heap has.
pub(crate) fn usage() -> (usize, usize) {
    interrupts::without(|| {
        let window = HEAP.heap.lock();
        (window.heap.used(), window.heap.size())
    })
}

impl KernelHeap {
    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        interrupts::without(|| self.heap.lock().heap.allocate_first_fit(layout).ok())
    }

    /// The right to make the heap grow. Its holder may have to wait for all CPUs, so whoever waits for it answers.
    fn growth(&self) -> MutexGuard<'_, ()> {
        loop {
            if let Some(guard) = self.growth.try_lock() {
                return guard;
            }
            tlb::answer();
            hint::spin_loop();
        }
    }

    /// Maps at least `bytes` more at the end of the window. The caller has the right to it. `heap` is not locked while frames
    /// are taken.
    fn grow(&self, bytes: u64) -> Option<()> {
        let bytes = bytes.checked_add(4096)?.checked_next_multiple_of(GROWTH)?;
        let start = interrupts::without(|| {
            let mut window = self.heap.lock();
            let start = window.end;
            if bytes > paging::HEAP + WINDOW - start {
                return None;
            }
            window.end += bytes;
            Some(start)
        })?;
        if memory::map_kernel_pages(start..start + bytes).is_err() {
            interrupts::without(|| {
                let mut window = self.heap.lock();
                if window.end == start + bytes {
                    window.end = start;
                }
            });
            return None;
        }
        interrupts::without(|| {
            let mut window = self.heap.lock();
            // SAFETY: newly mapped and known to nobody else. Growth is in order: the caller alone may grow the heap.
            unsafe {
                if window.heap.size() == 0 {
                    window.heap.init(start as *mut u8, bytes as usize);
                } else {
                    window.heap.extend(bytes as usize);
                }
            }
        });
        Some(())
    }
}

// SAFETY: forwards to a heap over memory that nobody else uses.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(block) = self.allocate(layout) {
            return block.as_ptr();
        }
        let _guard = self.growth();
        // Somebody else may have made it grow meanwhile.
        if let Some(block) = self.allocate(layout) {
            return block.as_ptr();
        }
        match self.grow((layout.size() as u64).saturating_add(layout.align() as u64)) {
            Some(()) => self.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr),
            None => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got it from `alloc` with this layout.
            interrupts::without(|| unsafe { self.heap.lock().heap.deallocate(block, layout) });
        }
    }
}
