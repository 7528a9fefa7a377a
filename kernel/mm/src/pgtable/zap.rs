//! Zap and protect: changing the leaves of a range.

use super::huge::Span;
use super::pte::Rights;
use super::table::{Entry, Table, index_of, is_in_one_table};
use super::{HUGE_LEAF, PageTables, Protection, Pte, Slot};
use crate::frame::{Frame, FrameBatch, FrameKind, Metadata};
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::tlb::Gather;

/// Which frames a writable mapping may write right away; the others fault first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writable {
    /// None.
    Never,
    /// Private ones that nobody else has: a private mapping.
    IfExclusive,
    /// All but the zero page: a shared mapping.
    Always,
}

impl Writable {
    /// Whether a leaf of `size` that maps `frame` may be written to right away.
    #[inline(always)]
    pub(super) fn permits(self, metadata: Metadata<'_>, frame: Frame, size: PageSize) -> bool {
        match self {
            Writable::Never => false,
            Writable::IfExclusive => metadata.is_exclusive(frame, size),
            Writable::Always => metadata.kind(frame) != FrameKind::Zero,
        }
    }
}

impl<'m, P: Platform> PageTables<'m, P> {
    /// Clears all entries of `range`, guards too; `gather` takes over the frames. The number of pages that were mapped.
    ///
    /// The caller has stable VMAs over the range, or none can be found there any more. Takes the page-table lock
    /// for as many entries of a leaf table as the gather has room for, and flushes between, without it.
    #[inline]
    pub fn zap(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.zap_from(self.slot(range.start()), range, gather)
    }

    /// As [`zap`](Self::zap), with the slot of the first page of `range`.
    #[inline]
    pub fn zap_from(&self, slot: Slot<'m>, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.clear_entries(slot, range, gather, |_| true)
    }

    /// Whether a look tells that there is nothing to zap in `range`, of whose first page this is the slot. Only ranges in one leaf
    /// table are looked at.
    #[inline]
    pub fn is_vacant(&self, slot: Slot<'m>, range: PageRange) -> bool {
        is_in_one_table(range)
            && match slot.table {
                Ok(table) if range.pages() == 1 => table.get(index_of(range.start(), 0)).is_absent(),
                Ok(table) => Entry::are_absent(table.entries(range)),
                Err(level) => level != HUGE_LEAF,
            }
    }

    /// As [`zap`](Self::zap), but leaves guards where they are.
    pub fn discard(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.clear_entries(self.slot(range.start()), range, gather, Pte::is_leaf)
    }

    /// As [`discard`](Self::discard), for those leaves whose frame is `wanted`.
    pub fn discard_where(
        &self,
        range: PageRange,
        wanted: impl Fn(Frame) -> bool + Copy,
        gather: &mut Gather<'_, 'm, P>,
    ) -> u64 {
        let goes = |pte: Pte| pte.is_leaf() && wanted(pte.frame());
        self.clear_entries(self.slot(range.start()), range, gather, goes)
    }

    /// Clears the entries of `range`, whose first page has this slot, that are not absent and that `goes` says.
    #[inline(always)]
    fn clear_entries(
        &self,
        slot: Slot<'m>,
        range: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool + Copy,
    ) -> u64 {
        if !is_in_one_table(range) {
            return self.clear_spans(range, gather, goes);
        }
        match slot.table {
            Ok(table) if range.pages() == 1 => self.clear_one(table, range.start(), gather, goes),
            Ok(table) => self.clear_part(table, range, gather, goes),
            Err(HUGE_LEAF) => self.clear_spans(range, gather, goes),
            Err(_) => 0,
        }
    }

    /// As [`clear_entries`](Self::clear_entries), for one page, whose leaf table this is.
    #[inline(always)]
    fn clear_one(
        &self,
        table: &Table,
        page: Page,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool,
    ) -> u64 {
        let entry = table.entry(index_of(page, 0));
        if entry.get().is_absent() {
            return 0;
        }
        let locked = self.lock.lock();
        let pte = entry.get();
        if pte.is_absent() || !goes(pte) {
            return 0;
        }
        entry.set(Pte::ABSENT);
        drop(locked);
        if !pte.is_leaf() {
            return 0;
        }
        gather.unhook_page(page, pte.frame());
        1
    }

    /// As [`clear_entries`](Self::clear_entries), wherever the pages are.
    #[inline(never)]
    fn clear_spans(
        &self,
        range: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool + Copy,
    ) -> u64 {
        let mut pages = 0;
        self.for_each_span(range, |span| {
            let (zapped, next) = match span {
                Span::Leaves(table, part) => (self.clear_part(table, part, gather, goes), part.end()),
                Span::Huge(part) => {
                    gather.flush_if_full();
                    self.zap_huge(part, gather, goes)
                }
            };
            pages += zapped;
            next
        });
        pages
    }

    /// As [`clear_entries`](Self::clear_entries), for `part`, all of it in `table`.
    #[inline(never)]
    fn clear_part(
        &self,
        table: &Table,
        part: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool + Copy,
    ) -> u64 {
        gather.flush_if_full();
        let (mut pages, mut rest) = (0, Some(part));
        while let Some(part) = rest {
            let (zapped, next) = self.zap_entries(table, part, gather, goes);
            pages += zapped;
            rest = PageRange::new(next, part.end());
        }
        pages
    }

    /// Clears the huge leaf that maps `part`, if it maps nothing else: the block goes as a whole. As
    /// [`zap_entries`](Self::zap_entries).
    #[cold]
    #[inline(never)]
    fn zap_huge(
        &self,
        part: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool,
    ) -> (u64, Page) {
        let Some(locked) = self.lock_huge(part, gather.tlb()) else { return (0, part.start()) };
        if !goes(locked.leaf) {
            return (0, part.end());
        }
        let (block, spare) = (locked.leaf.frame(), locked.clear());
        gather.push_huge(block);
        gather.touch_huge(part);
        // No processor has ever seen it.
        self.machine.frames().put(spare);
        (part.pages(), part.end())
    }

    /// Clears entries of `part`, all of it in `table`, until the gather, which has room, is full; it is flushed then. The number
    /// of leaves, and the page to go on with.
    #[inline(always)]
    fn zap_entries(
        &self,
        table: &Table,
        part: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool,
    ) -> (u64, Page) {
        let entries = table.entries(part);
        // An entry that becomes present at the same time may stay, as if it had become so just behind.
        let first = Entry::next_used(entries, 0);
        let rest = entries.get(first..).unwrap_or_default();
        if rest.is_empty() {
            return (0, part.end());
        }
        let metadata = self.machine.frames().metadata();
        let locked = self.lock.lock();
        let taken = take_leaves(rest, metadata, gather.batch(), goes);
        drop(locked);
        let page = |left: usize| Page::new(part.end().number() - left as u64);
        if taken.leaves != 0
            && let Some(touched) = PageRange::new(page(entries.len() - first), page(taken.behind_last))
        {
            gather.took(taken.leaves, touched);
        }
        (taken.leaves, page(taken.left))
    }

    /// Gives all leaves of `range` the protection `protection`; where `writable` does not permit to write, without
    /// the right to write. What lost rights goes into `gather`. Frames stay, with `Protection::None` as well.
    ///
    /// The caller holds the mmap write lock and the write locks of the VMAs over the range.
    pub fn protect(
        &self,
        range: PageRange,
        protection: Protection,
        writable: Writable,
        gather: &mut Gather<'_, 'm, P>,
    ) {
        let writable = if protection.is_writable() { writable } else { Writable::Never };
        let metadata = self.machine.frames().metadata();
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                // A loop for each, as what decides about a leaf is most of what is done to it.
                match writable {
                    Writable::Never => self.protect_entries(table, part, protection, |_| false, gather),
                    Writable::IfExclusive => {
                        let may = |frame| Writable::IfExclusive.permits(metadata, frame, PageSize::Small);
                        self.protect_entries(table, part, protection, may, gather);
                    }
                    Writable::Always => {
                        let may = |frame| Writable::Always.permits(metadata, frame, PageSize::Small);
                        self.protect_entries(table, part, protection, may, gather);
                    }
                }
                part.end()
            }
            Span::Huge(part) => self.protect_huge(part, protection, writable, gather),
        });
    }

    /// As [`protect`](Self::protect), for the entries of `part`, all of it in `table`: those whose frame `may_write` can be written to if
    /// `protection` says so. Not inlined, so that the loop has all registers.
    #[inline(never)]
    fn protect_entries(
        &self,
        table: &Table,
        part: PageRange,
        protection: Protection,
        may_write: impl Fn(Frame) -> bool,
        gather: &mut Gather<'_, 'm, P>,
    ) {
        let with = Rights::of(protection);
        let without = Rights::of(protection.without_write());
        let entries = table.entries(part);
        if Entry::are_absent(entries) {
            return;
        }
        let loses = |entry: &Entry| {
            let old = entry.get();
            if !old.is_leaf() {
                return false;
            }
            let (new, loses) = old.with_rights(if may_write(old.frame()) { with } else { without });
            entry.set(new);
            loses
        };
        let locked = self.lock.lock();
        let mut rest = entries.iter();
        // Up to the first one that loses rights, and from there on: most often there is one of the two only.
        let Some(low) = rest.position(loses) else { return };
        let mut high = low + 1;
        for (at, entry) in (high..).zip(rest) {
            if loses(entry) {
                high = at + 1;
            }
        }
        drop(locked);
        let page = |at: usize| Page::new(part.start().number() + at as u64);
        if let Some(touched) = PageRange::new(page(low), page(high)) {
            gather.touch(touched);
        }
    }

    /// As [`protect`](Self::protect), for the huge leaf that maps `part`, if it maps nothing else. The page to go on with.
    #[cold]
    #[inline(never)]
    pub(super) fn protect_huge(
        &self,
        part: PageRange,
        protection: Protection,
        writable: Writable,
        gather: &mut Gather<'_, 'm, P>,
    ) -> Page {
        let Some(locked) = self.lock_huge(part, gather.tlb()) else { return part.start() };
        let old = locked.leaf;
        let may_write = writable.permits(self.machine.frames().metadata(), old.frame(), PageSize::Huge);
        let new = old.with_protection(if may_write { protection } else { protection.without_write() });
        if old.needs_flush(new) {
            gather.touch_huge(part);
        }
        locked.set(new);
        part.end()
    }
}

/// What [`take_leaves`] has done.
struct Taken {
    /// Leaves that it has cleared.
    leaves: u64,
    /// Entries behind the last of these, if there is one.
    behind_last: usize,
    /// Entries that it has not come to.
    left: usize,
}

/// Clears those of `entries` that are not absent and that `goes` says, until `batch`, which takes over the frames and has room, is
/// full. It is for the caller to count them.
#[inline]
fn take_leaves<'t>(
    entries: &'t [Entry],
    metadata: Metadata<'_>,
    batch: &mut FrameBatch,
    goes: impl Fn(Pte) -> bool,
) -> Taken {
    let mut rest = entries;
    let (mut leaves, mut behind_last) = (0, 0);
    let mut is_full = false;
    let next_leaf = |rest: &'t [Entry]| {
        let (entry, behind) = rest.split_first()?;
        let pte = entry.get();
        (pte.is_leaf() && goes(pte)).then_some((entry, pte.frame(), behind))
    };
    while !is_full {
        let before = rest.len();
        // As a rule: private memory that nobody else has.
        let mut front = batch.front();
        while let Some((entry, frame, behind)) = next_leaf(rest)
            && metadata.push_exclusive(frame, &mut front)
        {
            entry.set(Pte::ABSENT);
            rest = behind;
        }
        batch.set_front(front);
        while let Some((entry, frame, behind)) = next_leaf(rest)
            && !is_full
            && !metadata.is_exclusive(frame, PageSize::Small)
        {
            entry.set(Pte::ABSENT);
            rest = behind;
            is_full = metadata.collect(frame, batch);
        }
        if rest.len() != before {
            leaves += (before - rest.len()) as u64;
            behind_last = rest.len();
            continue;
        }
        let Some((entry, behind)) = rest.split_first() else { break };
        let pte = entry.get();
        if pte.is_absent() {
            rest = Entry::from_next_used(behind);
        } else if !goes(pte) {
            rest = behind;
        } else if !pte.is_leaf() {
            entry.set(Pte::ABSENT);
            rest = behind;
        }
        // Or else it is a leaf whose frame has become nobody else's between the two looks.
    }
    Taken { leaves, behind_last, left: rest.len() }
}
