//! The machine's physical memory as the boot loader reports it, and what of it is free.

use core::ops::Range;

use bootloader_api::BootInfo;
use bootloader_api::info::MemoryRegionKind;
use mm::PAGE_SIZE;

/// Memory below is never handed out: firmware data, and the start-up code of other CPUs.
const LOW_MEMORY_END: u64 = 1 << 20;
/// Where start-up code can be: not at address 0, and not where a PC has the firmware's own data and its devices.
const START_UP: Range<u64> = PAGE_SIZE..0x9_f000;
/// How much of that is needed, in bytes.
const START_UP_SIZE: u64 = 5 * PAGE_SIZE;

/// A few ascending, disjoint ranges of physical addresses (bytes, page aligned).
pub(crate) struct Regions {
    ranges: [Range<u64>; Regions::CAPACITY],
    count: usize,
}

impl Regions {
    const CAPACITY: usize = 160;

    /// No ranges.
    pub(crate) const fn new() -> Self {
        Regions { ranges: [const { 0..0 }; Regions::CAPACITY], count: 0 }
    }

    /// The ranges.
    pub(crate) fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges[..self.count]
    }

    /// Adds a range that does not overlap any other, growing a neighbour where they touch.
    ///
    /// # Panics
    /// When there are too many ranges.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let at = self.as_slice().partition_point(|other| other.start < range.start);
        let touches_previous = at > 0 && self.ranges[at - 1].end == range.start;
        let touches_next = at < self.count && self.ranges[at].start == range.end;
        match (touches_previous, touches_next) {
            (true, true) => {
                self.ranges[at - 1].end = self.ranges[at].end;
                self.remove_at(at);
            }
            (true, false) => self.ranges[at - 1].end = range.end,
            (false, true) => self.ranges[at].start = range.start,
            (false, false) => self.insert_at(at, range),
        }
    }

    /// Takes a range out, whatever of it is there.
    ///
    /// # Panics
    /// When there are too many ranges.
    pub(crate) fn subtract(&mut self, range: Range<u64>) {
        let mut at = 0;
        while at < self.count {
            let own = self.ranges[at].clone();
            let (start, end) = (range.start.max(own.start), range.end.min(own.end));
            if start >= end {
                at += 1;
            } else if start > own.start && end < own.end {
                self.ranges[at].end = start;
                self.insert_at(at + 1, end..own.end);
                return;
            } else if start > own.start {
                self.ranges[at].end = start;
                at += 1;
            } else if end < own.end {
                self.ranges[at].start = end;
                at += 1;
            } else {
                self.remove_at(at);
            }
        }
    }

    /// Takes `pages` contiguous pages that end at or below `limit` from the largest range that has them.
    pub(crate) fn take(&mut self, pages: u64, limit: u64) -> Option<u64> {
        let bytes = pages * PAGE_SIZE;
        let size = |range: &Range<u64>| range.end.min(limit).saturating_sub(range.start);
        let at = (0..self.count).max_by_key(|&at| size(&self.ranges[at]))?;
        if size(&self.ranges[at]) < bytes {
            return None;
        }
        let start = self.ranges[at].start;
        self.subtract(start..start + bytes);
        Some(start)
    }

    /// Whether any of the ranges overlaps `range`.
    pub(crate) fn overlaps(&self, range: &Range<u64>) -> bool {
        self.as_slice().iter().any(|own| own.start < range.end && range.start < own.end)
    }

    /// Sum of the sizes in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.as_slice().iter().map(|range| range.end - range.start).sum()
    }

    /// End of the last range, or 0.
    pub(crate) fn end(&self) -> u64 {
        self.as_slice().last().map_or(0, |range| range.end)
    }

    fn insert_at(&mut self, at: usize, range: Range<u64>) {
        assert!(self.count < Regions::CAPACITY, "the memory map has too many regions");
        self.ranges[self.count] = range;
        self.ranges[at..=self.count].rotate_right(1);
        self.count += 1;
    }

    fn remove_at(&mut self, at: usize) {
        self.ranges[at..self.count].rotate_left(1);
        self.count -= 1;
    }
}

/// What the boot loader says about physical memory.
pub(crate) struct MemoryMap {
    /// All memory that the direct map covers.
    pub(crate) ram: Regions,
    /// The part of it that nobody uses. What early boot takes is taken out here.
    pub(crate) free: Regions,
    /// Physical address of [`START_UP_SIZE`] bytes of memory below 1 MiB that nobody uses, for code in real mode.
    pub(crate) start_up: Option<u64>,
    /// What the loader used: its page tables, stack and boot info; free once those have been left.
    loader: Regions,
}

impl MemoryMap {
    /// No memory.
    pub(crate) const fn empty() -> Self {
        MemoryMap { ram: Regions::new(), free: Regions::new(), start_up: None, loader: Regions::new() }
    }

    /// Reads the boot loader's map.
    pub(crate) fn read(&mut self, boot_info: &BootInfo) {
        for region in boot_info.memory_regions.iter() {
            let part = match region.kind {
                MemoryRegionKind::Usable => &mut self.free,
                MemoryRegionKind::Bootloader => &mut self.loader,
                _ => continue,
            };
            let range = region.start.next_multiple_of(PAGE_SIZE)..region.end & !(PAGE_SIZE - 1);
            let low = range.start.max(START_UP.start)..range.end.min(START_UP.end);
            if region.kind == MemoryRegionKind::Usable && low.end.saturating_sub(low.start) >= START_UP_SIZE {
                self.start_up.get_or_insert(low.start);
            }
            // Memory that is reported twice must not be there twice.
            if !self.ram.overlaps(&range) {
                part.add(range.clone());
                self.ram.add(range);
            }
        }
        self.reserve(0..LOW_MEMORY_END);
    }

    /// Keeps a range from ever being free.
    pub(crate) fn reserve(&mut self, range: Range<u64>) {
        self.free.subtract(range.clone());
        self.loader.subtract(range);
    }

    /// Frees what the boot loader used and nobody reserved. Its tables and its stack are no longer in use.
    pub(crate) fn reclaim_loader(&mut self) {
        for range in self.loader.as_slice() {
            self.free.add(range.clone());
        }
        self.loader = Regions::new();
    }
}
