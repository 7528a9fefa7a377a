//! brk: the heap above the executable.

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange, USER_END};
use crate::space::map::MapWriteGuard;
use crate::space::order::in_order;
use crate::space::placement::start_with_guard;
use crate::space::{AddressSpace, pages_for};
use crate::vma::{Backing, VmaFlags, VmaInfo};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Lets the heap begin, empty, at `address` (bytes, page aligned).
    pub fn set_brk_start(&self, address: u64) {
        let mut map = self.write_unconditionally();
        map.brk_start = address;
        map.brk = address;
    }

    /// Moves the end of the heap to `address` (bytes). The result is the end then; the old one if that cannot be.
    pub fn brk(&self, address: u64) -> u64 {
        let Ok(mut guard) = self.write() else { return self.read().brk };
        let old = guard.brk;
        if address < guard.brk_start || address > USER_END {
            return old;
        }
        let heap = address - guard.brk_start;
        if heap > guard.limits.data {
            return old;
        }
        let (old_end, new_end) = (Page::new(pages_for(old)), Page::new(pages_for(address)));
        if let Some(less) = PageRange::new(new_end, old_end) {
            if self.vma_from(&guard, new_end).is_none_or(|vma| vma.start() >= old_end) {
                return old;
            }
            guard.brk = address;
            if in_order!(self.order, self.unmap_range(guard, less)).is_err() {
                self.write_unconditionally().brk = old;
                return old;
            }
            return address;
        }
        if let Some(more) = PageRange::new(old_end, new_end)
            && self.grow_heap(&mut guard, more).is_err()
        {
            return old;
        }
        guard.brk = address;
        let locked = guard.future.contains(VmaFlags::LOCKED);
        drop(guard);
        if let Some(more) = PageRange::new(old_end, new_end).filter(|_| locked) {
            self.populate(more);
        }
        address
    }

    /// Maps `more`, the pages next above the heap.
    fn grow_heap(&self, guard: &mut MapWriteGuard<'_, 'm, P>, more: PageRange) -> Result<(), MmError> {
        // One page stays free above the heap.
        if self.vma_from(guard, more.start()).is_some_and(|next| more.end().up(1) > start_with_guard(next)) {
            return Err(MmError::NoMemory);
        }
        let flags = VmaFlags::READ | VmaFlags::WRITE | VmaFlags::ACCOUNT | guard.future;
        if !guard.totals.may_expand(&guard.limits, flags, more.pages(), 0)
            || (flags.contains(VmaFlags::LOCKED) && !guard.may_lock(more.pages()))
            || guard.totals.vmas > self.machine.max_map_count()
        {
            return Err(MmError::NoMemory);
        }
        let info = VmaInfo {
            range: more,
            flags,
            backing: Backing::Anonymous,
            pgoff: more.start().number(),
            anon: None,
        };
        let brk_start = Page::containing(guard.brk_start);
        let mut edit = self.edit(guard, more.start());
        // What ends where the heap begins is not of the heap.
        let prev = edit.vma_below().filter(|prev| prev.end() > brk_start);
        edit.commit(more.pages())?;
        edit.insert(&info, prev, None)?;
        Ok(())
    }
}
