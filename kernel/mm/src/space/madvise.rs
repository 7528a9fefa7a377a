//! madvise: hints about the use of memory, and orders in the guise of hints.
//!
//! | advice | lock |
//! | --- | --- |
//! | new properties | mmap lock (write) |
//! | pages are discarded, guards come and go | the VMA's lock (read) alone if one VMA has all of the range; else the mmap lock (read) |
//! | pages are faulted in | mmap lock (read) |
//!
//! The rules are those of Linux 6.18. Holes in the range are passed over, and in the end the call fails for them. `MADV_FREE`
//! discards at once, which is what Linux does when memory is short: what is not written after the call may be lost at any time.

use core::ops::Deref;

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::schedule::Point;
use crate::space::advice::{Advice, Discard, Mark};
use crate::space::map::Map;
use crate::space::mprotect::ADDRESSES_END;
use crate::space::{AddressSpace, pages_for};
use crate::tlb::Gather;
use crate::vma::{Access, Backing, ReadLocked, Vma, VmaFlags};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Does what `advice` (`MADV_`) says with the pages that `[address, address + length)` (bytes) touches. Length 0 is no
    /// error. `MADV_REMOVE` is [`remove`](Self::remove).
    ///
    /// # Errors
    /// [`MmError::Invalid`] for a wrong range or advice, or a VMA that it does not suit; [`MmError::NotPermitted`] for contents
    /// of a sealed VMA that may not be written; [`MmError::Fault`] for a page that cannot be faulted in; what comes before
    /// that VMA or page is done then. [`MmError::NoMemory`] for holes, when all else is done, and without memory;
    /// [`MmError::Again`] at the limit of VMAs or without memory for a split; [`MmError::Interrupted`] (E1).
    pub fn madvise(&self, address: u64, length: u64, advice: u64) -> Result<(), MmError> {
        let advice = Advice::decode(advice).ok_or(MmError::Invalid)?;
        let Some(range) = advised(address, length)? else { return Ok(()) };
        match advice {
            Advice::Mark(mark) => self.mark(range, mark),
            Advice::Populate(access) => self.populate_for(range, access),
            _ => self.advise(range, advice),
        }
    }

    /// Gives the VMAs over `range` other properties.
    fn mark(&self, range: PageRange, mark: Mark) -> Result<(), MmError> {
        self.for_each_part(&mut self.write()?, range, |guard, vma, part| {
            vma.may_lose(Advice::Mark(mark))?;
            let private = vma.backing() == Backing::Anonymous;
            if mark.is_for_private_memory() && !private {
                return Err(MmError::Invalid);
            }
            let flags = mark.apply(vma.flags());
            if flags == vma.flags() {
                return Ok(());
            }
            let result = self.edit(guard, part.start()).modify(vma, part, flags);
            result.map_err(|error| if error == MmError::NoMemory { MmError::Again } else { error })
        })
    }

    /// Faults in all pages of `range` for `access`. Stops at the first that cannot be.
    fn populate_for(&self, range: PageRange, access: Access) -> Result<(), MmError> {
        let map = self.read();
        let mut at = range.start();
        while at < range.end() {
            let vma = self.vma_at(&map, at).ok_or(MmError::NoMemory)?;
            let needed = if access == Access::Write { VmaFlags::WRITE } else { VmaFlags::READ };
            if !vma.flags().contains(needed) {
                return Err(MmError::Invalid);
            }
            let Some(part) = PageRange::new(at, vma.end().min(range.end())) else { break };
            self.fault_in(&map, vma, part, access)?;
            at = part.end();
        }
        Ok(())
    }

    /// Follows advice that changes no VMA.
    fn advise(&self, range: PageRange, advice: Advice) -> Result<(), MmError> {
        if let Some(vma) = self.lock_vma_for(range, advice) {
            let mut gather = Gather::new(self.machine, &self.tlb);
            let may = vma.may_follow(advice);
            let result = may.and_then(|()| self.advise_part(range, advice, &mut gather));
            gather.finish();
            return result;
        }
        let mut map = self.read();
        let mut gather = Gather::new(self.machine, &self.tlb);
        let result = self.for_each_part(&mut map, range, |map, vma, part| {
            vma.may_follow(advice)?;
            if advice == Advice::InstallGuards {
                // A fork copies the entries of memory that has an identity.
                self.prepare_anon(map, vma);
            }
            self.advise_part(part, advice, &mut gather)
        });
        gather.finish();
        result
    }

    /// The VMA that has all of `range`, locked for reading without the mmap lock, if that is enough for `advice`.
    fn lock_vma_for(&self, range: PageRange, advice: Advice) -> Option<ReadLocked<'m>> {
        let vma = self.lock_vma_under_rcu(range.start())?;
        let depends_on_neighbours = advice == Advice::InstallGuards && vma.anon().is_none();
        (range.end() <= vma.end() && !depends_on_neighbours).then_some(vma)
    }

    /// Follows `advice` in `part`, a part of a VMA that is stable and may follow it.
    fn advise_part(
        &self,
        part: PageRange,
        advice: Advice,
        gather: &mut Gather<'_, 'm, P>,
    ) -> Result<(), MmError> {
        self.machine.pause(Point::ChangeEntries(part));
        match advice {
            Advice::Discard(_) => {
                self.tables.discard(part, gather);
            }
            Advice::InstallGuards => self.tables.install_guards(part, gather)?,
            Advice::RemoveGuards => self.tables.remove_guards(part),
            Advice::Punch | Advice::Reclaim | Advice::Need | Advice::Mark(_) | Advice::Populate(_) => {}
        }
        Ok(())
    }

    /// Calls `act` for every VMA that has a part of `range`, with that part, in ascending order, until it fails. `guard` holds
    /// the mmap lock.
    ///
    /// # Errors
    /// That of `act`; or else [`MmError::NoMemory`] if there is a hole in the range.
    pub(super) fn for_each_part<G: Deref<Target = Map<'m, P>>>(
        &self,
        guard: &mut G,
        range: PageRange,
        mut act: impl FnMut(&mut G, &'m Vma, PageRange) -> Result<(), MmError>,
    ) -> Result<(), MmError> {
        let mut throughout = Ok(());
        let mut at = range.start();
        while at < range.end() {
            let vma = self.vma_from(guard, at).ok_or(MmError::NoMemory)?;
            if vma.start() > at {
                throughout = Err(MmError::NoMemory);
            }
            let Some(part) = PageRange::new(at.max(vma.start()), range.end().min(vma.end())) else { break };
            at = part.end();
            act(guard, vma, part)?;
        }
        throughout
    }
}

/// The pages that `[address, address + length)` (bytes) touches; none for length 0.
///
/// # Errors
/// [`MmError::Invalid`].
pub(super) fn advised(address: u64, length: u64) -> Result<Option<PageRange>, MmError> {
    let start = Page::starting_at(address).ok_or(MmError::Invalid)?;
    if length == 0 {
        return Ok(None);
    }
    let range = PageRange::from_start(start, pages_for(length)).ok_or(MmError::Invalid)?;
    if range.end() >= ADDRESSES_END { Err(MmError::Invalid) } else { Ok(Some(range)) }
}

impl Vma {
    /// Refuses advice that is not for such a VMA: nothing is done to it then.
    pub(super) fn may_follow(&self, advice: Advice) -> Result<(), MmError> {
        self.may_lose(advice)?;
        let lazily = advice == Advice::Discard(Discard::Lazily);
        let spares_locked =
            !matches!(advice, Advice::Discard(Discard::LockedToo) | Advice::RemoveGuards | Advice::Need);
        if (spares_locked && self.flags().contains(VmaFlags::LOCKED))
            || (lazily && self.backing() != Backing::Anonymous)
        {
            return Err(MmError::Invalid);
        }
        Ok(())
    }

    /// Refuses advice that takes contents away from a sealed VMA whose contents the program may not change otherwise.
    fn may_lose(&self, advice: Advice) -> Result<(), MmError> {
        let flags = self.flags();
        let keeps = flags.contains(VmaFlags::SEALED) && !flags.intersects(VmaFlags::SHARED | VmaFlags::WRITE);
        if keeps && advice.discards() { Err(MmError::NotPermitted) } else { Ok(()) }
    }
}
