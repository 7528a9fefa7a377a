//! Page faults: demand-zero memory, the zero page and its upgrade, permissions.
//!
//! ```text
//!              absent                          read-only leaf, write wanted
//!   read, private:  the zero page, read-only      zero page, or shared with others: copy
//!   write, private: a zeroed frame of its own     ours alone: just writable
//!                   or a whole block, see `huge`    a huge leaf that is not: split first
//!   shared:         the frame of the object       just writable
//!   registered:     the program's, see `userfault`  write-protected by the program: the program's
//!   private file:   read: the frame of the object, read-only; write: a copy of it
//! ```

use core::fmt;

use crate::error::MmError;
use crate::event::Event;
use crate::frame::{Frame, FrameKind};
use crate::museum::Bug;
use crate::object::{ObjectId, Reading};
use crate::pgtable::{Installed, Protection, Pte, PteView, Slot};
use crate::platform::{Fallible, Platform};
use crate::range::{Page, PageRange, PageSize, USER_END};
use crate::schedule::Point;
use crate::space::AddressSpace;
use crate::space::map::Map;
use crate::space::stack::Growth;
use crate::tlb::Gather;
use crate::userfault::Reason;
use crate::vma::{Access, Backing, NotLocked, ReadLocked, Vma, VmaFlags};

/// How often a fault looks its VMA up before it takes the mmap lock. More than once, because a VMA that has just left is
/// often followed by another one; not for ever, so that busy writers cannot starve it.
const LOOKUPS: usize = 3;

/// Why a fault ends in SIGSEGV.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segv {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    NotMapped,
    /// The VMA does not permit the access (`SEGV_ACCERR`).
    NotPermitted,
}

impl fmt::Display for Segv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Segv::NotMapped => "nothing is mapped there",
            Segv::NotPermitted => "the vma does not permit it",
        })
    }
}

/// What became of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum FaultOutcome {
    /// The access may be tried again.
    Resolved,
    /// The access is wrong.
    Signal(Segv),
    /// The page is beyond the end of the object that is mapped (SIGBUS).
    BeyondEnd,
    /// There is no memory for it.
    OutOfMemory,
    /// The program resolves it; [`AddressSpace::userfault`] says who.
    Userfault(Reason),
}

impl FaultOutcome {
    /// Whether the access may be tried again.
    pub fn is_resolved(self) -> bool {
        self == FaultOutcome::Resolved
    }
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Handles a page fault at `address` (bytes, any value): under the VMA lock alone where that is possible, else under the
    /// mmap lock for reading. To let a stack grow, it takes that for writing.
    pub fn fault(&self, address: u64, access: Access) -> FaultOutcome {
        self.machine.count(Event::Fault);
        self.fault_again(address, access)
    }

    /// As [`fault`](Self::fault), for a fault that is counted already.
    #[inline]
    pub(super) fn fault_again(&self, address: u64, access: Access) -> FaultOutcome {
        if address >= USER_END {
            return FaultOutcome::Signal(Segv::NotMapped);
        }
        let page = Page::containing(address);
        self.fault_under_vma_lock(page, access).unwrap_or_else(|| self.fault_under_mmap_lock(page, access))
    }

    /// Handles a fault under the VMA lock; `None` if it takes the mmap lock first.
    fn fault_under_vma_lock(&self, page: Page, access: Access) -> Option<FaultOutcome> {
        let vma = self.lock_vma_under_rcu(page)?;
        if lacks_identity(&vma, access) {
            // It depends on the neighbours, which only the mmap lock keeps in place. A writer may wait for our VMA lock: so we
            // do not wait for him.
            let Some(map) = self.map.try_read() else {
                self.machine.count(Event::VmaLockRetry);
                return None;
            };
            self.prepare_anon(&map, &vma);
        }
        let outcome = self.fault_in_vma(&vma, page, access);
        self.machine.count(Event::VmaLockSuccess);
        Some(outcome)
    }

    /// The VMA that contains `page`, locked for reading, found without the mmap lock. `None` if there is none, or writers are
    /// at work there.
    pub(super) fn lock_vma_under_rcu(&self, page: Page) -> Option<ReadLocked<'m>> {
        for _ in 0..LOOKUPS {
            match self.try_lock_vma(page) {
                Ok(vma) => return Some(vma),
                Err(NotLocked::Detached) => self.machine.count(Event::VmaLockMiss),
                Err(NotLocked::Busy | NotLocked::Elsewhere) => break,
            }
        }
        self.machine.count(Event::VmaLockAbort);
        None
    }

    /// One lookup of [`lock_vma_under_rcu`](Self::lock_vma_under_rcu).
    fn try_lock_vma(&self, page: Page) -> Result<ReadLocked<'m>, NotLocked> {
        self.machine.pause(Point::FindVma(page));
        let vma = self.machine.rcu_read(|section| {
            let (_, vma) = self.vmas.get(section, page.number()).ok_or(NotLocked::Elsewhere)?;
            vma.start_read(self.owner(), || self.map.sequence(), self.machine, page)
        })?;
        // It may have shrunk, or have been recycled in this very address space.
        if vma.range().contains(page) || self.machine.has(Bug::RangeNotChecked) {
            Ok(vma)
        } else {
            Err(NotLocked::Elsewhere)
        }
    }

    /// Handles a fault under the mmap lock.
    fn fault_under_mmap_lock(&self, page: Page, access: Access) -> FaultOutcome {
        let mut map = self.read();
        let vma = match self.vma_at(&map, page) {
            Some(vma) => vma,
            None => {
                // Only where there is a stack to grow the mmap lock is taken for writing.
                let stack_above =
                    self.vma_from(&map, page).is_some_and(|vma| vma.flags().contains(VmaFlags::GROWSDOWN));
                drop(map);
                if !stack_above || self.grow_stack(page) == Growth::Refused {
                    return FaultOutcome::Signal(Segv::NotMapped);
                }
                map = self.read();
                let Some(vma) = self.vma_at(&map, page) else { return FaultOutcome::Signal(Segv::NotMapped) };
                vma
            }
        };
        if lacks_identity(vma, access) {
            self.prepare_anon(&map, vma);
        }
        self.fault_in_vma(vma, page, access)
    }

    /// Handles a fault in `vma`, which is stable and has an identity if the access needs one.
    fn fault_in_vma(&self, vma: &Vma, page: Page, access: Access) -> FaultOutcome {
        if !vma.flags().permits(access) {
            return FaultOutcome::Signal(Segv::NotPermitted);
        }
        match self.make_present(vma, page, access) {
            Ok(()) => FaultOutcome::Resolved,
            Err(MmError::BeyondEnd) => FaultOutcome::BeyondEnd,
            Err(MmError::Guarded) => FaultOutcome::Signal(Segv::NotMapped),
            Err(MmError::Userfault(reason)) => FaultOutcome::Userfault(reason),
            Err(_) => FaultOutcome::OutOfMemory,
        }
    }

    /// Makes all pages of `part`, a part of `vma`, present for a permitted access. Caller holds the mmap lock.
    ///
    /// # Errors
    /// As [`make_present`](Self::make_present): all pages before the one where the error comes are present.
    pub(super) fn fault_in(
        &self,
        map: &Map<'m, P>,
        vma: &Vma,
        part: PageRange,
        access: Access,
    ) -> Result<(), MmError> {
        if lacks_identity(vma, access) {
            self.prepare_anon(map, vma);
        }
        part.iter().try_for_each(|page| self.make_present(vma, page, access))
    }

    /// Makes `page` of `vma`, which is stable, present for a permitted access.
    ///
    /// # Errors
    /// [`MmError::NoMemory`], [`MmError::BeyondEnd`], [`MmError::Guarded`], [`MmError::Userfault`].
    pub(super) fn make_present(&self, vma: &Vma, page: Page, access: Access) -> Result<(), MmError> {
        self.machine.pause(Point::LookAtEntry(page));
        let slot = self.tables.slot(page);
        let pte = self.tables.entry_at(slot);
        if !pte.is_absent() {
            return self.reach(vma, page, slot, access, pte);
        }
        let flags = vma.flags();
        if flags.contains(VmaFlags::UFFD_MISSING) {
            return Err(MmError::Userfault(Reason::Missing));
        }
        match vma.backing() {
            Backing::Anonymous if access == Access::Write => {
                if self.wants_huge(vma, page) && self.map_huge(vma, page) {
                    return Ok(());
                }
                self.install(page, slot, self.zeroed_frame()?, flags.protection())
            }
            Backing::Anonymous => {
                self.install(page, slot, self.machine.zero_frame(), flags.protection().without_write())
            }
            Backing::SharedAnonymous { object } | Backing::File { object } => {
                self.map_object_page(vma, page, slot, access, object)
            }
        }
    }

    /// Lets `page` of `vma`, whose entry in `slot` is `pte`, be accessed so.
    ///
    /// # Errors
    /// As [`make_present`](Self::make_present).
    #[inline(never)]
    fn reach(&self, vma: &Vma, page: Page, slot: Slot<'m>, access: Access, pte: Pte) -> Result<(), MmError> {
        if pte.size() == PageSize::Huge {
            if self.reach_huge(vma, page, access, pte) {
                return Ok(());
            }
            return self.make_present(vma, page, access);
        }
        match pte.view() {
            PteView::Leaf { protection, .. } if access != Access::Write || protection.is_writable() => Ok(()),
            PteView::Leaf { frame, .. } => self.make_writable(vma, page, slot, pte, frame),
            PteView::Guard => Err(MmError::Guarded),
            PteView::Absent | PteView::Table(_) => Ok(()),
        }
    }

    /// Whether the huge leaf over `page` may be mapped in `vma`, which is private anonymous memory.
    #[inline]
    fn wants_huge(&self, vma: &Vma, page: Page) -> bool {
        // The range first: most VMAs are small.
        vma.range().covers(PageRange::around(page, PageSize::Huge))
            && self.machine.huge_pages().suit(vma.flags())
            && self.huge_pages().suit(vma.flags())
    }

    /// Maps a huge leaf of zeroes over `page` of `vma`, if there is nothing yet, and a block. Whether it did.
    #[cold]
    #[inline(never)]
    fn map_huge(&self, vma: &Vma, page: Page) -> bool {
        if !self.tables.has_room_for_huge(page) {
            return false;
        }
        let frames = self.machine.frames();
        let block = if self.machine.admit(Fallible::HugeBlock) { frames.alloc_huge() } else { None };
        let Some(block) = block else {
            self.machine.count(Event::ThpFaultFallback);
            return false;
        };
        self.machine.zero_huge(block);
        self.machine.pause(Point::Install(page));
        let installed = self.tables.install_huge(page, block, vma.flags().protection());
        if installed == Ok(Installed::New) {
            self.machine.count(Event::ThpFaultAlloc);
            return true;
        }
        frames.put_huge(block);
        if installed.is_err() {
            self.machine.count(Event::ThpFaultFallback);
        }
        false
    }

    /// Resolves an access to `page` of `vma`, which the huge leaf `pte` maps. Whether it is: else somebody looks again.
    #[cold]
    #[inline(never)]
    fn reach_huge(&self, vma: &Vma, page: Page, access: Access, pte: Pte) -> bool {
        let PteView::Leaf { frame, protection, .. } = pte.view() else { return false };
        if pte.is_splitting() {
            self.tables.wait_for_split(page);
        } else if access != Access::Write || protection.is_writable() {
            return true;
        } else if self.machine.frames().is_exclusive(frame, PageSize::Huge) {
            self.machine.pause(Point::Replace(page));
            // If the entry changed, so does the access.
            self.tables.permit_huge(page, pte, vma.flags().protection());
            return true;
        } else {
            // Others have the block: only the page that is written to is copied.
            self.tables.split(page, &self.tlb);
        }
        false
    }

    /// Maps `page` of `vma`, in `slot`, to the page of the object, or in a private mapping that is written to a copy of it.
    #[inline(never)]
    fn map_object_page(
        &self,
        vma: &Vma,
        page: Page,
        slot: Slot<'m>,
        access: Access,
        object: ObjectId,
    ) -> Result<(), MmError> {
        // Until the page is mapped, so that whoever makes a hole finds it.
        let _lock = Reading::lock(self.machine, object);
        let frame = object.frame(self.machine, vma.offset_of(page))?;
        let protection = vma.flags().protection();
        if vma.flags().contains(VmaFlags::SHARED) {
            return self.install(page, slot, frame, protection);
        }
        if access != Access::Write {
            return self.install(page, slot, frame, protection.without_write());
        }
        let copy = self.frame_for_copy(frame);
        self.machine.frames().put(frame);
        self.install(page, slot, copy?, protection)
    }

    /// Maps `page`, in `slot`, to `frame`, whose reference is ours, unless another fault was first.
    #[inline(always)]
    fn install(
        &self,
        page: Page,
        slot: Slot<'m>,
        frame: Frame,
        protection: Protection,
    ) -> Result<(), MmError> {
        self.machine.pause(Point::Install(page));
        match self.tables.install_at(slot, frame, protection) {
            Ok(Installed::New) => Ok(()),
            other => {
                self.machine.frames().put(frame);
                other.map(drop)
            }
        }
    }

    /// Resolves a write to a leaf without the right to write: in place if the frame is ours alone, else with a copy.
    #[inline]
    fn make_writable(
        &self,
        vma: &Vma,
        page: Page,
        slot: Slot<'m>,
        pte: Pte,
        frame: Frame,
    ) -> Result<(), MmError> {
        if pte.is_write_protected() {
            return Err(MmError::Userfault(Reason::WriteProtected));
        }
        let frames = self.machine.frames();
        let protection = vma.flags().protection();
        let ours = vma.flags().contains(VmaFlags::SHARED) || frames.is_exclusive(frame, PageSize::Small);
        if ours {
            self.machine.pause(Point::Replace(page));
            // Rights only grow: a stale translation faults once more. If the entry changed, so does the access.
            self.tables.replace(slot, pte, frame, protection);
            return Ok(());
        }
        // Pinned, so that nobody frees it while it is copied.
        let Some(pinned) = self.tables.pin(slot, pte) else { return Ok(()) };
        let fresh = self.frame_for_copy(pinned);
        frames.put(pinned);
        let fresh = fresh?;
        self.machine.pause(Point::Replace(page));
        if !self.tables.replace(slot, pte, fresh, protection) {
            frames.put(fresh);
            return Ok(());
        }
        let mut gather = Gather::new(self.machine, &self.tlb);
        gather.unhook_page(page, frame);
        gather.finish();
        Ok(())
    }

    #[inline]
    fn zeroed_frame(&self) -> Result<Frame, MmError> {
        let frame = self.data_frame()?;
        self.machine.zero(frame);
        Ok(frame)
    }

    /// A frame with the content of `from`.
    #[inline(always)]
    fn frame_for_copy(&self, from: Frame) -> Result<Frame, MmError> {
        if self.machine.frames().kind(from) == FrameKind::Zero {
            return self.zeroed_frame();
        }
        let frame = self.data_frame()?;
        self.machine.copy(from, frame);
        Ok(frame)
    }

    /// A frame for private memory, with any content.
    #[inline(always)]
    pub(super) fn data_frame(&self) -> Result<Frame, MmError> {
        if !self.machine.admit(Fallible::DataFrame) {
            return Err(MmError::NoMemory);
        }
        self.machine.frames().alloc_frame(FrameKind::Anonymous).ok_or(MmError::NoMemory)
    }

    /// Gives the anonymous memory of `vma` an identity before its first page: that of a neighbour that it could become
    /// one with, so that the two can still merge, else a new one. Caller holds the mmap lock.
    pub(super) fn prepare_anon(&self, map: &Map<'m, P>, vma: &Vma) {
        if vma.anon().is_some() {
            return;
        }
        let reusable = |neighbour: Page| {
            let other = self.vma_at(map, neighbour).filter(|other| vma.could_become_one_with(other))?;
            other.anon().filter(|id| !id.is_inherited())
        };
        let (above, below) = (vma.end(), vma.start().down(1));
        let id = reusable(above).or_else(|| reusable(below)).unwrap_or_else(|| self.new_anon_id());
        vma.set_anon_once(id);
    }
}

/// Whether the access is to give `vma` its first anonymous page, for which it needs an identity.
fn lacks_identity(vma: &Vma, access: Access) -> bool {
    access == Access::Write
        && vma.anon().is_none()
        && vma.flags() & (VmaFlags::WRITE | VmaFlags::SHARED) == VmaFlags::WRITE
}
