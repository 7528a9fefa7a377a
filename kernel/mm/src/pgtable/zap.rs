//! Zap and protect: changing the leaves of a range.

use super::table::{Table, index_of};
use super::{PageTables, Protection, Pte, PteView};
use crate::frame::{Frame, FrameKind};
use crate::platform::Platform;
use crate::range::{Page, PageRange};
use crate::tlb::Gather;

/// Which frames a writable mapping may write right away; the others fault first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writable {
    /// None.
    Never,
    /// Anonymous ones that nobody else has: a private mapping.
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
        self.for_each_leaf_table(range, |table, part| {
            let mut rest = Some(part);
            while let Some(part) = rest {
                gather.flush_if_full();
                let (zapped, next) = self.zap_entries(table, part, gather, goes);
                pages += zapped;
                rest = PageRange::new(next, part.end());
            }
        });
        pages
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
        self.for_each_leaf_table(range, |table, part| {
            let _entries = self.lock.lock();
            for page in part.iter() {
                let index = index_of(page, 0);
                let old = table.get(index);
                let PteView::Leaf { frame, .. } = old.view() else { continue };
                let new = Pte::leaf(frame, self.permitted(frame, protection, writable));
                if old.needs_flush(new) {
                    gather.touch(PageRange::single(page));
                }
                table.set(index, new);
            }
        });
    }

    /// `protection` as far as `writable` permits it for `frame`.
    #[inline]
    fn permitted(&self, frame: Frame, protection: Protection, writable: Writable) -> Protection {
        let frames = self.machine.frames();
        let permitted = match writable {
            Writable::Never => false,
            Writable::IfExclusive => {
                frames.kind(frame) == FrameKind::Anonymous && frames.reference_count(frame) == 1
            }
            Writable::Always => frames.kind(frame) != FrameKind::Zero,
        };
        if permitted { protection } else { protection.without_write() }
    }
}
