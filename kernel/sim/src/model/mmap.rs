//! mmap of anonymous memory, and of the file.

use abi::Errno;
use abi::mman::{Map, MapType, Prot};

use super::area::{Advice, Area, Attributes, Backing, Growth, Locking, Registered, Sharing};
use super::{FILE, Model, PAGE, Settings, USER_END};
use crate::op::View;

impl Model {
    /// `mmap(address, length, prot, flags | MAP_ANONYMOUS, -1, 0)` with raw arguments; the address in bytes.
    ///
    /// # Errors
    /// Linux's, in Linux's order of checks.
    pub fn mmap(&mut self, address: u64, length: u64, prot: u64, flags: u64) -> Result<u64, Errno> {
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        let map = Map::from_bits_retain(flags);
        let pages = length.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)? / PAGE;
        if pages > USER_END {
            return Err(Errno::ENOMEM);
        }
        let exact = map.intersects(Map::FIXED | Map::FIXED_NOREPLACE);
        if exact && address <= (USER_END - pages) * PAGE && !address.is_multiple_of(PAGE) {
            // Wrong arguments come first. (Linux looks at the number of areas before the alignment.)
            return Err(Errno::EINVAL);
        }
        // M3: more than the limit, where a split asks for at least the limit.
        if self.areas.len() > self.settings.max_map_count {
            return Err(Errno::ENOMEM);
        }
        let start = self.resolve_address(address, pages, map)?;
        if map.contains(Map::FIXED_NOREPLACE) && !self.overlapping(start, start + pages).is_empty() {
            return Err(Errno::EEXIST);
        }
        let mut locking = self.future;
        if map.contains(Map::LOCKED) {
            if self.settings.memlock == 0 {
                return Err(Errno::EPERM);
            }
            if locking == Locking::None {
                locking = Locking::Now;
            }
        }
        if locking.is_locked() {
            self.check_lock(pages)?;
        }
        let growth = if map.contains(Map::GROWSDOWN) { Growth::Down } else { Growth::Fixed };
        let sharing = match map.map_type() {
            Some(MapType::Private) => Sharing::Private,
            Some(MapType::Shared) if growth == Growth::Fixed => Sharing::Shared(self.object_name()),
            _ => return Err(Errno::EINVAL),
        };
        let prot = Prot::from_bits_truncate(prot) & ACCESS;
        let noreserve = map.contains(Map::NORESERVE) && self.settings.promises == u64::MAX;
        let account = prot.contains(Prot::WRITE) && sharing == Sharing::Private && !noreserve;
        let backing = Backing::Anonymous;
        let attributes = Attributes {
            prot,
            sharing,
            backing,
            growth,
            locking,
            noreserve,
            account,
            sealed: false,
            attached: false,
            advice: if map.contains(Map::STACK) { Advice::NOHUGEPAGE } else { Advice::empty() },
            registered: Registered::default(),
        };
        let pgoff = if sharing == Sharing::Private { start } else { 0 };
        self.map(Area { start, end: start + pages, attributes, pgoff, group: None })?;
        let populates = locking.is_locked() || map & (Map::POPULATE | Map::NONBLOCK) == Map::POPULATE;
        if populates && locking != Locking::OnFault && prot.contains(Prot::WRITE) {
            self.join_group(start);
        }
        Ok(start * PAGE)
    }

    /// Maps `pages` pages of the file, from its page `first` on, at page `start`; the address in bytes.
    ///
    /// # Errors
    /// As [`Model::mmap`] with `MAP_FIXED`.
    pub fn map_file(
        &mut self,
        start: u64,
        pages: u64,
        prot: Prot,
        first: u64,
        view: View,
    ) -> Result<u64, Errno> {
        if self.areas.len() > self.settings.max_map_count || start + pages > USER_END {
            return Err(Errno::ENOMEM);
        }
        if start * PAGE < self.settings.mmap_min_addr {
            return Err(Errno::EPERM);
        }
        if self.future.is_locked() {
            self.check_lock(pages)?;
        }
        let attributes = Attributes {
            prot: prot & ACCESS,
            sharing: match view {
                View::Private => Sharing::Private,
                View::Shared => Sharing::Shared(FILE),
                View::Segment => Sharing::Shared(self.object_name()),
            },
            backing: if view == View::Segment { Backing::Anonymous } else { Backing::File },
            growth: Growth::Fixed,
            locking: self.future,
            noreserve: false,
            account: prot.contains(Prot::WRITE) && view == View::Private,
            sealed: false,
            attached: view == View::Segment,
            advice: Advice::empty(),
            registered: Registered::default(),
        };
        let pgoff = if view == View::Segment { 0 } else { first };
        self.map(Area { start, end: start + pages, attributes, pgoff, group: None })?;
        if attributes.locking == Locking::Now && attributes.prot.contains(Prot::WRITE) {
            self.join_group(start);
            if view == View::Private {
                self.copy_from_file(start, start + pages);
            }
        }
        Ok(start * PAGE)
    }

    /// Replaces what is in the area's range (M1).
    fn map(&mut self, area: Area) -> Result<(), Errno> {
        self.check_removal(area.start, area.end)?;
        let replaced: u64 = self
            .overlapping(area.start, area.end)
            .iter()
            .map(|old| old.end.min(area.end) - old.start.max(area.start))
            .sum();
        self.check_expand(&area.attributes, area.pages() - replaced)?;
        if area.attributes.account {
            let old = self.overlapping(area.start, area.end).into_iter().filter(|old| old.attributes.account);
            let leaving: u64 = old.map(|old| old.end.min(area.end) - old.start.max(area.start)).sum();
            self.check_commit(area.pages() - leaving)?;
        }
        self.remove(area.start, area.end);
        if matches!(area.attributes.sharing, Sharing::Shared(object) if object != FILE) {
            self.sizes.insert(self.object_name(), area.pages());
            self.next_object += 1;
        }
        self.put_merged(area);
        Ok(())
    }

    /// The first page, for a length that is at most the user half.
    fn resolve_address(&self, address: u64, pages: u64, map: Map) -> Result<u64, Errno> {
        let lowest = self.settings.mmap_min_addr;
        if map.intersects(Map::FIXED | Map::FIXED_NOREPLACE) {
            return if address > (USER_END - pages) * PAGE {
                Err(Errno::ENOMEM)
            } else if address < lowest {
                Err(Errno::EPERM)
            } else {
                Ok(address / PAGE)
            };
        }
        let hint = match address / PAGE {
            0 => 0,
            page => page.max(lowest / PAGE),
        };
        if hint != 0 && hint <= USER_END - pages && self.is_free(hint, pages) {
            return Ok(hint);
        }
        self.place(pages).ok_or(Errno::ENOMEM)
    }

    /// Linux: `may_expand_vm`.
    pub(crate) fn check_expand(&self, attributes: &Attributes, pages: u64) -> Result<(), Errno> {
        let sums = self.sums();
        let over = |limit: u64, now: u64| now + pages > limit / PAGE;
        if over(self.settings.address_space, sums.total)
            || (attributes.is_data() && over(self.settings.data, sums.data))
        {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Linux: `__vm_enough_memory`, for `pages` more pages of committed memory.
    pub(crate) fn check_commit(&self, pages: u64) -> Result<(), Errno> {
        const RESERVE: u64 = (128 << 20) / PAGE;
        let Settings { promise, promises, .. } = self.settings;
        let sums = self.sums();
        let refused = if promises == u64::MAX {
            pages > promise
        } else {
            sums.accounted + pages >= promises - RESERVE.min(sums.total / 32)
        };
        if pages != 0 && refused { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Linux: `mlock_future_ok`.
    pub(crate) fn check_lock(&self, pages: u64) -> Result<(), Errno> {
        if self.sums().locked + pages > self.settings.memlock / PAGE { Err(Errno::EAGAIN) } else { Ok(()) }
    }
}

/// The bits of a protection that decide on an access.
pub(crate) const ACCESS: Prot = Prot::READ.union(Prot::WRITE).union(Prot::EXEC);
