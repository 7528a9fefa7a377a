//! Stack growth: a fault below a VMA that grows downwards extends it, under the mmap write lock (StackRot).

use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::placement::STACK_GUARD_PAGES;
use crate::space::{AddressSpace, Limits};
use crate::vma::VmaFlags;

/// Whether a fault below a stack found it extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// The page is inside a VMA now.
    Grown,
    /// There is no stack, or it may not grow that far.
    Refused,
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Extends the stack above `page`, which is in no VMA, down to it.
    pub(super) fn grow_stack(&self, page: Page) -> Growth {
        let Ok(mut guard) = self.write() else { return Growth::Refused };
        let Some(stack) = self.vma_from(&guard, page) else { return Growth::Refused };
        let Some(range) = PageRange::new(page, stack.end()) else { return Growth::Refused };
        if stack.start() <= page {
            // Another thread was first.
            return Growth::Grown;
        }
        let flags = stack.flags();
        let more = stack.start().number() - page.number();
        let able = flags.contains(VmaFlags::GROWSDOWN) && page >= self.min_page;
        let allowed = range.pages() <= Limits::pages(guard.limits.stack)
            && guard.totals.may_expand(&guard.limits, flags, more, 0)
            && (!flags.contains(VmaFlags::LOCKED) || guard.may_lock(more));
        let (below, _) = self.around(&guard, page);
        let clear = below.is_none_or(|below| {
            below.flags().contains(VmaFlags::GROWSDOWN)
                || !below.flags().intersects(VmaFlags::ACCESS)
                || page.number() - below.end().number() >= STACK_GUARD_PAGES
        });
        if !able || !clear {
            return Growth::Refused;
        }
        // Before the limits, as on Linux: the stack can merge only with its like afterwards.
        self.prepare_anon(&guard, stack);
        if !allowed || self.edit(&mut guard, page).extend(stack, range).is_err() {
            return Growth::Refused;
        }
        Growth::Grown
    }
}
