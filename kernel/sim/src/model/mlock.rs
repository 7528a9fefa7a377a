//! mlock and its kin.

use abi::Errno;
use abi::mman::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, Prot};

use super::area::{Area, Locking, Sharing};
use super::{Model, PAGE};

impl Model {
    /// `mlock2(address, length, flags)` with raw arguments. What was locked before an error stays locked.
    ///
    /// # Errors
    /// Linux's for a process without `CAP_IPC_LOCK`, in Linux's order of checks.
    pub fn mlock(&mut self, address: u64, length: u64, flags: u64) -> Result<(), Errno> {
        if flags & !MLOCK_ONFAULT != 0 {
            return Err(Errno::EINVAL);
        }
        if self.settings.memlock == 0 {
            return Err(Errno::EPERM);
        }
        let (start, pages) = touched(address, length);
        let end = start + pages;
        let over = |pages: u64| self.sums().locked + pages > self.settings.memlock / PAGE;
        let locked =
            self.overlapping(start, end).into_iter().filter(|area| area.attributes.locking.is_locked());
        let already: u64 = locked.map(|area| area.end.min(end) - area.start.max(start)).sum();
        if over(pages) && (pages < already || over(pages - already)) {
            return Err(Errno::ENOMEM);
        }
        let locking = if flags == MLOCK_ONFAULT { Locking::OnFault } else { Locking::Now };
        self.lock_areas(start, end, locking)?;
        for area in self.overlapping(start, end) {
            self.fault_in_locked(area, start, end)?;
        }
        Ok(())
    }

    /// `munlock(address, length)` with raw arguments.
    ///
    /// # Errors
    /// Linux's.
    pub fn munlock(&mut self, address: u64, length: u64) -> Result<(), Errno> {
        let (start, pages) = touched(address, length);
        self.lock_areas(start, start + pages, Locking::None)
    }

    /// `mlockall(flags)`.
    ///
    /// # Errors
    /// Linux's for a process without `CAP_IPC_LOCK`.
    pub fn mlockall(&mut self, flags: u64) -> Result<(), Errno> {
        if flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
            return Err(Errno::EINVAL);
        }
        if self.settings.memlock == 0 {
            return Err(Errno::EPERM);
        }
        let current = flags & MCL_CURRENT != 0;
        if current && self.sums().total > self.settings.memlock / PAGE {
            return Err(Errno::ENOMEM);
        }
        let locking = if flags & MCL_ONFAULT != 0 { Locking::OnFault } else { Locking::Now };
        self.future = if flags & MCL_FUTURE != 0 { locking } else { Locking::None };
        if current {
            self.lock_all(locking);
            for area in self.overlapping(0, u64::MAX) {
                let _ = self.fault_in_locked(area, area.start, area.end);
            }
        }
        Ok(())
    }

    /// `munlockall()`.
    pub fn munlockall(&mut self) {
        self.future = Locking::None;
        self.lock_all(Locking::None);
    }

    fn lock_all(&mut self, locking: Locking) {
        for area in self.overlapping(0, u64::MAX) {
            self.lock_part(area.start, area.end, locking).expect("whole areas are not split");
        }
    }

    /// Linux: `apply_vma_lock_flags`.
    fn lock_areas(&mut self, start: u64, end: u64, locking: Locking) -> Result<(), Errno> {
        if end >= 1 << 52 && start < end {
            return Err(Errno::EINVAL);
        }
        if start == end {
            return Ok(());
        }
        let mut reached = start;
        for area in self.overlapping(start, end) {
            if area.start > reached {
                return Err(Errno::ENOMEM);
            }
            reached = area.end.min(end);
            self.lock_part(start.max(area.start), reached, locking)?;
        }
        if reached < end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    fn lock_part(&mut self, start: u64, end: u64, locking: Locking) -> Result<(), Errno> {
        let Some(area) = self.area_at(start).copied() else { return Err(Errno::ENOMEM) };
        let mut changed = area.attributes;
        changed.locking = locking;
        if changed == area.attributes { Ok(()) } else { self.change(start, end, changed) }
    }

    /// Faults in what `[start, end)` and an area that is to be locked have in common.
    fn fault_in_locked(&mut self, area: Area, start: u64, end: u64) -> Result<(), Errno> {
        let Area { attributes, .. } = area;
        if attributes.locking == Locking::OnFault {
            return Ok(());
        }
        if attributes.prot.is_empty() {
            return Err(Errno::ENOMEM);
        }
        if attributes.prot.contains(Prot::WRITE) && attributes.sharing == Sharing::Private {
            self.join_group(area.start);
            self.copy_from_file(area.start.max(start), area.end.min(end));
        }
        let mut pages = area.start.max(start)..area.end.min(end);
        if pages.all(|page| self.home_of(page).is_some()) { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

/// The first page of the range and the number of pages, which wraps as Linux's does.
fn touched(address: u64, length: u64) -> (u64, u64) {
    let bytes = length.wrapping_add(address % PAGE).wrapping_add(PAGE - 1);
    (address / PAGE, bytes / PAGE)
}
