//! mlock: pages that stay in memory, and are there at once or when they are first touched.
//!
//! Nothing is ever taken out of memory here, so what is locked differs from other memory in this: it is faulted in
//! beforehand, counted against `RLIMIT_MEMLOCK`, and not discarded by mistake.

use abi::mman::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT};

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{PAGE_SIZE, Page, PageRange};
use crate::space::map::{Change, Map, MapWriteGuard};
use crate::space::mprotect::ADDRESSES_END;
use crate::space::{AddressSpace, pages_for};
use crate::vma::{Access, Vma, VmaFlags};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Locks the pages that `[address, address + length)` (bytes) touches in memory: at once, or with `MLOCK_ONFAULT` in `flags`
    /// as they are faulted in.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for wrong flags or a range that wraps; [`MmError::NotPermitted`] if nothing may be locked;
    /// [`MmError::NoMemory`] over `RLIMIT_MEMLOCK`, when nothing has changed; for a hole and at the limit of VMAs, when what
    /// comes before is locked; for a page that cannot be faulted in, and [`MmError::Again`] without memory for one, when all is
    /// locked. [`MmError::Interrupted`] (E1).
    pub fn mlock(&self, address: u64, length: u64, flags: u64) -> Result<(), MmError> {
        let locking = match flags {
            0 => VmaFlags::LOCKED,
            MLOCK_ONFAULT => VmaFlags::LOCKING,
            _ => return Err(MmError::Invalid),
        };
        let mut guard = self.write()?;
        if guard.limits.memlock == 0 {
            return Err(MmError::NotPermitted);
        }
        let (start, pages) = touched(address, length);
        if !guard.may_lock(pages) {
            let end = start.up(pages).min(ADDRESSES_END);
            let already = PageRange::new(start, end).map_or(0, |range| self.locked_in(&guard, range));
            if !guard.may_lock(pages - already) {
                return Err(MmError::NoMemory);
            }
        }
        let Some(range) = PageRange::from_start(start, pages) else { return Ok(()) };
        self.set_locking(&mut guard, range, locking)?;
        drop(guard);
        self.populate_locked(range)
    }

    /// Unlocks the pages that `[address, address + length)` (bytes) touches.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a range that wraps; [`MmError::NoMemory`] for a hole and at the limit of VMAs, when what comes
    /// before is unlocked; [`MmError::Interrupted`] (E1).
    pub fn munlock(&self, address: u64, length: u64) -> Result<(), MmError> {
        let mut guard = self.write()?;
        let (start, pages) = touched(address, length);
        let Some(range) = PageRange::from_start(start, pages) else { return Ok(()) };
        self.set_locking(&mut guard, range, VmaFlags::empty())
    }

    /// Locks what is mapped (`MCL_CURRENT`), what will be (`MCL_FUTURE`), or both, as `flags` say.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for wrong flags, [`MmError::NotPermitted`] if nothing may be locked, [`MmError::NoMemory`] over
    /// `RLIMIT_MEMLOCK`, [`MmError::Interrupted`] (E1). Nothing has changed then.
    pub fn mlockall(&self, flags: u64) -> Result<(), MmError> {
        if flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
            return Err(MmError::Invalid);
        }
        let locking = if flags & MCL_ONFAULT != 0 { VmaFlags::LOCKING } else { VmaFlags::LOCKED };
        let current = flags & MCL_CURRENT != 0;
        let mut guard = self.write()?;
        if guard.limits.memlock == 0 {
            return Err(MmError::NotPermitted);
        }
        if current && !guard.may_lock(guard.totals.pages - guard.totals.locked) {
            return Err(MmError::NoMemory);
        }
        guard.future = if flags & MCL_FUTURE != 0 { locking } else { VmaFlags::empty() };
        if current {
            self.set_locking_of_all(&mut guard, locking);
            drop(guard);
            if let Some(everything) = PageRange::new(Page::ZERO, Page::USER_END) {
                self.populate(everything);
            }
        }
        Ok(())
    }

    /// Unlocks all that is mapped, and what will be.
    ///
    /// # Errors
    /// [`MmError::Interrupted`] (E1).
    pub fn munlockall(&self) -> Result<(), MmError> {
        let mut guard = self.write()?;
        guard.future = VmaFlags::empty();
        self.set_locking_of_all(&mut guard, VmaFlags::empty());
        Ok(())
    }

    /// How many pages of `range` are locked.
    fn locked_in(&self, map: &Map<'m, P>, range: PageRange) -> u64 {
        let mut locked = 0;
        self.each_vma(map, |_, vma| {
            if let Some(part) = vma.range().intersection(range)
                && vma.flags().contains(VmaFlags::LOCKED)
            {
                locked += part.pages();
            }
        });
        locked
    }

    /// Lets the VMAs over `range` be locked as `locking` says.
    fn set_locking(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        range: PageRange,
        locking: VmaFlags,
    ) -> Result<(), MmError> {
        if range.end() >= ADDRESSES_END {
            return Err(MmError::Invalid);
        }
        let mut at = range.start();
        while at < range.end() {
            let vma = self.vma_at(guard, at).ok_or(MmError::NoMemory)?;
            let Some(part) = PageRange::new(at, range.end().min(vma.end())) else { break };
            at = part.end();
            let flags = (vma.flags() - VmaFlags::LOCKING) | locking;
            if flags != vma.flags() {
                self.edit(guard, part.start()).modify(vma, part, flags)?;
            }
        }
        Ok(())
    }

    /// Lets all VMAs be locked as `locking` says. Where there is no memory to merge them, they stay apart.
    fn set_locking_of_all(&self, guard: &mut MapWriteGuard<'_, 'm, P>, locking: VmaFlags) {
        let mut at = Page::ZERO;
        while let Some(vma) = self.vma_from(guard, at) {
            let whole = vma.range();
            at = whole.end();
            let (old, flags) = (vma.flags(), (vma.flags() - VmaFlags::LOCKING) | locking);
            if flags == old {
                continue;
            }
            let edit = &mut self.edit(guard, whole.start());
            if edit.modify(vma, whole, flags).is_err() {
                edit.lock(vma).set_flags(flags);
                edit.totals.account(old, whole.pages(), Change::Remove);
                edit.totals.account(flags, whole.pages(), Change::Add);
            }
        }
    }

    /// Faults in all pages of `range` that are mapped and permit an access, for writing where that is permitted. In a VMA
    /// stops silently at the first that cannot be, as Linux does.
    pub(super) fn populate(&self, range: PageRange) {
        // Holes and what cannot be faulted in are no errors.
        let _ = self.for_each_part(&mut self.read(), range, |map, vma, part| {
            let _ = self.populate_part(map, vma, part);
            Ok(())
        });
    }

    /// As [`populate`](Self::populate), up to the first page that cannot be faulted in.
    fn populate_locked(&self, range: PageRange) -> Result<(), MmError> {
        let mut map = self.read();
        let mut result = Ok(());
        let _ = self.for_each_part(&mut map, range, |map, vma, part| {
            result = self.populate_part(map, vma, part);
            // Pages that the program brings itself are locked as they come.
            if let Err(MmError::Userfault(_)) = result {
                result = Ok(());
            }
            result
        });
        result.map_err(|error| if error == MmError::NoMemory { MmError::Again } else { MmError::NoMemory })
    }

    /// Faults in `part` of `vma`, unless that is to happen as pages are touched.
    fn populate_part(&self, map: &Map<'m, P>, vma: &Vma, part: PageRange) -> Result<(), MmError> {
        let flags = vma.flags();
        if flags.contains(VmaFlags::LOCKONFAULT) {
            return Ok(());
        }
        if !flags.intersects(VmaFlags::ACCESS) {
            return Err(MmError::Fault);
        }
        let private_writable = flags & (VmaFlags::WRITE | VmaFlags::SHARED) == VmaFlags::WRITE;
        self.fault_in(map, vma, part, if private_writable { Access::Write } else { Access::Read })
    }
}

/// The first page that `[address, address + length)` touches, and how many; 0 where rounding up wraps, as on Linux.
fn touched(address: u64, length: u64) -> (Page, u64) {
    (Page::containing(address), pages_for(length.wrapping_add(address % PAGE_SIZE)))
}
