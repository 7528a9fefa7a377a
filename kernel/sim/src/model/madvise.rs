//! madvise, as Linux 6.18 does it.

use abi::Errno;
use abi::mman::*;

use super::area::{Advice, Area, Backing, Sharing};
use super::{Model, PAGE};

impl Model {
    /// `madvise(address, length, advice)` with raw arguments. What was done before an error stays done.
    ///
    /// # Errors
    /// Linux's, in Linux's order of checks. `MADV_FREE` forgets at once, which Linux may do.
    pub fn madvise(&mut self, address: u64, length: u64, advice: u64) -> Result<(), Errno> {
        let advice = u64::from(advice as u32);
        if !KNOWN.contains(&advice) || !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let length = length.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
        let end = address.checked_add(length).ok_or(Errno::EINVAL)? / PAGE;
        let start = address / PAGE;
        let populates = matches!(advice, MADV_POPULATE_READ | MADV_POPULATE_WRITE);
        let (mut reached, mut hole) = (start, false);
        for area in self.overlapping(start, end) {
            hole |= area.start > reached;
            if hole && populates {
                return Err(Errno::ENOMEM);
            }
            reached = area.end.min(end);
            self.advise(start.max(area.start), reached, advice)?;
        }
        if hole || reached < end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Advice for the part `[start, end)` of the one area that contains it (Linux: `madvise_vma_behavior`).
    fn advise(&mut self, start: u64, end: u64, advice: u64) -> Result<(), Errno> {
        let area = *self.area_at(start).ok_or(Errno::ENOMEM)?;
        let Area { attributes, .. } = area;
        let private = attributes.sharing == Sharing::Private;
        let loses = matches!(
            advice,
            MADV_DONTNEED
                | MADV_DONTNEED_LOCKED
                | MADV_FREE
                | MADV_REMOVE
                | MADV_DONTFORK
                | MADV_WIPEONFORK
                | MADV_GUARD_INSTALL
        );
        if attributes.sealed && loses && private && !attributes.prot.contains(Prot::WRITE) {
            return Err(Errno::EPERM);
        }
        let spares_locked = matches!(
            advice,
            MADV_DONTNEED | MADV_FREE | MADV_REMOVE | MADV_COLD | MADV_PAGEOUT | MADV_GUARD_INSTALL
        );
        if attributes.locking.is_locked() && spares_locked {
            return Err(Errno::EINVAL);
        }
        let plain = private && attributes.backing == Backing::Anonymous;
        if !plain && matches!(advice, MADV_FREE | MADV_WIPEONFORK) {
            return Err(Errno::EINVAL);
        }
        match advice {
            MADV_DONTNEED | MADV_DONTNEED_LOCKED | MADV_FREE => self.empty(start, end),
            MADV_REMOVE if plain => return Err(Errno::EINVAL),
            MADV_REMOVE => {
                let Sharing::Shared(object) = attributes.sharing else { return Err(Errno::EACCES) };
                self.emptied.push((object, area.offset_of(start)..area.offset_of(start) + (end - start)));
            }
            MADV_GUARD_INSTALL => {
                self.found_group(start);
                self.empty(start, end);
                self.guards.extend(start..end);
            }
            MADV_GUARD_REMOVE => self.guards.retain(|page| !(start..end).contains(page)),
            MADV_POPULATE_READ | MADV_POPULATE_WRITE => return self.populate(start, end, advice),
            MADV_WILLNEED | MADV_COLD | MADV_PAGEOUT => {}
            _ => {
                let mut changed = attributes;
                changed.advice = noted(attributes.advice, advice);
                if changed != attributes {
                    self.change(start, end, changed).map_err(|_| Errno::EAGAIN)?;
                }
            }
        }
        Ok(())
    }

    /// Faults in all pages of the part `[start, end)` of an area.
    fn populate(&mut self, start: u64, end: u64, advice: u64) -> Result<(), Errno> {
        let area = *self.area_at(start).ok_or(Errno::ENOMEM)?;
        let needed = if advice == MADV_POPULATE_WRITE { Prot::WRITE } else { Prot::READ };
        if !area.attributes.prot.contains(needed) {
            return Err(Errno::EINVAL);
        }
        if advice == MADV_POPULATE_WRITE {
            self.join_group(start);
        }
        if advice == MADV_POPULATE_WRITE {
            self.copy_from_file(start, end);
        }
        if (start..end).all(|page| self.home_of(page).is_some() && self.is_there(page)) {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }
}

/// What is noted after `advice`.
fn noted(before: Advice, advice: u64) -> Advice {
    match advice {
        MADV_NORMAL => before - Advice::RANDOM - Advice::SEQUENTIAL,
        MADV_RANDOM => (before - Advice::SEQUENTIAL) | Advice::RANDOM,
        MADV_SEQUENTIAL => (before - Advice::RANDOM) | Advice::SEQUENTIAL,
        MADV_DONTFORK => before | Advice::DONTFORK,
        MADV_DOFORK => before - Advice::DONTFORK,
        MADV_WIPEONFORK => before | Advice::WIPEONFORK,
        MADV_KEEPONFORK => before - Advice::WIPEONFORK,
        MADV_DONTDUMP => before | Advice::DONTDUMP,
        MADV_DODUMP => before - Advice::DONTDUMP,
        MADV_HUGEPAGE => (before - Advice::NOHUGEPAGE) | Advice::HUGEPAGE,
        MADV_NOHUGEPAGE => (before - Advice::HUGEPAGE) | Advice::NOHUGEPAGE,
        MADV_MERGEABLE => before | Advice::MERGEABLE,
        MADV_UNMERGEABLE => before - Advice::MERGEABLE,
        _ => before,
    }
}

/// Advice that Linux takes (without huge pages to collapse to, and without memory that fails).
pub const KNOWN: [u64; 24] = [
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_REMOVE,
    MADV_DONTFORK,
    MADV_DOFORK,
    MADV_MERGEABLE,
    MADV_UNMERGEABLE,
    MADV_HUGEPAGE,
    MADV_NOHUGEPAGE,
    MADV_DONTDUMP,
    MADV_DODUMP,
    MADV_WIPEONFORK,
    MADV_KEEPONFORK,
    MADV_COLD,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_DONTNEED_LOCKED,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
];
