//! The flat reference model: what Linux answers, computed the slow and obvious way.
//!
//! Independent of `mm`: plain sorted areas, contents by page, no tree, no page tables, no locks. Rules cite
//! the numbers of the munmap reference (E, M, I) where they have one.
//!
//! A [`Model`] is one address space with its private contents; the [`System`] has those of all processes, and the shared
//! objects.

mod access;
mod area;
mod brk;
mod fork;
mod madvise;
mod merge;
mod mlock;
mod mmap;
mod mprotect;
mod mremap;
mod mseal;
mod msync;
mod munmap;
mod placement;
mod system;
mod userfaults;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

pub use access::{Fault, Touch};
pub(crate) use area::PAGE;
pub use area::{Advice, AnonGroup, Area, Attributes, Backing, Growth, Locking, Registered, Sharing};
pub use madvise::KNOWN as ADVICE;
pub use system::System;

/// End of the user half, in pages (Linux: `TASK_SIZE_MAX`).
pub const USER_END: u64 = ((1 << 47) - PAGE) / PAGE;

/// The name of the file among shared objects.
pub(crate) const FILE: u64 = u64::MAX;

/// Size of the file to begin with, in bytes; all of it is in the machine's store.
pub(crate) const FILE_SIZE: u64 = (1 << 21) * PAGE;

/// The word at byte `place` of the machine's store, which is that of the file to begin with.
pub(crate) fn stored_word(place: u64) -> u64 {
    0xf11e_0000_0000_0000 | place
}

/// Limits and settings of an address space; bytes, `u64::MAX` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `RLIMIT_AS`.
    pub address_space: u64,
    /// `RLIMIT_DATA`.
    pub data: u64,
    /// `RLIMIT_STACK`.
    pub stack: u64,
    /// `RLIMIT_MEMLOCK`.
    pub memlock: u64,
    /// `vm.max_map_count`.
    pub max_map_count: usize,
    /// `vm.mmap_min_addr`, page aligned.
    pub mmap_min_addr: u64,
    /// Most pages in one promise of memory (`vm.overcommit_memory` 0); `u64::MAX` for any.
    pub promise: u64,
    /// All promises of memory together stay below this many pages (`vm.overcommit_memory` 2); `u64::MAX` for any.
    pub promises: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            memlock: 8 << 20,
            max_map_count: 65530,
            mmap_min_addr: 65536,
            promise: u64::MAX,
            promises: u64::MAX,
        }
    }
}

/// Pages by class, as sums over the areas (I8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// All pages.
    pub total: u64,
    /// Pages of locked areas.
    pub locked: u64,
    /// Pages of private writable areas that are no stack.
    pub data: u64,
    /// Pages of executable, not writable areas.
    pub exec: u64,
    /// Pages of stacks.
    pub stack: u64,
    /// Pages that count as committed memory.
    pub accounted: u64,
    /// Number of areas.
    pub map_count: usize,
}

/// Words of a page that were written, by index; everything else is zero.
type Words = BTreeMap<usize, u64>;

/// The model of one address space.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) settings: Settings,
    /// By start page.
    areas: BTreeMap<u64, Area>,
    /// Contents of private pages that were written to, by page.
    contents: BTreeMap<u64, Words>,
    /// Pages with a guard (`MADV_GUARD_INSTALL`).
    guards: BTreeSet<u64>,
    /// Private pages that are there as well: of zeroes, where that is known.
    resident: BTreeSet<u64>,
    /// Pages that the program has write-protected (`UFFDIO_WRITEPROTECT`).
    protected: BTreeSet<u64>,
    /// Pages of objects that shall be empty (`MADV_REMOVE`); the system sees to that.
    emptied: Vec<(u64, Range<u64>)>,
    /// How new mappings are locked (`MCL_FUTURE`).
    future: Locking,
    brk_start: u64,
    brk: u64,
    /// Pages that were faulted in to be written, and may have to be copied from the file.
    to_copy: Vec<u64>,
    /// Pages of the shared objects that the process or its parents have made, by name.
    sizes: BTreeMap<u64, u64>,
    /// Number of the process; part of the names that it gives to objects.
    number: u64,
    next_object: u64,
    next_group: u64,
}

impl Model {
    /// An empty address space of process `number`.
    pub fn new(number: u64, settings: Settings) -> Self {
        Model {
            settings,
            sizes: BTreeMap::from([(FILE, FILE_SIZE / PAGE)]),
            number,
            areas: BTreeMap::new(),
            contents: BTreeMap::new(),
            to_copy: Vec::new(),
            guards: BTreeSet::new(),
            resident: BTreeSet::new(),
            protected: BTreeSet::new(),
            emptied: Vec::new(),
            future: Locking::None,
            brk_start: 0,
            brk: 0,
            next_object: 0,
            next_group: 0,
        }
    }

    /// The areas in ascending order.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        self.areas.values()
    }

    /// The sums over all areas.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums { map_count: self.areas.len(), ..Sums::default() };
        for area in self.areas.values() {
            sums.total += area.pages();
            sums.locked += if area.attributes.locking.is_locked() { area.pages() } else { 0 };
            sums.data += if area.attributes.is_data() { area.pages() } else { 0 };
            sums.exec += if area.attributes.is_exec() { area.pages() } else { 0 };
            sums.accounted += if area.attributes.account { area.pages() } else { 0 };
            sums.stack += if area.attributes.is_stack() { area.pages() } else { 0 };
        }
        sums
    }

    /// The area that contains `page`.
    pub fn area_at(&self, page: u64) -> Option<&Area> {
        self.areas.range(..=page).next_back().map(|(_, area)| area).filter(|area| page < area.end)
    }

    /// The first area that ends above `page` (Linux: `find_vma`).
    pub(crate) fn find(&self, page: u64) -> Option<&Area> {
        self.area_at(page).or_else(|| self.areas.range(page..).next().map(|(_, area)| area))
    }

    /// The last area that ends at or below `page`.
    pub(crate) fn before(&self, page: u64) -> Option<&Area> {
        self.areas.range(..page).next_back().map(|(_, area)| area).filter(|area| area.end <= page)
    }

    /// The areas that overlap `[start, end)`, ascending; none if that is empty.
    pub(crate) fn overlapping(&self, start: u64, end: u64) -> Vec<Area> {
        let overlaps = |area: &&Area| start < end && area.start < end && start < area.end;
        self.areas.values().filter(overlaps).copied().collect()
    }

    /// Cuts the area that has `page` strictly inside.
    pub(crate) fn split(&mut self, page: u64) {
        let Some(area) = self.area_at(page).copied().filter(|area| area.start < page) else { return };
        let upper = Area { start: page, pgoff: area.offset_of(page), ..area };
        self.put(Area { end: page, ..area });
        self.put(upper);
    }

    /// Stores an area under its start.
    pub(crate) fn put(&mut self, area: Area) {
        assert!(area.start < area.end, "the model made an empty area");
        self.areas.insert(area.start, area);
    }

    /// The pages with a guard, ascending.
    pub fn guards(&self) -> impl Iterator<Item = u64> {
        self.guards.iter().copied()
    }

    /// Forgets `[start, end)` and its private contents. Splits what sticks out.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        self.split(start);
        self.split(end);
        self.areas.retain(|_, area| area.end <= start || end <= area.start);
        self.empty(start, end);
        self.guards.retain(|page| !(start..end).contains(page));
    }

    /// Forgets the private contents of `[start, end)`.
    fn empty(&mut self, start: u64, end: u64) {
        self.contents.retain(|page, _| !(start..end).contains(page));
        self.resident.retain(|page| !(start..end).contains(page));
        self.protected.retain(|page| !(start..end).contains(page));
    }

    /// What pages without regard to where areas end: runs of equal attributes, contiguous offsets.
    /// Two states with equal runs are the same to a program.
    pub fn runs(&self) -> Vec<Area> {
        runs(self.areas.values().copied())
    }

    /// No area reaches over an end of `area`.
    pub fn split_at_ends(&mut self, area: &Area) {
        self.split(area.start);
        self.split(area.end);
    }

    /// Joins areas that are alike where one area of `actual` is over several: where a merge was refused to the first of three,
    /// the other two may have become one, with another group than the model believes.
    pub fn join_as(&mut self, actual: &[Area]) {
        for area in actual {
            let parts = self.overlapping(area.start, area.end);
            if let [first, .., last] = parts[..]
                && (first.start, last.end) == (area.start, area.end)
                && let [run] = runs(parts.iter().copied())[..]
            {
                for part in &parts {
                    self.areas.remove(&part.start);
                }
                self.put(Area { group: last.group.or(first.group), ..run });
            }
        }
    }

    /// Takes over where the areas of `actual` end, and which of them have got a group: after a failed operation a
    /// completed split may remain (E6-E14).
    ///
    /// # Errors
    /// If the areas differ in more than that.
    pub fn adopt(&mut self, actual: &[Area]) -> Result<(), String> {
        actual.iter().for_each(|area| self.split_at_ends(area));
        let cuts =
            |areas: &mut dyn Iterator<Item = &Area>| areas.map(|a| (a.start, a.end)).collect::<Vec<_>>();
        let (found, wanted) = (cuts(&mut self.areas.values()), cuts(&mut actual.iter()));
        if found != wanted {
            return Err(format!("the model has areas {found:x?}, the address space {wanted:x?}"));
        }
        // Which group of `actual` is which here.
        let known: Vec<_> =
            actual.iter().filter_map(|area| Some((area.group?, self.area_at(area.start)?.group?))).collect();
        for area in actual {
            let group = known.iter().find(|(theirs, _)| area.group == Some(*theirs)).map(|(_, ours)| *ours);
            match area.group {
                Some(_) => self.enter_group(area.start, group),
                None => self.leave_group(area.start),
            }
        }
        Ok(())
    }
}

/// Joins neighbours that are alike, whatever their groups.
pub fn runs(areas: impl Iterator<Item = Area>) -> Vec<Area> {
    let mut runs: Vec<Area> = Vec::new();
    for area in areas {
        let area = Area { group: None, ..area };
        match runs.last_mut() {
            Some(last)
                if last.end == area.start
                    && last.attributes == area.attributes
                    && last.offset_of(area.start) == area.pgoff =>
            {
                last.end = area.end;
            }
            _ => runs.push(area),
        }
    }
    runs
}
