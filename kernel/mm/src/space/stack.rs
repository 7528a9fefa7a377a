//! Stack growth: a fault below a VMA that grows downwards extends it, under the mmap write lock (StackRot).

use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::space::edit::Edit;
use crate::space::map::{Map, VmaCursor};
use crate::space::placement::STACK_GUARD_PAGES;
use crate::space::{AddressSpace, Limits};
use crate::vma::{VmaFlags, WriteSection};

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
        if self.machine.has(Bug::StackGrowsUnderReadLock) {
            let guard = self.read();
            let map = self.map.value_under_read_lock(&guard);
            return self.grow_stack_in(map, WriteSection::new(self.map.sequence() + 1), page);
        }
        let Ok(mut guard) = self.write() else { return Growth::Refused };
        let section = WriteSection::new(guard.sequence());
        self.grow_stack_in(&mut guard, section, page)
    }

    /// As [`grow_stack`](Self::grow_stack), in the write section `section` of the mmap lock, which guards `map`.
    fn grow_stack_in(&self, map: &mut Map<'m, P>, section: WriteSection<'_>, page: Page) -> Growth {
        let Some(stack) = self.vma_from(map, page) else { return Growth::Refused };
        let Some(range) = PageRange::new(page, stack.end()) else { return Growth::Refused };
        if stack.start() <= page {
            // Another thread was first.
            return Growth::Grown;
        }
        let flags = stack.flags();
        let more = stack.start().number() - page.number();
        let able = flags.contains(VmaFlags::GROWSDOWN) && page >= self.min_page;
        // A stack that mremap has moved up may have fewer pages below it in its own counting.
        let allowed = more <= stack.pgoff()
            && range.pages() <= Limits::pages(map.limits.stack)
            && map.totals.may_expand(&map.limits, flags, more, 0)
            && (!flags.contains(VmaFlags::LOCKED) || map.may_lock(more));
        let [below, _] = self.around(map, page);
        let clear = below.is_none_or(|below| {
            below.flags().contains(VmaFlags::GROWSDOWN)
                || !below.flags().intersects(VmaFlags::ACCESS)
                || page.number() - below.end().number() >= STACK_GUARD_PAGES
        });
        if !able || !clear {
            return Growth::Refused;
        }
        // Before the limits, as on Linux: the stack can merge only with its like afterwards.
        self.prepare_anon(map, stack);
        let cursor = |token| VmaCursor::new(&self.vmas, token, stack.start());
        let mut edit = Edit::new(self.machine, section, &self.vmas, map, cursor);
        if !allowed || edit.commit(flags.committed(more)).and_then(|()| edit.extend(stack, range)).is_err() {
            return Growth::Refused;
        }
        Growth::Grown
    }
}
