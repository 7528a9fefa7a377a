//! The allocator behind `alloc`: a linked list of holes in a window of virtual addresses.
//!
//! Small blocks that are given back are kept for the next ones of their size, up to [`KEPT_MAX`] bytes; what a thread or a
//! process is made of comes and goes all the time. Large ones are for start-up and slow paths; objects of the memory manager come from
//! pools. The window grows by new frames when no hole is large enough, and never shrinks. When memory is short an
//! allocation fails: code whose sizes a program chooses uses `try_reserve` and its kin.

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

/// Small blocks have a multiple of this many bytes, and this alignment.
const GRAIN: usize = 64;
/// Sizes of small blocks.
const CLASSES: usize = 64;
/// So many bytes of small blocks are kept at most.
const KEPT_MAX: usize = 256 << 10;

struct KernelHeap {
    heap: Mutex<Window>,
    /// Held by whoever makes the heap grow, so that it grows in order. Frames and `heap` are taken inside.
    growth: Mutex<()>,
}

/// The heap and the end of what is mapped of its window.
struct Window {
    heap: Heap,
    end: u64,
    kept: Kept,
}

/// Small blocks that nobody has; for the heap they are allocated.
struct Kept {
    /// By size, from one [`GRAIN`] on, the first block of a list: each holds the address of the next one.
    first: [Option<NonNull<Block>>; CLASSES],
    /// Their size together in bytes.
    bytes: usize,
}

struct Block {
    next: Option<NonNull<Block>>,
}

// SAFETY: owns the blocks.
unsafe impl Send for Kept {}

/// Which small blocks are for this layout, if any.
#[inline]
fn class(layout: Layout) -> Option<usize> {
    let class = layout.size().wrapping_sub(1) / GRAIN;
    (class < CLASSES && layout.align() <= GRAIN).then_some(class)
}

/// What the heap is asked for.
fn layout_of(class: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and the size a small multiple of it.
    unsafe { Layout::from_size_align_unchecked((class + 1) * GRAIN, GRAIN) }
}

impl Kept {
    #[inline]
    fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let block = self.first[class]?;
        // SAFETY: a block of the list, which is nobody else's.
        self.first[class] = unsafe { block.as_ref() }.next;
        self.bytes -= (class + 1) * GRAIN;
        Some(block.cast())
    }

    /// # Safety
    /// The block has been allocated with the layout of the class, and nobody uses it.
    #[inline]
    unsafe fn keep(&mut self, class: usize, block: NonNull<u8>) {
        let block = block.cast::<Block>();
        // SAFETY: the block is large enough and aligned, and the caller's.
        unsafe { block.write(Block { next: self.first[class] }) };
        self.first[class] = Some(block);
        self.bytes += (class + 1) * GRAIN;
    }
}

impl Window {
    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let class = class(layout);
        if let Some(block) = class.and_then(|class| self.kept.take(class)) {
            return Some(block);
        }
        self.allocate_from_heap(class.map_or(layout, layout_of))
    }

    #[cold]
    fn allocate_from_heap(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.allocate_first_fit(layout) {
            return Some(block);
        }
        // Perhaps what is kept makes a hole.
        for class in 0..CLASSES {
            while let Some(block) = self.kept.take(class) {
                // SAFETY: it has been allocated with this layout.
                unsafe { self.heap.deallocate(block, layout_of(class)) };
            }
        }
        self.heap.allocate_first_fit(layout).ok()
    }

    /// # Safety
    /// The block has been allocated here with this layout, and nobody uses it.
    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        match class(layout) {
            // SAFETY: the caller's contract.
            Some(class) if self.kept.bytes < KEPT_MAX => unsafe { self.kept.keep(class, block) },
            // SAFETY: the caller's contract.
            class => unsafe { self.heap.deallocate(block, class.map_or(layout, layout_of)) },
        }
    }
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap {
    heap: Mutex::new(Window {
        heap: Heap::empty(),
        end: paging::HEAP,
        kept: Kept { first: [None; CLASSES], bytes: 0 },
    }),
    growth: Mutex::new(()),
};

/// Bytes that are allocated, and bytes that the heap has.
pub(crate) fn usage() -> (usize, usize) {
    interrupts::without(|| {
        let window = HEAP.heap.lock();
        (window.heap.used() - window.kept.bytes, window.heap.size())
    })
}

impl KernelHeap {
    #[inline]
    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        interrupts::without(|| self.heap.lock().allocate(layout))
    }

    /// As [`allocate`](Self::allocate), and makes the heap grow; null when memory is short.
    #[cold]
    fn allocate_more(&self, layout: Layout) -> *mut u8 {
        let _guard = self.growth();
        // Somebody else may have made it grow meanwhile.
        if let Some(block) = self.allocate(layout) {
            return block.as_ptr();
        }
        match self.grow((layout.size() as u64).saturating_add(layout.align().max(GRAIN) as u64)) {
            Some(()) => self.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr),
            None => ptr::null_mut(),
        }
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
        self.allocate(layout).map_or_else(|| self.allocate_more(layout), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got it from `alloc` with this layout.
            interrupts::without(|| unsafe { self.heap.lock().free(block, layout) });
        }
    }
}
