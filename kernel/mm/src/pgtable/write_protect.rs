//! Write-protect: pages that the program has write-protected itself (`UFFDIO_WRITEPROTECT`).
//!
//! That is a property of the leaf, not of the VMA: it survives [`protect_keeping`](PageTables::protect_keeping), and goes with the leaf.
//! Only small leaves have it. One that has it is not writable, whatever its VMA says.

use super::huge::Span;
use super::table::Table;
use super::zap::Writable;
use super::{Installed, PageTables, Protection, Pte};
use crate::error::MmError;
use crate::frame::Frame;
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::tlb::Gather;

impl<'m, P: Platform> PageTables<'m, P> {
    /// As [`install`](Self::install), write-protected.
    ///
    /// # Errors
    /// As there.
    pub fn install_write_protected(
        &self,
        page: Page,
        frame: Frame,
        protection: Protection,
    ) -> Result<Installed, MmError> {
        self.install_leaf(self.slot(page), Pte::leaf(frame, protection).write_protected())
    }

    /// Write-protects the leaves of `range`; huge ones are split first. What lost the right to write goes into `gather`. The
    /// caller has stable VMAs over the range.
    pub fn write_protect(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) {
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                self.change_leaves(table, part, gather, Pte::write_protected);
                part.end()
            }
            Span::Huge(part) => {
                self.split(part.start(), gather.tlb());
                part.start()
            }
        });
    }

    /// Ends that for the leaves of `range`. They stay as they are otherwise: the next write makes them writable. The caller has
    /// stable VMAs over the range.
    pub fn write_unprotect(&self, range: PageRange, gather: &mut Gather<'_, 'm, P>) {
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                self.change_leaves(table, part, gather, Pte::without_write_protection);
                part.end()
            }
            Span::Huge(part) => part.end(),
        });
    }

    /// As [`protect`](Self::protect), for VMAs with write-protected leaves: these stay so.
    #[cold]
    #[inline(never)]
    pub fn protect_keeping(
        &self,
        range: PageRange,
        protection: Protection,
        writable: Writable,
        gather: &mut Gather<'_, 'm, P>,
    ) {
        let metadata = self.machine.frames().metadata();
        self.for_each_span(range, |span| match span {
            Span::Leaves(table, part) => {
                self.change_leaves(table, part, gather, |old| {
                    let may_write = writable.permits(metadata, old.frame(), PageSize::Small);
                    let new =
                        old.with_protection(if may_write { protection } else { protection.without_write() });
                    if old.is_write_protected() { new.write_protected() } else { new }
                });
                part.end()
            }
            Span::Huge(part) => self.protect_huge(part, protection, writable, gather),
        });
    }

    /// Gives the leaves of `part`, all of it in `table`, what `change` makes of them. What lost rights goes into `gather`.
    fn change_leaves(
        &self,
        table: &Table,
        part: PageRange,
        gather: &mut Gather<'_, 'm, P>,
        change: impl Fn(Pte) -> Pte,
    ) {
        let (mut low, mut high) = (usize::MAX, 0);
        let locked = self.lock.lock();
        for (at, entry) in table.entries(part).iter().enumerate() {
            let old = entry.get();
            // One that is absent may become present without the lock.
            if !old.is_leaf() {
                continue;
            }
            let new = change(old);
            entry.set(new);
            if old.needs_flush(new) {
                low = low.min(at);
                high = at + 1;
            }
        }
        drop(locked);
        let page = |at: usize| part.start().up(at as u64);
        if low < high
            && let Some(touched) = PageRange::new(page(low), page(high))
        {
            gather.touch(touched);
        }
    }
}
