//! Page tables of one address space.
//!
//! ```text
//! level 3 (root)   level 2     level 1     level 0     frame
//!   [512 GiB] ────► [1 GiB] ──► [2 MiB] ──► [4 KiB] ──► page         what an entry spans
//!                                  └──► block of 512 frames            a huge leaf: see `huge`
//! ```
//!
//! Eight verbs, and what the caller holds (Documentation/mm/process_addrs.rst, munmap-semantics.md 1.5). A VMA is
//! *stable* for one who holds the mmap lock or the VMA's lock, for reading or writing.
//!
//! | verb | functions | the caller holds |
//! | --- | --- | --- |
//! | traverse | [`traverse`](PageTables::traverse), [`pin`](PageTables::pin) | a stable VMA over the page |
//! | install | [`install`](PageTables::install), [`install_huge`](PageTables::install_huge), [`replace`](PageTables::replace), [`permit_huge`](PageTables::permit_huge) | a stable VMA over the page (never an rmap lock only) |
//! | relocate | [`relocate`](PageTables::relocate), [`make_room`](PageTables::make_room) | the mmap write lock, and the write locks of the VMAs over both ranges |
//! | zap | [`zap`](PageTables::zap), [`discard`](PageTables::discard), [`protect`](PageTables::protect) | stable VMAs over the range; or none can be found there any more |
//! | guard | [`install_guards`](PageTables::install_guards), [`remove_guards`](PageTables::remove_guards) | stable VMAs over the range |
//! | write-protect | [`write_protect`](PageTables::write_protect), [`write_unprotect`](PageTables::write_unprotect), [`protect_keeping`](PageTables::protect_keeping) | stable VMAs over the range |
//! | copy | [`copy_to`](PageTables::copy_to) | the mmap lock (write) and VMA write locks over the range; the copy is nobody else's yet |
//! | free | [`free`](PageTables::free) | no VMA can be found between floor and ceiling, and the range is zapped (I20) |
//!
//! Tables that span a page of a stable VMA are never freed, so walks need no lock. The page-table lock, taken in
//! here, guards every change of an entry that is not absent, and of entries that lead to tables or are huge leaves. A small leaf
//! that is absent becomes present by compare-and-exchange without it. No [`Gather`](crate::tlb::Gather) is flushed, and
//! nothing is allocated, while it is held.

mod copy;
mod free;
mod guard;
mod huge;
mod pte;
mod relocate;
mod table;
#[cfg(test)]
mod tests;
mod write_protect;
mod zap;

use core::fmt;

pub use copy::Copy;
pub use pte::{Protection, Pte, PteView};
pub use relocate::Relocated;
pub use table::{ENTRIES, INDEX_BITS, LEVELS, Table, entry_span, index_of};
pub use zap::Writable;

use crate::error::MmError;
use crate::frame::{Content, Frame};
use crate::platform::{Fallible, Platform};
use crate::range::{Page, PageRange, PageSize};
use crate::schedule::Point;
use crate::sync::{Rank, SpinLock};
use huge::Span;

/// The page tables of an address space on `machine`. Dropping them frees the root; all else is freed before.
pub struct PageTables<'m, P: Platform> {
    machine: &'m P,
    /// Never changes.
    root: Frame,
    /// The table in `root`.
    top: &'m Table,
    /// The page-table lock, with the number of tables, the root included.
    lock: SpinLock<u64>,
}

/// What [`PageTables::install`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Installed {
    /// Nothing; the page is mapped now, and the entry owns the caller's reference to the frame.
    New,
    /// This entry; nothing was changed, and the frame is still the caller's.
    Occupied(Pte),
}

/// A leaf, as [`PageTables::look`] shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The pages that it maps, as far as they were asked for.
    pub pages: PageRange,
    /// Its frame; the first one of the block of a huge leaf.
    pub frame: Frame,
    /// What user code may do with it.
    pub protection: Protection,
    /// How much it maps in all.
    pub size: PageSize,
    /// Whether the program has write-protected it.
    pub is_write_protected: bool,
}

impl Leaf {
    /// The frame of `page`, one of its pages.
    pub fn frame_of(&self, page: Page) -> Frame {
        Frame::new(self.frame.number() + (page.number() % self.size.pages()) as u32)
    }

    /// The leaf in `pte`, if it is one.
    #[inline]
    fn of(pte: Pte, pages: PageRange) -> Option<Leaf> {
        let PteView::Leaf { frame, protection, size } = pte.view() else { return None };
        Some(Leaf { pages, frame, protection, size, is_write_protected: pte.is_write_protected() })
    }
}

/// The place of a page's small leaf, as a walk has found it; right as long as the VMA over the page is stable.
#[derive(Clone, Copy)]
pub struct Slot<'m> {
    page: Page,
    /// The leaf table, or the level of the table whose entry on the way is absent, or [`HUGE_LEAF`].
    table: Result<&'m Table, u32>,
}

/// Stands for a level where a walk ends at a huge leaf.
const HUGE_LEAF: u32 = 0;

/// Why there is no leaf table for a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoTable {
    /// There is no frame for it, or for one above.
    NoMemory,
    /// A huge leaf is there.
    HugeLeaf,
}

impl From<NoTable> for MmError {
    /// For those who know that there is no huge leaf.
    fn from(none: NoTable) -> MmError {
        debug_assert_eq!(none, NoTable::NoMemory, "where nothing can be");
        MmError::NoMemory
    }
}

/// The leaf entry for `page` under the root table in `root`, or absent: the walk that the processor does.
/// The caller makes sure that no table on the way is freed.
#[inline]
pub fn walk<P: Platform>(machine: &P, root: Frame, page: Page) -> Pte {
    let top = machine.table(root);
    entry_in(machine, top, Slot { page, table: table_at(machine, top, page, 0) })
}

/// The leaf entry in `slot`, or absent.
#[inline]
fn entry_in<P: Platform>(machine: &P, top: &Table, slot: Slot<'_>) -> Pte {
    match slot.table {
        Ok(table) => table.get(index_of(slot.page, 0)),
        Err(HUGE_LEAF) => huge_leaf_at(machine, top, slot.page),
        Err(_) => Pte::ABSENT,
    }
}

/// The huge leaf over `page`, or absent.
#[cold]
#[inline(never)]
fn huge_leaf_at<P: Platform>(machine: &P, top: &Table, page: Page) -> Pte {
    let entry = table_at(machine, top, page, 1).map_or(Pte::ABSENT, |table| table.get(index_of(page, 1)));
    if entry.is_leaf() { entry } else { Pte::ABSENT }
}

/// The table of level `lowest` (0 holds the leaves) with the entry for `page`, or the level of the table above whose entry
/// for it is absent, or [`HUGE_LEAF`]. `top` is the root table.
#[inline(always)]
fn table_at<'m, P: Platform>(
    machine: &'m P,
    top: &'m Table,
    page: Page,
    lowest: u32,
) -> Result<&'m Table, u32> {
    let mut table = top;
    let mut level = LEVELS - 1;
    while level > lowest {
        let entry = table.get(index_of(page, level));
        let Some(next) = entry.as_table() else {
            return Err(if level == 1 && entry.is_leaf() { HUGE_LEAF } else { level });
        };
        table = machine.table(next);
        level -= 1;
    }
    Ok(table)
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// Empty tables: a root whose upper half is the kernel's.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for the root.
    pub fn new(machine: &'m P) -> Result<Self, MmError> {
        if !machine.admit(Fallible::TableFrame) {
            return Err(MmError::NoMemory);
        }
        let (root, content) = machine.frames().alloc_table(Content::Root).ok_or(MmError::NoMemory)?;
        let top = machine.table(root);
        if content != Content::Root {
            machine.zero(root);
            for (index, &bits) in (ENTRIES / 2..).zip(machine.kernel_half()) {
                top.set(index, Pte::from_bits(bits));
            }
        }
        debug_assert!(top.is_empty_root(machine.kernel_half()));
        Ok(PageTables { machine, root, top, lock: SpinLock::new(Rank::PageTable, 1) })
    }

    /// The root table: what the processor loads.
    #[inline]
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Number of tables, the root included.
    pub fn tables(&self) -> u64 {
        *self.lock.lock()
    }

    /// The leaf entry for `page`, or absent. Takes no lock; the caller has a stable VMA over the page.
    #[inline]
    pub fn traverse(&self, page: Page) -> Pte {
        self.entry_at(self.slot(page))
    }

    /// The place of the leaf for `page`. Takes no lock; the caller has a stable VMA over the page.
    #[inline(always)]
    pub fn slot(&self, page: Page) -> Slot<'m> {
        Slot { page, table: self.leaf_table(page) }
    }

    /// The entry in `slot`, which a huge leaf may be instead; or absent. As [`traverse`](Self::traverse).
    #[inline(always)]
    pub fn entry_at(&self, slot: Slot<'m>) -> Pte {
        entry_in(self.machine, self.top, slot)
    }

    /// A reference to the frame of the page of `slot`, if its entry is still `expected`, a small leaf. The caller has a stable
    /// VMA over the page; the reference keeps the frame if the page is zapped meanwhile, until the caller puts it.
    pub fn pin(&self, slot: Slot<'m>, expected: Pte) -> Option<Frame> {
        let PteView::Leaf { frame, .. } = expected.view() else { return None };
        let entry = slot.table.ok()?.entry(index_of(slot.page, 0));
        let _entries = self.lock.lock();
        if entry.get() != expected {
            return None;
        }
        self.machine.frames().get(frame);
        Some(frame)
    }

    /// Maps `page` to `frame` if its entry is absent; tables that are missing on the way are made. The entry then
    /// owns the caller's reference to the frame. The caller has a stable VMA over the page. No flush is needed:
    /// absent entries are not cached.
    ///
    /// # Errors
    /// `NoMemory` if there is no frame for a table; then no table has been made.
    #[inline]
    pub fn install(&self, page: Page, frame: Frame, protection: Protection) -> Result<Installed, MmError> {
        self.install_at(self.slot(page), frame, protection)
    }

    /// As [`install`](Self::install), for the page of `slot`.
    ///
    /// # Errors
    /// As there.
    #[inline(always)]
    pub fn install_at(
        &self,
        slot: Slot<'m>,
        frame: Frame,
        protection: Protection,
    ) -> Result<Installed, MmError> {
        self.install_leaf(slot, Pte::leaf(frame, protection))
    }

    /// As [`install_at`](Self::install_at), with the entry as it is to be.
    #[inline(always)]
    fn install_leaf(&self, slot: Slot<'m>, pte: Pte) -> Result<Installed, MmError> {
        match slot.table {
            Ok(table) => Ok(install_in(table, slot.page, pte)),
            Err(level) => self.install_in_new(slot.page, level, pte),
        }
    }

    /// As [`install`](Self::install), where there was no leaf table: a walk found the first absent entry at `level`.
    #[cold]
    #[inline(never)]
    fn install_in_new(&self, page: Page, level: u32, pte: Pte) -> Result<Installed, MmError> {
        match self.make_tables(page, level, 0) {
            Ok(table) => Ok(install_in(table, page, pte)),
            Err(NoTable::HugeLeaf) => Ok(Installed::Occupied(self.traverse(page))),
            Err(NoTable::NoMemory) => Err(MmError::NoMemory),
        }
    }

    /// Makes the tables for `page` from `level`, where a walk found the first absent entry or [`HUGE_LEAF`], down to level
    /// `lowest`; the last.
    #[cold]
    fn make_tables(&self, page: Page, level: u32, lowest: u32) -> Result<&'m Table, NoTable> {
        // All frames first, so that a failure leaves no empty table behind, and without the lock.
        let mut spare = Spare { machine: self.machine, frames: [None; LEVELS as usize - 1] };
        for slot in spare.frames.iter_mut().take((level.max(1) - lowest) as usize) {
            let Ok(table) = new_table(self.machine) else { return Err(NoTable::NoMemory) };
            *slot = Some(table);
        }
        self.machine.pause(Point::MakeTables(page));
        let mut spares = spare.frames.iter_mut();
        let mut tables = self.lock.lock();
        let mut table = self.top;
        for level in (lowest + 1..LEVELS).rev() {
            let index = index_of(page, level);
            let entry = table.get(index);
            let next = match entry.as_table() {
                Some(next) => next,
                None if entry.is_leaf() => return Err(NoTable::HugeLeaf),
                None => {
                    // Tables over a stable VMA do not go, so at most those that the walk missed are missing.
                    let next = spares.find_map(Option::take).ok_or(NoTable::NoMemory)?;
                    if level == 2 {
                        self.machine.frames().keep_none(next);
                    }
                    table.set(index, Pte::table(next));
                    *tables += 1;
                    next
                }
            };
            table = self.machine.table(next);
        }
        Ok(table)
    }

    /// Replaces the small leaf in `slot` if it still is `expected`; whether it was. The new entry then
    /// owns the caller's reference to `frame`, and the caller owns the old entry's: a frame that was replaced goes
    /// through [`Gather::unhook_page`](crate::tlb::Gather::unhook_page). For a mere upgrade of rights no flush is
    /// needed. The caller has a stable VMA over the page.
    pub fn replace(&self, slot: Slot<'m>, expected: Pte, frame: Frame, protection: Protection) -> bool {
        debug_assert!(matches!(expected.view(), PteView::Leaf { .. }), "replace of {expected:?}");
        let Ok(table) = slot.table else { return false };
        let entry = table.entry(index_of(slot.page, 0));
        let _entries = self.lock.lock();
        let same = entry.get() == expected;
        if same {
            entry.set(Pte::leaf(frame, protection));
        }
        same
    }

    /// Calls `f` for every part of `range` where leaves may be; it says where to go on. Where an upper entry is absent, all that
    /// it spans is skipped in one step.
    #[inline]
    fn for_each_span(&self, range: PageRange, mut f: impl FnMut(Span<'m>) -> Page) {
        let mut rest = Some(range);
        while let Some(span) = rest.and_then(|rest| self.next_span(rest)) {
            rest = PageRange::new(f(span), range.end());
        }
    }

    /// The lowest table on the way to `page` that is there, but none below `level`; and its level.
    #[inline]
    fn lowest_table(&self, page: Page, level: u32) -> (&'m Table, u32) {
        let mut table = self.top;
        let mut at = LEVELS - 1;
        while at > level
            && let Some(next) = table.get(index_of(page, at)).as_table()
        {
            table = self.machine.table(next);
            at -= 1;
        }
        (table, at)
    }

    /// The leaf table for `page`, or the level of the table whose entry on the way is absent, or [`HUGE_LEAF`].
    #[inline(always)]
    fn leaf_table(&self, page: Page) -> Result<&'m Table, u32> {
        self.table_of(page, 0)
    }

    /// As [`leaf_table`](Self::leaf_table), for the table of level `lowest`.
    #[inline(always)]
    fn table_of(&self, page: Page, lowest: u32) -> Result<&'m Table, u32> {
        table_at(self.machine, self.top, page, lowest)
    }

    /// Calls `leaf` for every leaf of `range`, in order. The caller has stable VMAs over the range; entries may come and go
    /// meanwhile, and so may frames.
    pub fn look(&self, range: PageRange, mut leaf: impl FnMut(Leaf)) {
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                for (page, entry) in part.iter().zip(table.entries(part)) {
                    Leaf::of(entry.get(), PageRange::single(page)).into_iter().for_each(&mut leaf);
                }
                part.end()
            }
            Span::Huge(part) => {
                Leaf::of(self.traverse(part.start()), part).into_iter().for_each(&mut leaf);
                part.end()
            }
        });
    }

    /// Calls `leaf` for every leaf, in order, and counts the tables, the root included, by visiting them all; one that is kept
    /// for a huge leaf counts as well. For checks; the caller holds the mmap write lock.
    pub fn survey(&self, mut leaf: impl FnMut(Leaf)) -> u64 {
        let half = self.top.iter().take(ENTRIES / 2);
        1 + survey_below(self.machine, half, Page::ZERO, LEVELS - 1, &mut leaf)
    }
}

impl<P: Platform> Drop for PageTables<'_, P> {
    /// Frees the root. All else was freed before, and no CPU has it loaded.
    fn drop(&mut self) {
        debug_assert!(
            *self.lock.get_mut() == 1 || self.machine.unwinding(),
            "page tables are left below a root that goes"
        );
        debug_assert!(self.top.is_empty_root(self.machine.kernel_half()) || self.machine.unwinding());
        self.machine.frames().put_table(self.root, Content::Root);
    }
}

/// Puts `pte` into the entry for `page`, of which `table` is the leaf table, if that is absent.
#[inline(always)]
fn install_in(table: &Table, page: Page, pte: Pte) -> Installed {
    match table.compare_exchange(index_of(page, 0), Pte::ABSENT, pte) {
        Ok(()) => Installed::New,
        Err(occupied) => Installed::Occupied(occupied),
    }
}

/// Calls `leaf` for every leaf below `entries`, the first ones of a table of `level` that spans from `start` on. The number
/// of tables that they lead to, on all levels.
fn survey_below<P: Platform>(
    machine: &P,
    entries: impl Iterator<Item = Pte>,
    start: Page,
    level: u32,
    leaf: &mut dyn FnMut(Leaf),
) -> u64 {
    let mut tables = 0;
    for (index, entry) in entries.enumerate().filter(|(_, entry)| *entry != Pte::ABSENT) {
        let page = Page::new(start.number() + index as u64 * entry_span(level));
        if level <= 1 && entry.is_leaf() {
            tables += u64::from(level);
            Leaf::of(entry, PageRange::around(page, entry.size())).into_iter().for_each(&mut *leaf);
        } else if let Some(table) = entry.as_table() {
            tables += 1 + survey_below(machine, machine.table(table).iter(), page, level - 1, leaf);
        }
    }
    tables
}

/// An empty table with one reference.
#[inline]
fn new_table<P: Platform>(machine: &P) -> Result<Frame, MmError> {
    if !machine.admit(Fallible::TableFrame) {
        return Err(MmError::NoMemory);
    }
    let (frame, content) = machine.frames().alloc_table(Content::Zeroes).ok_or(MmError::NoMemory)?;
    if content != Content::Zeroes {
        machine.zero(frame);
    }
    debug_assert!(machine.table(frame).is_empty());
    Ok(frame)
}

/// Empty tables that were never hooked, so that no TLB knows them; freed on drop.
struct Spare<'m, P: Platform> {
    machine: &'m P,
    frames: [Option<Frame>; LEVELS as usize - 1],
}

impl<P: Platform> Drop for Spare<'_, P> {
    fn drop(&mut self) {
        for frame in self.frames.iter_mut().filter_map(Option::take) {
            self.machine.frames().put(frame);
        }
    }
}

impl<P: Platform> fmt::Debug for PageTables<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageTables(root {:?}, {} tables)", self.root, self.tables())
    }
}
