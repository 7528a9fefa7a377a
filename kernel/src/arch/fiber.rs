//! Kernel stacks for threads that are switched by hand.

use core::num::NonZeroUsize;

use explore::{STACK_BYTES, Stack};
use mm::PAGE_SIZE;

use super::stack::STACK_SIZE;
use crate::memory::KernelStack;

const _: () = assert!(STACK_BYTES as u64 == STACK_SIZE);

// SAFETY: `top` is the 16-byte aligned end of STACK_SIZE bytes of mapped memory that belong to this value alone, which keeps
// them as long as it lives; the page below them, which the limit includes, is never mapped.
unsafe impl Stack for KernelStack {
    fn base(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.top() as usize).expect("a kernel address")
    }

    fn limit(&self) -> NonZeroUsize {
        NonZeroUsize::new((self.bottom() - PAGE_SIZE) as usize).expect("a kernel address")
    }
}
