//! Zap and protect: changing the leaves of a range.

use super::huge::Span;
use super::pte::Rights;
use super::table::{Entry, Table, index_of, is_in_one_table};
use super::{HUGE_LEAF, PageTables, Protection, Pte};
use crate::frame::{Frame, FrameKind, Metadata};
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
    fn permits(self, metadata: Metadata<'_>, frame: Frame, size: PageSize) -> bool {
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
    pub fn zap(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.clear_entries(range, gather, |_| true)
    }

    /// As [`zap`](Self::zap), but leaves guards where they are.
    pub fn discard(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) -> u64 {
        self.clear_entries(range, gather, Pte::is_leaf)
    }

    /// As [`discard`](Self::discard), for those leaves whose frame is `wanted`.
    pub fn discard_where(
        &self,
        range: PageRange,
        wanted: impl Fn(Frame) -> bool + Copy,
        gather: &mut Gather<'_, 'm, P>,
    ) -> u64 {
        self.clear_entries(range, gather, |pte| pte.is_leaf() && wanted(pte.frame()))
    }

    /// Clears the entries of `range` that are not absent and that `goes` says.
    #[inline(always)]
    fn clear_entries(
        &self,
        range: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool + Copy,
    ) -> u64 {
        if !is_in_one_table(range) {
            return self.clear_spans(range, gather, goes);
        }
        match self.leaf_table(range.start()) {
            // Found in one look.
            Ok(table) if range.pages() == 1 && table.get(index_of(range.start(), 0)).is_absent() => 0,
            Ok(table) => self.clear_part(table, range, gather, goes),
            Err(HUGE_LEAF) => self.clear_spans(range, gather, goes),
            Err(_) => 0,
        }
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
        let mut rest = entries.get(first..).unwrap_or_default().iter();
        if rest.len() == 0 {
            return (0, part.end());
        }
        let (mut zapped, mut last) = (0, rest.clone());
        let metadata = self.machine.frames().metadata();
        let batch = gather.batch();
        let locked = self.lock.lock();
        while let Some(entry) = rest.next() {
            let pte = entry.get();
            if pte.is_absent() {
                rest = Entry::from_next_used(rest);
                continue;
            }
            if !goes(pte) {
                continue;
            }
            entry.set(Pte::ABSENT);
            if pte.is_leaf() {
                zapped += 1;
                last = rest.clone();
                if metadata.collect(pte.frame(), batch) {
                    break;
                }
            }
        }
        drop(locked);
        let page = |left: usize| Page::new(part.end().number() - left as u64);
        if let Some(touched) = PageRange::new(page(entries.len() - first), page(last.len())) {
            gather.took(zapped, touched);
        }
        (zapped, page(rest.len()))
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
        let (mut low, mut high) = (usize::MAX, 0);
        let locked = self.lock.lock();
        for (at, entry) in entries.iter().enumerate() {
            let old = entry.get();
            // One that is absent may become present without the lock.
            if !old.is_leaf() {
                continue;
            }
            let (new, loses) = old.with_rights(if may_write(old.frame()) { with } else { without });
            entry.set(new);
            if loses {
                low = low.min(at);
                high = at + 1;
            }
        }
        drop(locked);
        let page = |at: usize| Page::new(part.start().number() + at as u64);
        if low < high
            && let Some(touched) = PageRange::new(page(low), page(high))
        {
            gather.touch(touched);
        }
    }

    /// As [`protect`](Self::protect), for the huge leaf that maps `part`, if it maps nothing else. The page to go on with.
    #[cold]
    #[inline(never)]
    fn protect_huge(
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
