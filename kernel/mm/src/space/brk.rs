//! brk: the heap above the executable.

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange, USER_END};
use crate::space::map::MapWriteGuard;
use crate::space::order::{Order, in_order};
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
            return in_order!(self.order, self.shrink_heap(guard, less, address));
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

    /// Unmaps `less`, so that the heap ends at `address`. The result is its end then.
    fn shrink_heap<O: Order>(
        &self,
        mut guard: MapWriteGuard<'_, 'm, P>,
        less: PageRange,
        address: u64,
    ) -> u64 {
        let Ok(Some(taken)) = self.take_out::<O>(&mut guard, less) else { return guard.brk };
        guard.brk = address;
        self.unmap_downgraded::<O>(guard, taken);
        address
    }

    /// Maps `more`, the pages next above the heap.
    fn grow_heap(&self, guard: &mut MapWriteGuard<'_, 'm, P>, more: PageRange) -> Result<(), MmError> {
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
        // Most often the heap goes on.
        let mut edit = self.edit(guard, more.start().down(1));
        let prev = edit.cursor.arrive();
        if prev.is_none() {
            edit.cursor.seek(more.start());
        }
        // One page stays free above the heap.
        if !edit.is_clear(PageRange::new(more.start(), more.end().up(1)).unwrap_or(more)) {
            return Err(MmError::NoMemory);
        }
        // What ends where the heap begins is not of the heap.
        let prev = prev.filter(|prev| prev.end() > brk_start);
        edit.commit(more.pages())?;
        edit.insert(&info, prev, None)?;
        Ok(())
    }
}
