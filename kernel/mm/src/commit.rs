//! Committed memory: what programs have been promised and may one day use, all at once (Linux:
//! Documentation/mm/overcommit-accounting).
//!
//! | mode | a promise is refused |
//! | --- | --- |
//! | 0 | if it alone is more than all memory |
//! | 1 | never |
//! | 2 | if all promises together would reach the limit |
//!
//! Private memory that can be written counts, unless it was mapped with `MAP_NORESERVE`, which has no effect in mode 2
//! (`VmaFlags::ACCOUNT`). But in mode 2 an address space keeps a few pages when it gives some back, so that small
//! mappings that come and go do not meet in one cache line.

use crate::range::PAGE_SHIFT;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Pages that an address space may keep beyond what it has been promised.
pub(crate) const KEPT: u64 = 64;
/// Most pages that are left for others in mode 2 (`vm.user_reserve_kbytes`): 128 MiB.
const RESERVE: u64 = 128 << (20 - PAGE_SHIFT);

/// What a machine has promised, and may promise. The settings may change at any time.
#[derive(Debug)]
pub struct Commitment {
    /// Pages promised.
    pages: AtomicU64,
    /// Pages of memory.
    total: AtomicU64,
    /// `vm.overcommit_memory`: the mode.
    pub mode: AtomicU32,
    /// `vm.overcommit_ratio`: how much of memory may be promised in mode 2, in percent.
    pub ratio: AtomicU32,
    /// `vm.overcommit_kbytes`: how much that is instead of the ratio, in KiB; 0 for the ratio.
    pub kbytes: AtomicU32,
}

impl Commitment {
    /// Nothing is promised by a machine without memory.
    pub const fn new() -> Self {
        Commitment {
            pages: AtomicU64::new(0),
            total: AtomicU64::new(0),
            mode: AtomicU32::new(0),
            ratio: AtomicU32::new(50),
            kbytes: AtomicU32::new(0),
        }
    }

    /// As [`new`](Self::new), for a machine that promises everything (mode 1).
    pub const fn generous() -> Self {
        Commitment { mode: AtomicU32::new(1), ..Commitment::new() }
    }

    /// The machine has `pages` pages of memory.
    pub fn set_total(&self, pages: u64) {
        self.total.store(pages, Ordering::Relaxed);
    }

    /// Pages promised (`Committed_AS`), up to 64 too many for each address space.
    pub fn committed(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Pages that may be promised in mode 2 (`CommitLimit`).
    pub fn limit(&self) -> u64 {
        match u64::from(self.kbytes.load(Ordering::Relaxed)) {
            0 => {
                let ratio = u64::from(self.ratio.load(Ordering::Relaxed));
                (self.total.load(Ordering::Relaxed) * ratio) / 100
            }
            kbytes => kbytes >> (PAGE_SHIFT - 10),
        }
    }

    /// Whether nothing is promised that there is not (mode 2).
    pub(crate) fn is_strict(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == 2
    }

    /// Promises `pages` pages to an address space of `space` pages, which has all but `need` of them already. Whether that is
    /// possible; if not, nothing has changed.
    pub(crate) fn promise(&self, pages: u64, need: u64, space: u64) -> bool {
        if self.is_strict() {
            let allowed = self.limit().saturating_sub(RESERVE.min(space / 32));
            if self.pages.fetch_add(need, Ordering::Relaxed) + need < allowed {
                return true;
            }
            self.give_back(need);
            return false;
        }
        let heuristic = self.mode.load(Ordering::Relaxed) == 0;
        if heuristic && pages > self.total.load(Ordering::Relaxed) {
            return false;
        }
        self.take(need);
        true
    }

    /// Counts `pages` more pages, whatever the mode.
    pub(crate) fn take(&self, pages: u64) {
        if pages != 0 {
            self.pages.fetch_add(pages, Ordering::Relaxed);
        }
    }

    /// Counts `pages` pages less.
    pub(crate) fn give_back(&self, pages: u64) {
        self.pages.fetch_sub(pages, Ordering::Relaxed);
    }
}

impl Default for Commitment {
    fn default() -> Self {
        Self::new()
    }
}
