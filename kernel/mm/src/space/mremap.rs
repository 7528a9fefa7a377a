//! mremap: the checks and what they lead to. The move itself is in [`super::relocate`].
//!
//! ```text
//!                 | shorter              | as long        | longer
//!  here           | unmap the tail       | nothing        | extend, else move if it may
//!  there (FIXED,  | unmap what is there and the tail, move | move and extend
//!   DONTUNMAP)    |                      | move, VMA by VMA
//! ```
//!
//! The rules are those of Linux 6.18. Shared memory and mapped files may become longer than their object, and whoever touches a
//! page beyond the end gets a SIGBUS.

use abi::mman::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE};

use crate::error::MmError;
use crate::platform::Platform;
use crate::range::{PAGE_SIZE, Page, PageRange, USER_END};
use crate::space::map::{Map, MapWriteGuard};
use crate::space::munmap::range_to_unmap;
use crate::space::order::{Order, in_order};
use crate::space::relocate::{Move, Source};
use crate::space::{AddressSpace, pages_for};
use crate::vma::{Backing, Vma, VmaFlags, VmaInfo};

/// Where the memory goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    /// It stays.
    Here,
    /// It stays if it can, else it goes anywhere (`MREMAP_MAYMOVE`).
    HereOrAnywhere,
    /// There if that is free, else anywhere (`MREMAP_DONTUNMAP`). Page 0 stands for anywhere.
    Near(Page),
    /// There; what is there goes (`MREMAP_FIXED`).
    Exactly(Page),
}

/// A checked mremap call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Remap {
    /// First page.
    old: Page,
    /// How many pages it has; 0 stands for a duplicate of shared memory.
    old_pages: u64,
    /// How many pages it shall have, at least 1, at most the user half.
    new_pages: u64,
    target: Target,
    source: Source,
}

impl Remap {
    /// The call with these raw arguments (bytes, `MREMAP_`).
    ///
    /// # Errors
    /// [`MmError::Invalid`].
    fn decode(old: u64, old_length: u64, new_length: u64, flags: u64, new: u64) -> Result<Self, MmError> {
        let has = |flag| flags & flag != 0;
        if has(!(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) {
            return Err(MmError::Invalid);
        }
        let start = Page::starting_at(old).ok_or(MmError::Invalid)?;
        let (old_pages, new_pages) = (pages_for(old_length), pages_for(new_length));
        if new_pages == 0 || new_pages > Page::USER_END.number() {
            return Err(MmError::Invalid);
        }
        let source = if has(MREMAP_DONTUNMAP) { Source::Keep } else { Source::Unmap };
        let target = if has(MREMAP_FIXED | MREMAP_DONTUNMAP) {
            let new_bytes = new_pages * PAGE_SIZE;
            if new > USER_END - new_bytes {
                return Err(MmError::Invalid);
            }
            let page = Page::starting_at(new).ok_or(MmError::Invalid)?;
            // The end of the old range may wrap, as on Linux.
            let old_end = old.wrapping_add(old_pages * PAGE_SIZE);
            let overlaps = new < old_end && old < new + new_bytes;
            if !has(MREMAP_MAYMOVE) || (source == Source::Keep && old_pages != new_pages) || overlaps {
                return Err(MmError::Invalid);
            }
            if has(MREMAP_FIXED) { Target::Exactly(page) } else { Target::Near(page) }
        } else if has(MREMAP_MAYMOVE) {
            Target::HereOrAnywhere
        } else {
            Target::Here
        };
        Ok(Remap { old: start, old_pages, new_pages, target, source })
    }

    fn grows(&self) -> bool {
        self.new_pages > self.old_pages
    }

    /// Whether it certainly moves.
    fn moves(&self) -> bool {
        matches!(self.target, Target::Near(_) | Target::Exactly(_))
    }

    /// The range that is left of a shrunk one, to be unmapped.
    fn tail(&self) -> Result<PageRange, MmError> {
        let start = self.old.up(self.new_pages).address();
        range_to_unmap(start, (self.old_pages - self.new_pages) * PAGE_SIZE)
    }
}

/// What came of it.
struct Remapped {
    /// First page.
    start: Page,
    /// Pages that have to be faulted in, because they are new and locked.
    populate: Option<PageRange>,
}

impl<'m, P: Platform> AddressSpace<'m, P> {
    /// Lets the mapping of `[old, old + old_length)` (bytes) be `new_length` bytes long, and moves it if need be, or to
    /// `new`, as `flags` (`MREMAP_`) say. The result is its address. An old length of 0 maps shared memory a second time.
    ///
    /// # Errors
    /// In this order: [`MmError::Invalid`] for wrong arguments; [`MmError::NoMemory`] near the limit of VMAs (M4);
    /// [`MmError::Fault`] for a range that is not mapped, or not by one VMA, unless it only shrinks or moves as it is;
    /// [`MmError::NotPermitted`] if any of it or of the target is sealed, or for a target below `mmap_min_addr`;
    /// [`MmError::Again`] over `RLIMIT_MEMLOCK`; [`MmError::NoMemory`] beyond limits or without memory or room;
    /// [`MmError::Interrupted`] (E1, E15). The memory stays where it was then, with its contents; but what was unmapped
    /// already, as the target of a fixed move and the tail of a shorter one are, stays unmapped, and what lies before the VMA
    /// where the error comes stays moved, as on Linux.
    pub fn mremap(
        &self,
        old: u64,
        old_length: u64,
        new_length: u64,
        flags: u64,
        new: u64,
    ) -> Result<u64, MmError> {
        let remap = Remap::decode(old, old_length, new_length, flags, new)?;
        let guard = self.write()?;
        // M4: what is unmapped first may make two VMAs more, the move itself up to three.
        if remap.moves() {
            self.check_room_for_vmas(&guard, 2 + 3)?;
        }
        let remapped = in_order!(self.order, self.remap(guard, &remap))?;
        if let Some(range) = remapped.populate {
            self.populate(range);
        }
        Ok(remapped.start.address())
    }

    fn remap<O: Order>(
        &self,
        mut guard: MapWriteGuard<'_, 'm, P>,
        remap: &Remap,
    ) -> Result<Remapped, MmError> {
        if let Target::Exactly(target) = remap.target
            && remap.old_pages == remap.new_pages
        {
            return self.move_each::<O>(&mut guard, remap, target);
        }
        let vma = self.check_remap(&guard, remap)?;
        if remap.moves() {
            return self.remap_there::<O>(&mut guard, remap);
        }
        if remap.grows() {
            return self.grow::<O>(&mut guard, remap, vma);
        }
        if remap.new_pages < remap.old_pages {
            self.unmap_range::<O>(guard, remap.tail()?)?;
        }
        Ok(Remapped { start: remap.old, populate: None })
    }

    /// The VMA at the old range, if it may be remapped so.
    fn check_remap(&self, map: &Map<'m, P>, remap: &Remap) -> Result<&'m Vma, MmError> {
        let vma = self.vma_at(map, remap.old).ok_or(MmError::Fault)?;
        vma.may_change()?;
        if !remap.grows() && !remap.moves() {
            return Ok(vma);
        }
        let info = vma.info();
        let private = !info.flags.contains(VmaFlags::SHARED);
        if private && remap.old_pages == 0 {
            return Err(MmError::Invalid);
        }
        let within = info.range.end().number() - remap.old.number();
        if remap.old_pages.min(remap.new_pages) > within {
            return Err(MmError::Fault);
        }
        if !remap.grows() {
            return Ok(vma);
        }
        let offset = info.pgoff.wrapping_add(info.range.pages() - within);
        offset.checked_add(remap.new_pages).ok_or(MmError::Invalid)?;
        let more = remap.new_pages - remap.old_pages;
        if info.flags.contains(VmaFlags::LOCKED) && !map.may_lock(more) {
            return Err(MmError::Again);
        }
        if !map.totals.may_expand(&map.limits, info.flags, more, 0) {
            return Err(MmError::NoMemory);
        }
        Ok(vma)
    }

    /// Extends `vma` where that is possible, or else moves it.
    fn grow<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        remap: &Remap,
        vma: &'m Vma,
    ) -> Result<Remapped, MmError> {
        let info = vma.info();
        let end = remap.old.up(remap.new_pages);
        let at_end = remap.old.up(remap.old_pages) == info.range.end();
        if let Some(more) = PageRange::new(info.range.end(), end)
            && at_end
            && end <= Page::USER_END
        {
            let mut edit = self.edit(guard, info.range.start());
            if edit.is_free(more) {
                edit.commit(info.flags.committed(more.pages()))?;
                let (_, next) = edit.touching(more);
                edit.insert(&info.part(more), Some(vma), next)?;
                let populate = Some(more).filter(|_| info.flags.contains(VmaFlags::LOCKED));
                return Ok(Remapped { start: remap.old, populate });
            }
        }
        if remap.target == Target::Here {
            return Err(MmError::NoMemory);
        }
        let start = self.place_anywhere(guard, remap.new_pages, &mut None)?;
        self.relocate_to::<O>(guard, remap, remap.old_pages, start)
    }

    /// Moves to the target, which is made free first. What is to go is unmapped before anything moves, as on Linux.
    fn remap_there<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        remap: &Remap,
    ) -> Result<Remapped, MmError> {
        if let Target::Exactly(start) = remap.target {
            let target = PageRange::from_start(start, remap.new_pages).ok_or(MmError::Invalid)?;
            self.unmap_keeping_lock::<O>(guard, target)?;
        }
        // A duplicate, or a range that wraps, may have taken its own source out.
        let flags = self.vma_at(guard, remap.old).ok_or(MmError::Fault)?.flags();
        let mut pages = remap.old_pages;
        if remap.new_pages < pages {
            self.unmap_keeping_lock::<O>(guard, remap.tail()?)?;
            pages = remap.new_pages;
        }
        let keeps = remap.source == Source::Keep;
        if keeps && !guard.totals.may_expand(&guard.limits, flags, pages, 0) {
            return Err(MmError::NoMemory);
        }
        let start = match remap.target {
            Target::Exactly(start) => start,
            Target::Near(hint) if hint != Page::ZERO => {
                self.place_near(guard, hint, remap.new_pages, &mut None)?
            }
            _ => self.place_anywhere(guard, remap.new_pages, &mut None)?,
        };
        if start < self.min_page {
            return Err(MmError::NotPermitted);
        }
        self.relocate_to::<O>(guard, remap, pages, start)
    }

    /// Moves `pages` pages of the old range to `start`, where there is nothing.
    fn relocate_to<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        remap: &Remap,
        pages: u64,
        start: Page,
    ) -> Result<Remapped, MmError> {
        let to = PageRange::from_start(start, remap.new_pages).ok_or(MmError::NoMemory)?;
        let flags = self.move_vma::<O>(guard, &Move { from: remap.old, pages, to, source: remap.source })?;
        let new = PageRange::new(start.up(pages), to.end());
        Ok(Remapped { start, populate: new.filter(|_| flags.contains(VmaFlags::LOCKED)) })
    }

    /// Moves everything in the old range to `target`, VMA by VMA, holes included; the range begins in a VMA. Attachments and VMAs whose
    /// faults the program resolves only alone, as on Linux.
    fn move_each<O: Order>(
        &self,
        guard: &mut MapWriteGuard<'_, 'm, P>,
        remap: &Remap,
        target: Page,
    ) -> Result<Remapped, MmError> {
        let range = PageRange::from_start(remap.old, remap.old_pages).ok_or(MmError::Fault)?;
        let mut at = range.start();
        while let Some(vma) = self.vma_from(guard, at)
            && let Some(part) = PageRange::new(at.max(vma.start()), range.end().min(vma.end()))
        {
            if at == range.start() && part.start() > at {
                break;
            }
            let alone = at == range.start() && vma.end() >= range.end();
            let goes_alone = vma.flags().contains(VmaFlags::ATTACHED) || vma.flags().context().is_some();
            if goes_alone && !alone {
                return Err(MmError::Fault);
            }
            let to = target.up(part.start().number() - range.start().number());
            let pages = part.pages();
            let target = Target::Exactly(to);
            let piece = Remap { old: part.start(), old_pages: pages, new_pages: pages, target, ..*remap };
            self.check_remap(guard, &piece)?;
            self.remap_there::<O>(guard, &piece)?;
            at = part.end();
        }
        if at == range.start() {
            return Err(MmError::Fault);
        }
        Ok(Remapped { start: target, populate: None })
    }
}

impl VmaInfo {
    /// This VMA's part from `start` on as it is when it covers `to`. Anonymous memory that has no page yet gets the offset of
    /// its new place, so that it may merge there; all else keeps its offset (Linux: `copy_vma`).
    pub(super) fn moved(&self, start: Page, to: PageRange) -> VmaInfo {
        let offset = start.number().wrapping_sub(self.range.start().number());
        let pgoff = if self.backing == Backing::Anonymous && self.anon.is_none() {
            to.start().number()
        } else {
            self.pgoff.wrapping_add(offset)
        };
        VmaInfo { range: to, pgoff, ..*self }
    }
}
