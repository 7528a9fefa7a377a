//! mremap, as Linux 6.18 does it.
//!
//! A mapping of a file grows over the rest of the file, and beyond it, where an access is SIGBUS.

use abi::Errno;
use abi::mman::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Prot};

use super::area::{Area, Backing, Locking, Sharing};
use super::{Model, PAGE, USER_END};

/// A call with plausible arguments, in pages.
#[derive(Clone, Copy)]
struct Call {
    old: u64,
    old_pages: u64,
    new_pages: u64,
    new: u64,
    may_move: bool,
    fixed: bool,
    keep: bool,
}

impl Model {
    /// `mremap(old, old_length, new_length, flags, new)` with raw arguments; the address in bytes.
    ///
    /// # Errors
    /// Linux's, in Linux's order of checks. What was unmapped or moved before an error stays so.
    pub fn mremap(
        &mut self,
        old: u64,
        old_length: u64,
        new_length: u64,
        flags: u64,
        new: u64,
    ) -> Result<u64, Errno> {
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 || !old.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        // What wraps when it is rounded up is 0.
        let old_length = old_length.checked_next_multiple_of(PAGE).unwrap_or(0);
        let new_length = new_length.checked_next_multiple_of(PAGE).unwrap_or(0);
        if new_length == 0 || new_length > USER_END * PAGE {
            return Err(Errno::EINVAL);
        }
        let call = Call {
            old: old / PAGE,
            old_pages: old_length / PAGE,
            new_pages: new_length / PAGE,
            new: new / PAGE,
            may_move: flags & MREMAP_MAYMOVE != 0,
            fixed: flags & MREMAP_FIXED != 0,
            keep: flags & MREMAP_DONTUNMAP != 0,
        };
        if call.fixed || call.keep {
            let outside = new > USER_END * PAGE - new_length || !new.is_multiple_of(PAGE);
            if outside || !call.may_move || (call.keep && old_length != new_length) {
                return Err(Errno::EINVAL);
            }
            if old.wrapping_add(old_length) > new && new + new_length > old {
                return Err(Errno::EINVAL);
            }
            // M4.
            if self.areas.len() as i64 + 2 >= self.settings.max_map_count as i64 - 3 {
                return Err(Errno::ENOMEM);
            }
        }
        let start = if call.fixed && old_length == new_length {
            self.move_areas(call)?
        } else {
            self.check_remap(call)?;
            if call.fixed || call.keep { self.remap_to(call)? } else { self.resize(call)? }
        };
        Ok(start * PAGE)
    }

    fn check_remap(&self, call: Call) -> Result<(), Errno> {
        let area = self.area_at(call.old).ok_or(Errno::EFAULT)?;
        if area.attributes.sealed {
            return Err(Errno::EPERM);
        }
        let grows = call.new_pages > call.old_pages;
        if !grows && !call.fixed && !call.keep {
            return Ok(());
        }
        let private = area.attributes.sharing == Sharing::Private;
        if private && call.old_pages == 0 {
            return Err(Errno::EINVAL);
        }
        let here = area.end - call.old;
        if call.old_pages.min(call.new_pages) > here {
            return Err(Errno::EFAULT);
        }
        if !grows {
            return Ok(());
        }
        let more = call.new_pages - call.old_pages;
        if area.attributes.locking.is_locked() && self.sums().locked + more > self.settings.memlock / PAGE {
            return Err(Errno::EAGAIN);
        }
        self.check_expand(&area.attributes, more)
    }

    /// Without an address: shorter and longer in place, or longer elsewhere.
    fn resize(&mut self, call: Call) -> Result<u64, Errno> {
        if call.new_pages < call.old_pages {
            self.unmap_tail(call)?;
        }
        if call.new_pages <= call.old_pages {
            return Ok(call.old);
        }
        let area = *self.area_at(call.old).ok_or(Errno::EFAULT)?;
        let (end, new_end) = (call.old + call.old_pages, call.old + call.new_pages);
        if end == area.end && new_end <= USER_END && self.overlapping(end, new_end).is_empty() {
            if area.attributes.account {
                self.check_commit(new_end - end)?;
            }
            let more = Area { start: end, end: new_end, pgoff: area.offset_of(end), ..area };
            self.put_merged(more);
            self.populate_locked(end);
            return Ok(call.old);
        }
        if !call.may_move {
            return Err(Errno::ENOMEM);
        }
        let start = self.place(call.new_pages).ok_or(Errno::ENOMEM)?;
        self.relocate(call, start)
    }

    /// To an address, or near one.
    fn remap_to(&mut self, mut call: Call) -> Result<u64, Errno> {
        if call.fixed {
            self.munmap(call.new * PAGE, call.new_pages * PAGE)?;
        }
        let area = *self.area_at(call.old).ok_or(Errno::EFAULT)?;
        if call.new_pages < call.old_pages {
            self.unmap_tail(call)?;
            call.old_pages = call.new_pages;
        }
        if call.keep {
            self.check_expand(&area.attributes, call.old_pages)?;
        }
        let hint = call.new != 0 && self.is_free(call.new, call.new_pages);
        let start =
            if call.fixed || hint { call.new } else { self.place(call.new_pages).ok_or(Errno::ENOMEM)? };
        if start * PAGE < self.settings.mmap_min_addr {
            return Err(Errno::EPERM);
        }
        self.relocate(call, start)
    }

    /// All areas in the old range, one after the other, each as far from the next as it was.
    fn move_areas(&mut self, call: Call) -> Result<u64, Errno> {
        let end = call.old.checked_add(call.old_pages).ok_or(Errno::EFAULT)?;
        let areas = self.overlapping(call.old, end);
        if areas.first().is_none_or(|first| first.start > call.old) {
            return Err(Errno::EFAULT);
        }
        let mut page = call.old;
        // Areas that were moved may have merged with those to come.
        while let Some(area) = self.overlapping(page, end).first().copied().filter(|_| page < end) {
            let (from, to) = (area.start.max(page), area.end.min(end));
            let goes_alone = area.attributes.attached || area.attributes.registered.context != 0;
            if goes_alone && (page != call.old || area.end < end) {
                return Err(Errno::EFAULT);
            }
            let new = call.new + (from - call.old);
            let piece = Call { old: from, old_pages: to - from, new_pages: to - from, new, ..call };
            self.check_remap(piece)?;
            self.remap_to(piece)?;
            page = to;
        }
        Ok(call.new)
    }

    fn unmap_tail(&mut self, call: Call) -> Result<(), Errno> {
        self.munmap((call.old + call.new_pages) * PAGE, (call.old_pages - call.new_pages) * PAGE)
    }

    /// Linux: `move_vma`.
    fn relocate(&mut self, call: Call, start: u64) -> Result<u64, Errno> {
        if self.areas.len() as i64 >= self.settings.max_map_count as i64 - 3 {
            return Err(Errno::ENOMEM);
        }
        let area = *self.area_at(call.old).ok_or(Errno::EFAULT)?;
        if area.attributes.account {
            let moves = if call.keep { 0 } else { call.old_pages };
            self.check_commit(call.new_pages - moves)?;
        }
        let private = area.attributes.sharing == Sharing::Private;
        let mut copy = Area { start, end: start + call.new_pages, pgoff: area.offset_of(call.old), ..area };
        if private && area.attributes.backing == Backing::Anonymous && area.group.is_none() {
            copy.pgoff = start;
        }
        self.put_merged(copy);
        if private {
            let old = call.old..call.old + call.old_pages;
            let moved = std::mem::take(&mut self.contents).into_iter().map(|(page, words)| {
                let page = if old.contains(&page) { page - call.old + start } else { page };
                (page, words)
            });
            self.contents = moved.collect();
        }
        let old = call.old..call.old + call.old_pages;
        let moved = |page: u64| if old.contains(&page) { page - call.old + start } else { page };
        self.guards = self.guards.iter().copied().map(moved).collect();
        self.resident = self.resident.iter().copied().map(moved).collect();
        self.protected.retain(|page| !old.contains(page));
        if call.keep {
            self.leave_empty(call, start);
        } else {
            self.forget(call.old, call.old + call.old_pages);
        }
        if area.attributes.registered.context != 0 {
            self.forget_registration(start);
        }
        if call.new_pages > call.old_pages {
            self.populate_locked(start + call.old_pages);
        }
        Ok(start)
    }

    /// `MREMAP_DONTUNMAP`: what the area is like where the pages have left.
    fn leave_empty(&mut self, call: Call, start: u64) {
        let Some(mut left) = self.area_at(call.old).copied() else { return };
        left.attributes.locking = Locking::None;
        let apart = !(left.start..left.end).contains(&start);
        if apart && left.start == call.old && left.end == call.old + call.old_pages {
            left.group = None;
        }
        self.put(left);
    }

    /// Removes an area or part of one that may be empty.
    fn forget(&mut self, start: u64, end: u64) {
        if start < end {
            self.remove(start, end);
        }
    }

    /// Locked memory is faulted in from `page` on, for writing if that is allowed.
    fn populate_locked(&mut self, page: u64) {
        let Some(area) = self.area_at(page).copied() else { return };
        if area.attributes.locking == Locking::Now && area.attributes.prot.contains(Prot::WRITE) {
            self.join_group(page);
            self.copy_from_file(page, area.end);
        }
    }
}
