//! Zap and protect: changing the leaves of a range.

use super::huge::Span;
use super::pte::Rights;
use super::table::{Table, index_of};
use super::{PageTables, Protection, Pte};
use crate::frame::{Frame, FrameKind};
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
    #[inline]
    fn clear_entries(
        &self,
        range: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool + Copy,
    ) -> u64 {
        let mut pages = 0;
        self.for_each_span(range, |span| {
            gather.flush_if_full();
            let (zapped, next) = match span {
                Span::Leaves(table, part) => self.zap_entries(table, part, gather, goes),
                Span::Huge(part) => self.zap_huge(part, gather, goes),
            };
            pages += zapped;
            next
        });
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

    /// Clears entries of `part`, all of it in `table`, until the gather is full. The number of leaves, and the page
    /// to go on with.
    #[inline]
    fn zap_entries(
        &self,
        table: &Table,
        part: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        goes: impl Fn(Pte) -> bool,
    ) -> (u64, Page) {
        let first = index_of(part.start(), 0);
        let end = first + part.pages() as usize;
        let page = |index: usize| part.start().up((index - first) as u64);
        let (mut zapped, mut low, mut high) = (0, end, first);
        let entries = self.lock.lock();
        let mut index = first;
        while index < end && !gather.is_full() {
            let pte = table.get(index);
            if pte.is_absent() {
                index = table.next_used(index + 1, end);
                continue;
            }
            if goes(pte) {
                table.set(index, Pte::ABSENT);
                if pte.is_leaf() {
                    gather.push(pte.frame());
                    zapped += 1;
                    low = low.min(index);
                    high = index + 1;
                }
            }
            index += 1;
        }
        drop(entries);
        if let Some(touched) = PageRange::new(page(low), page(high)) {
            gather.touch(touched);
        }
        (zapped, page(index))
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
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                let frames = self.machine.frames();
                match writable {
                    Writable::IfExclusive if protection.is_writable() => {
                        let is_ours = |frame| frames.is_exclusive(frame, PageSize::Small);
                        self.protect_entries(table, part, protection, is_ours, gather);
                    }
                    Writable::Always if protection.is_writable() => {
                        let is_data = |frame| frames.kind(frame) != FrameKind::Zero;
                        self.protect_entries(table, part, protection, is_data, gather);
                    }
                    _ => self.protect_entries(table, part, protection, |_| false, gather),
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
        let [with, without] = [protection, protection.without_write()].map(Rights::of);
        let first = index_of(part.start(), 0);
        let end = first + part.pages() as usize;
        let (mut low, mut high) = (end, first);
        let entries = self.lock.lock();
        table.change(first..end, |index, old| {
            if !old.is_leaf() {
                return old;
            }
            let (new, loses) = old.with_rights(if may_write(old.frame()) { with } else { without });
            if loses {
                low = low.min(index);
                high = index + 1;
            }
            new
        });
        drop(entries);
        let page = |index: usize| part.start().up((index - first) as u64);
        if let Some(touched) = PageRange::new(page(low), page(high)) {
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
        let new = old.with_protection(self.permitted(old.frame(), PageSize::Huge, protection, writable));
        if old.needs_flush(new) {
            gather.touch_huge(part);
        }
        locked.set(new);
        part.end()
    }

    /// `protection` as far as `writable` permits it for a leaf of `size` that maps `frame`. Inlined, as a part of a loop.
    #[inline(always)]
    fn permitted(
        &self,
        frame: Frame,
        size: PageSize,
        protection: Protection,
        writable: Writable,
    ) -> Protection {
        let frames = self.machine.frames();
        let permitted = match writable {
            Writable::Never => false,
            Writable::IfExclusive => frames.is_exclusive(frame, size),
            Writable::Always => frames.kind(frame) != FrameKind::Zero,
        };
        if permitted { protection } else { protection.without_write() }
    }
}
