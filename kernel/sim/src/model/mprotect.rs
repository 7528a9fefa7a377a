//! mprotect.

use abi::Errno;
use abi::mman::Prot;

use super::area::{Area, Attributes, Backing, Growth, Locking, Sharing};
use super::mmap::ACCESS;
use super::{Model, PAGE};

impl Model {
    /// `mprotect(address, length, prot)` with raw arguments. What was changed before an error stays changed.
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` and `EPERM` as on Linux; `ENOMEM` also when a split meets the map count limit.
    pub fn mprotect(&mut self, address: u64, length: u64, prot: u64) -> Result<(), Errno> {
        let grows = Prot::from_bits_retain(prot) & (Prot::GROWSDOWN | Prot::GROWSUP);
        let prot = Prot::from_bits_retain(prot) - grows;
        if grows == Prot::GROWSDOWN | Prot::GROWSUP || !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        // A length that rounds up to 0 and an end that wraps are the same to Linux.
        let length = length.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
        let end = address.checked_add(length).ok_or(Errno::ENOMEM)? / PAGE;
        if !(ACCESS | Prot::SEM).contains(prot) {
            return Err(Errno::EINVAL);
        }
        let mut start = address / PAGE;
        let first = self.find(start).copied().ok_or(Errno::ENOMEM)?;
        if grows == Prot::GROWSDOWN {
            if first.start >= end {
                return Err(Errno::ENOMEM);
            }
            if first.attributes.growth != Growth::Down {
                return Err(Errno::EINVAL);
            }
            start = first.start;
        } else if first.start > start {
            return Err(Errno::ENOMEM);
        } else if grows == Prot::GROWSUP {
            return Err(Errno::EINVAL);
        }
        let mut reached = start;
        for area in self.overlapping(start, end) {
            if area.start > reached {
                return Err(Errno::ENOMEM);
            }
            reached = area.end.min(end);
            self.protect(start.max(area.start), reached, prot & ACCESS)?;
        }
        if reached < end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Changes the part `[start, end)` of the one area that contains it (Linux: `mprotect_fixup`).
    fn protect(&mut self, start: u64, end: u64, prot: Prot) -> Result<(), Errno> {
        let Some(area) = self.area_at(start).copied() else { return Err(Errno::ENOMEM) };
        if area.attributes.sealed {
            return Err(Errno::EPERM);
        }
        if area.attributes.prot == prot {
            return Ok(());
        }
        let mut changed = area.attributes;
        changed.prot = prot;
        if !prot.contains(Prot::WRITE) {
            // Committed memory that was never written to is given back.
            changed.account &= area.group.is_some() || changed.backing != Backing::Anonymous;
        } else if !area.attributes.prot.contains(Prot::WRITE) {
            changed.account |= changed.sharing == Sharing::Private && !changed.noreserve;
        }
        if changed.is_data() && !area.attributes.is_data() {
            // The address space as a whole does not grow, so only the data limit can refuse, and not if the
            // address space is over its own limit anyway.
            let grows = self.check_expand(&changed, end - start);
            let grew = self.check_expand(&area.attributes, end - start);
            if grows.is_err() && grew.is_ok() {
                return Err(Errno::ENOMEM);
            }
        }
        if changed.account && !area.attributes.account {
            self.check_commit(end - start)?;
        }
        self.change(start, end, changed)?;
        // Locked memory that becomes writable is copied at once.
        if changed.locking == Locking::Now
            && prot.contains(Prot::WRITE)
            && !area.attributes.prot.contains(Prot::WRITE)
        {
            self.join_group(start);
            self.copy_from_file(start, end);
        }
        Ok(())
    }

    /// Gives the part `[start, end)` of the one area that contains it other attributes (Linux: `vma_modify`).
    pub(crate) fn change(&mut self, start: u64, end: u64, changed: Attributes) -> Result<(), Errno> {
        let Some(area) = self.area_at(start).copied() else { return Err(Errno::ENOMEM) };
        let piece = Area { start, end, attributes: changed, pgoff: area.offset_of(start), group: area.group };
        if area.attributes.attached && (area.start, area.end) == (start, end) {
            self.put(piece);
            return Ok(());
        }
        // An edge that merges with the neighbour moves a border; any other makes an area more.
        let merges = {
            let mut trial = self.clone();
            trial.cut_out(start, end);
            trial.put_merged(piece);
            let merged = trial.area_at(start).copied();
            merged.is_some_and(|merged| merged.start < start || merged.end > end)
        };
        let limit = self.settings.max_map_count;
        if !merges {
            if area.start < start {
                self.check_split(limit)?;
                self.split(start);
            }
            if end < area.end {
                self.check_split(limit)?;
                self.split(end);
            }
        }
        self.cut_out(start, end);
        self.put_merged(piece);
        Ok(())
    }

    fn check_split(&self, limit: usize) -> Result<(), Errno> {
        if self.areas.len() >= limit { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Takes `[start, end)` out of the areas, leaving contents and objects.
    fn cut_out(&mut self, start: u64, end: u64) {
        self.split(start);
        self.split(end);
        self.areas.retain(|_, area| area.end <= start || end <= area.start);
    }
}
