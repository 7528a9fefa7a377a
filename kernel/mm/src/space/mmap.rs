//! mmap.

use crate::error::MmError;
use crate::museum::{self, Bug};
use crate::object::SharedObject;
use crate::platform::Platform;
use crate::range::PageRange;
use crate::space::AddressSpace;
use crate::space::gather::Stand;
use crate::space::map::{Map, MapWriteGuard, Neighbours, VmaPosition};
use crate::space::order::{Order, in_order};
use crate::space::placement::Gap;
use crate::space::request::{MmapOptions, MmapRequest, Sharing, Source};
use crate::trace::Step;
use crate::vma::{Backing, VmaFlags, VmaInfo};

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Maps what `request` says; the result is the address of the first byte. A fixed mapping replaces what is there in
    /// one store of the tree, so that no reader ever sees the range empty.
    ///
    /// # Errors
    /// As [`MmapRequest::decode`] and the placement say; [`MmError::NoMemory`] beyond limits (M1, M3) or without memory,
    /// [`MmError::Again`] and [`MmError::NotPermitted`] over `RLIMIT_MEMLOCK`, [`MmError::NotPermitted`] over a sealed
    /// VMA. What was mapped stays as it was.
    pub fn mmap(&self, request: MmapRequest) -> Result<u64, MmError> {
        let mut guard = self.write()?;
        if guard.totals.vmas > self.machine.max_map_count() {
            return Err(MmError::NoMemory);
        }
        let mut gap = None;
        let range = self.place(&guard, &request, &mut gap)?;
        let mut info = self.describe(&guard, &request, range)?;
        let object = self.object_for(&request, &info)?;
        if let Some(object) = &object {
            info.backing = Backing::SharedAnonymous { object: object.object_id() };
        }
        self.map_region(&mut guard, &info, gap)?;
        drop(guard);
        if request.options.contains(MmapOptions::POPULATE) || info.flags.contains(VmaFlags::LOCKED) {
            self.populate(range);
        }
        Ok(range.start().address())
    }

    /// The object of new shared anonymous memory. Goes again unless the mapping gets a VMA.
    fn object_for(
        &self,
        request: &MmapRequest,
        info: &VmaInfo,
    ) -> Result<Option<SharedObject<'m, P>>, MmError> {
        if request.source != Source::Anonymous || !info.flags.contains(VmaFlags::SHARED) {
            return Ok(None);
        }
        SharedObject::new(self.machine, info.range.pages()).map(Some)
    }

    /// The VMA that `request` makes at `range`, before merging, and without an object of shared anonymous memory.
    fn describe(
        &self,
        map: &Map<'m, P>,
        request: &MmapRequest,
        range: PageRange,
    ) -> Result<VmaInfo, MmError> {
        let mut flags = VmaFlags::from_prot(request.prot);
        flags |= map.future;
        flags.set(VmaFlags::GROWSDOWN, request.options.contains(MmapOptions::GROWSDOWN));
        let reserves =
            !request.options.contains(MmapOptions::NORESERVE) || self.machine.commitment().is_strict();
        flags.set(VmaFlags::NORESERVE, !reserves);
        flags.set(VmaFlags::NOHUGEPAGE, request.options.contains(MmapOptions::STACK));
        if request.options.contains(MmapOptions::LOCKED) {
            if map.limits.memlock == 0 {
                return Err(MmError::NotPermitted);
            }
            flags |= VmaFlags::LOCKED;
        }
        if flags.contains(VmaFlags::LOCKED) && !map.may_lock(range.pages()) {
            return Err(MmError::Again);
        }
        let sharing = request.sharing.ok_or(MmError::Invalid)?;
        let grows_down = flags.contains(VmaFlags::GROWSDOWN);
        if grows_down && (sharing == Sharing::Shared || request.source != Source::Anonymous) {
            return Err(MmError::Invalid);
        }
        if sharing == Sharing::Shared {
            flags |= VmaFlags::SHARED;
            flags.set(VmaFlags::NEVER_WRITE, request.options.contains(MmapOptions::NEVER_WRITE));
        }
        let (backing, pgoff) = match (request.source, sharing) {
            (Source::Anonymous, Sharing::Private) => (Backing::Anonymous, range.start().number()),
            (Source::Anonymous, Sharing::Shared) => (Backing::Anonymous, 0),
            (Source::Attachment { object }, _) => {
                flags |= VmaFlags::ATTACHED;
                (Backing::SharedAnonymous { object }, 0)
            }
            (Source::File { object, first_page }, _) => (Backing::File { object }, first_page),
        };
        flags.set(VmaFlags::ACCOUNT, flags.is_accountable());
        Ok(VmaInfo { range, flags, backing, pgoff, anon: None })
    }

    /// Makes the VMA that `info` describes, in place of what is there. `gap` is where its range is, if that is known to be free.
    #[inline(always)]
    fn map_region(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        info: &VmaInfo,
        gap: Gap<'_, 'm, P>,
    ) -> Result<(), MmError> {
        let mut edit = match gap {
            Some(gap) => self.edit_in(guard, gap),
            None => self.edit(guard, info.range.start()),
        };
        let free = edit.cursor.gap().filter(|free| info.range.end() <= free.ceiling);
        let Some(free) = free else {
            let start = edit.cursor.position_at(info.range.start());
            drop(edit);
            return in_order!(self.order, self.replace_region(guard, info, start));
        };
        if !edit.may_expand(info.flags, info.range.pages(), 0) {
            return Err(MmError::NoMemory);
        }
        edit.commit(info.flags.committed(info.range.pages()))?;
        let (prev, next) = edit.touching_in(info.range, None, free);
        edit.insert(info, prev, next).map(drop)
    }

    /// Makes the VMA that `info` describes, in place of the VMAs of its range, which begins at `start`: split, gather, store, unmap.
    #[inline(never)]
    fn replace_region<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        info: &VmaInfo,
        start: VmaPosition<'_, 'm, P>,
    ) -> Result<(), MmError> {
        let range = info.range;
        let mut edit = self.edit_in(guard, start);
        let Some(first) = edit.cursor.find(range.end()) else { return Err(MmError::Invalid) };
        self.machine.trace(Step::Begin(range));
        let first = edit.split_start::<O>(first, range)?;
        let mut gathered = edit.nothing_gathered();
        edit.gather(&mut gathered, first, range)?;
        if !edit.may_expand(info.flags, range.pages(), gathered.totals().pages) {
            return Err(MmError::NoMemory);
        }
        edit.commit(info.flags.committed(range.pages()).saturating_sub(gathered.totals().accounted))?;
        let next = edit.vma_above(range.end());
        edit.return_to::<O>(range.start(), Stand::Moved);
        let prev = edit.vma_below();
        // Before the store: a merge moves the bounds of the neighbours.
        let neighbours = Neighbours::between(prev, next);
        if self.machine.has(Bug::FixedLeavesGap) {
            edit.clear_for_replacement(range)?;
        }
        edit.insert(info, prev, next)?;
        // The point of no return. The new VMA is write-locked, so nobody faults in it before its range is clean.
        edit.totals.subtract(gathered.totals());
        let removed = gathered.commit();
        let _downgraded = museum::downgraded_if(self.machine, Bug::FixedUnmapsLate, &self.map);
        self.release(range, neighbours, removed);
        Ok(())
    }
}
