//! mprotect: new permissions for a range, VMA by VMA.

use abi::mman::Prot;

use crate::error::MmError;
use crate::pgtable::Writable;
use crate::platform::Platform;
use crate::range::{PAGE_SHIFT, Page, PageRange};
use crate::schedule::Point;
use crate::space::map::{Map, MapWriteGuard};
use crate::space::{AddressSpace, pages_for};
use crate::tlb::Gather;
use crate::vma::{Access, Backing, Vma, VmaFlags};

const GROWS: Prot = Prot::GROWSDOWN.union(Prot::GROWSUP);

/// End of what 64 bits address.
pub(super) const ADDRESSES_END: Page = Page::new(1 << (u64::BITS - PAGE_SHIFT));

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Gives the pages that `[address, address + length)` (bytes) touches the permissions `prot` (`PROT_`). Length 0 is no
    /// error. With `PROT_GROWSDOWN` the change reaches down to the start of the stack VMA.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong address or `prot`, [`MmError::NoMemory`] for a range that is not mapped
    /// throughout, and beyond limits, [`MmError::NotPermitted`] for a sealed VMA, [`MmError::Access`] to write to a shared file
    /// that is not open for writing. The VMAs before the one where the error
    /// comes keep their new permissions, as on Linux.
    pub fn mprotect(&self, address: u64, length: u64, prot: u64) -> Result<(), MmError> {
        if prot & GROWS.bits() == GROWS.bits() {
            return Err(MmError::Invalid);
        }
        let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
        if length == 0 {
            return Ok(());
        }
        let range = PageRange::from_start(start, pages_for(length)).ok_or(MmError::NoMemory)?;
        if range.end() >= ADDRESSES_END {
            return Err(MmError::NoMemory);
        }
        let prot = Prot::from_bits(prot).ok_or(MmError::Invalid)?;
        let guard = self.write()?;
        self.protect_range(guard, range, prot)
    }

    fn protect_range(
        &self,
        mut guard: MapWriteGuard<'_, 'm, P>,
        range: PageRange,
        prot: Prot,
    ) -> Result<(), MmError> {
        let range = self.range_to_protect(&guard, range, prot)?;
        let access = VmaFlags::from_prot(prot);
        let mut gather = Gather::new(self.machine, &self.tlb);
        let mut at = range.start();
        let result = loop {
            let mut edit = self.edit(&mut guard, at);
            let Some(vma) = edit.cursor.arrive() else { break Err(MmError::NoMemory) };
            let Some(part) = PageRange::new(at, vma.end().min(range.end())) else { break Ok(()) };
            at = part.end();
            let flags = (vma.flags() - VmaFlags::ACCESS) | access;
            if flags.contains(VmaFlags::NEVER_WRITE | VmaFlags::WRITE) {
                break Err(MmError::Access);
            }
            if let Err(error) = vma.may_change() {
                break Err(error);
            }
            if flags != vma.flags() {
                let (old, flags) = (vma.flags(), committed(vma, flags));
                let may = |flags| edit.may_expand(flags, part.pages(), 0);
                if flags.contains(VmaFlags::WRITE) && !may(flags) && may(old) {
                    break Err(MmError::NoMemory);
                }
                let grows = (flags - old).contains(VmaFlags::ACCOUNT);
                let committed = edit.commit(if grows { part.pages() } else { 0 });
                if let Err(error) = committed.and_then(|()| edit.modify(vma, part, flags)) {
                    break Err(error);
                }
                drop(edit);
                self.machine.pause(Point::ChangeEntries(part));
                let (protection, writable) = (flags.protection(), writable(flags));
                if flags.contains(VmaFlags::UFFD_WP) {
                    self.tables.protect_keeping(part, protection, writable, &mut gather);
                } else {
                    self.tables.protect(part, protection, writable, &mut gather);
                }
                if becomes_writable_locked(old, flags) {
                    self.fault_in_copies(&guard, part);
                }
            }
            if at >= range.end() {
                break Ok(());
            }
        };
        gather.finish();
        result
    }

    /// Gives all pages of `part`, which is inside a VMA, to this address space alone, so that writing will not fault. Stops
    /// silently without memory, as Linux does.
    fn fault_in_copies(&self, map: &Map<'m, P>, part: PageRange) {
        let Some(vma) = self.vma_at(map, part.start()) else { return };
        if vma.flags().contains(VmaFlags::LOCKONFAULT) {
            return;
        }
        let _ = self.fault_in(map, vma, part, Access::Write);
    }

    /// The range to change, which `PROT_GROWSDOWN` extends.
    fn range_to_protect(&self, map: &Map<'m, P>, range: PageRange, prot: Prot) -> Result<PageRange, MmError> {
        if prot.contains(Prot::GROWSDOWN) {
            let first = self.vma_from(map, range.start()).filter(|vma| vma.start() < range.end());
            let first = first.ok_or(MmError::NoMemory)?;
            if !first.flags().contains(VmaFlags::GROWSDOWN) {
                return Err(MmError::Invalid);
            }
            return PageRange::new(first.start(), range.end()).ok_or(MmError::NoMemory);
        }
        if prot.contains(Prot::GROWSUP) {
            self.vma_at(map, range.start()).ok_or(MmError::NoMemory)?;
            return Err(MmError::Invalid);
        }
        Ok(range)
    }
}

/// Which present pages of a VMA with `flags` may be written without a fault.
fn writable(flags: VmaFlags) -> Writable {
    if flags.contains(VmaFlags::SHARED) { Writable::Always } else { Writable::IfExclusive }
}

/// Whether private memory that is locked becomes writable.
fn becomes_writable_locked(old: VmaFlags, new: VmaFlags) -> bool {
    let kind = VmaFlags::WRITE | VmaFlags::SHARED | VmaFlags::LOCKED;
    old & kind == VmaFlags::LOCKED && new.contains(VmaFlags::WRITE)
}

/// `flags` with the mark of committed memory: set when private memory becomes writable, and taken away again
/// only while nothing has been written.
fn committed(vma: &Vma, flags: VmaFlags) -> VmaFlags {
    let old = vma.flags();
    let counted = VmaFlags::ACCOUNT | VmaFlags::WRITE | VmaFlags::SHARED | VmaFlags::NORESERVE;
    if flags.contains(VmaFlags::WRITE) {
        if old.intersects(counted) { flags } else { flags | VmaFlags::ACCOUNT }
    } else if vma.backing() == Backing::Anonymous && vma.anon().is_none() {
        flags - VmaFlags::ACCOUNT
    } else {
        flags
    }
}
