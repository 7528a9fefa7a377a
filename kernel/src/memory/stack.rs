//! Kernel stacks with guard pages.

use spin::Mutex;

use crate::arch::interrupts;
use crate::arch::paging::OutOfFrames;
use crate::arch::stack::{STACK_COUNT, stack_pages};

/// Slots that are in use, one bit each.
static SLOTS: Mutex<[u64; WORDS]> = Mutex::new([0; WORDS]);
const WORDS: usize = STACK_COUNT as usize / 64;

/// Stacks that are mapped and that nobody uses: mapping one takes frames, and unmapping it a flush on all CPUs.
static UNUSED: Mutex<Unused> = Mutex::new(Unused { slots: [0; UNUSED_MAX], len: 0 });
const UNUSED_MAX: usize = 64;

struct Unused {
    slots: [usize; UNUSED_MAX],
    len: usize,
}

/// A stack for kernel code, with an unmapped guard page below. Freed when dropped; it must not be in use then.
pub(crate) struct KernelStack {
    slot: usize,
}

impl KernelStack {
    /// Maps a new stack.
    ///
    /// # Errors
    /// When memory or stack slots are short.
    pub(crate) fn new() -> Result<Self, OutOfFrames> {
        let slot = interrupts::without(|| {
            let mut slots = SLOTS.lock();
            let word = slots.iter().position(|&bits| bits != u64::MAX).ok_or(OutOfFrames)?;
            let bit = slots[word].trailing_ones() as usize;
            slots[word] |= 1 << bit;
            Ok(word * 64 + bit)
        })?;
        let new = KernelStack { slot };
        match super::map_kernel_pages(stack_pages(slot as u64)) {
            Ok(()) => Ok(new),
            Err(error) => {
                new.free_slot();
                core::mem::forget(new);
                Err(error)
            }
        }
    }

    /// A stack that was [given back](Self::recycle), or a new one. Its content is undefined.
    ///
    /// # Errors
    /// When memory or stack slots are short.
    pub(crate) fn recycled() -> Result<Self, OutOfFrames> {
        let unused = {
            let mut unused = UNUSED.lock();
            let last = unused.len.checked_sub(1);
            last.map(|last| {
                unused.len = last;
                unused.slots[last]
            })
        };
        unused.map_or_else(Self::new, |slot| Ok(KernelStack { slot }))
    }

    /// Keeps it for the next one who needs a stack, or frees it. It is not in use.
    pub(crate) fn recycle(self) {
        let mut unused = UNUSED.lock();
        let len = unused.len;
        if len < UNUSED_MAX {
            unused.slots[len] = self.slot;
            unused.len += 1;
            core::mem::forget(self);
        } else {
            drop(unused);
            drop(self);
        }
    }

    /// One past its highest byte.
    pub(crate) fn top(&self) -> u64 {
        stack_pages(self.slot as u64).end
    }

    /// Its lowest byte; the page below is never mapped.
    #[cfg(feature = "test")]
    pub(crate) fn bottom(&self) -> u64 {
        stack_pages(self.slot as u64).start
    }

    fn free_slot(&self) {
        interrupts::without(|| SLOTS.lock()[self.slot / 64] &= !(1 << (self.slot % 64)));
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        super::unmap_kernel_pages(stack_pages(self.slot as u64));
        self.free_slot();
    }
}
