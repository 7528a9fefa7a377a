//! The gather: owner of what was unhooked, until TLBs have forgotten it.

use core::fmt;

use super::{Flush, FlushScope, TlbState};
use crate::frame::{Frame, FrameBatch};
use crate::museum::Bug;
use crate::platform::Platform;
use crate::range::{Page, PageRange, PageSize};
use crate::schedule::Point;
use crate::trace::Step;

/// What a gather has freed: references to frames of data, and tables.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Freed {
    /// Frames of data, one for each page that was unhooked.
    pub pages: u64,
    /// Frames of page tables.
    pub tables: u64,
}

/// Collects unhooked frames and tables and changed ranges of one address space, flushes, then frees. It never
/// allocates: any number of frames that nobody else has is linked through their metadata; frames that are shared have
/// a fixed room ([`FrameBatch::SHARED`]), and when that is full, the gather flushes and frees, and goes on.
///
/// [`finish`](Self::finish) must be called at the end, without the page-table lock; in place, because a gather is too large to
/// be moved about. A gather that is dropped instead leaks what it owns, and panics in debug builds.
#[must_use = "unhooked frames are freed by `finish` only"]
pub struct Gather<'a, 'm, P: Platform> {
    machine: &'m P,
    tlb: &'a TlbState,
    /// Unhooked since the last flush.
    batch: FrameBatch,
    /// Pages changed since the last flush: lowest, and one past the highest; nothing if `low >= high`.
    low: Page,
    high: Page,
    /// Size of the smallest leaves that changed since the last flush.
    size: PageSize,
    /// Tables in `batch`.
    tables: u64,
    /// Whether tables have moved since the last flush.
    moved_tables: bool,
    freed: Freed,
    bomb: Bomb<'m, P>,
}

impl<'a, 'm, P: Platform> Gather<'a, 'm, P> {
    /// An empty gather for the address space of `tlb`.
    #[inline]
    pub fn new(machine: &'m P, tlb: &'a TlbState) -> Self {
        Gather::with_batch(machine, tlb, FrameBatch::new())
    }

    /// An empty gather for the address space of `tlb`, which no CPU will load any more. If none has it loaded either, frames that
    /// others have as well need not wait for a flush.
    #[inline]
    pub fn last(machine: &'m P, tlb: &'a TlbState) -> Self {
        let batch = if tlb.cpus() == 0 { FrameBatch::at_once() } else { FrameBatch::new() };
        Gather::with_batch(machine, tlb, batch)
    }

    #[inline(always)]
    fn with_batch(machine: &'m P, tlb: &'a TlbState, batch: FrameBatch) -> Self {
        tlb.enter();
        Gather {
            machine,
            tlb,
            batch,
            low: NOTHING.0,
            high: NOTHING.1,
            size: PageSize::Small,
            tables: 0,
            moved_tables: false,
            freed: Freed::default(),
            bomb: Bomb { machine, is_armed: true },
        }
    }

    /// Takes over the reference of `page`'s entry, which was cleared or replaced, to `frame`. The caller does not
    /// hold the page-table lock: this may flush.
    #[inline(always)]
    pub fn unhook_page(&mut self, page: Page, frame: Frame) {
        self.flush_if_full();
        self.push(frame);
        self.touch(PageRange::single(page));
    }

    /// Takes over the table in `frame`, whose entry in the table above was cleared, and which had served `range`
    /// (any part of its span) last. The caller does not hold the page-table lock: this may flush.
    #[inline]
    pub fn unhook_table(&mut self, range: PageRange, frame: Frame) {
        self.flush_if_full();
        self.push(frame);
        self.tables += 1;
        // One page is enough for the paging-structure caches, see `Flush::tables`. The smallest leaf stays what it is.
        self.reach(PageRange::single(range.start()));
    }

    /// Small leaves of `range` have lost rights.
    #[inline]
    pub fn touch(&mut self, range: PageRange) {
        self.size = PageSize::Small;
        self.reach(range);
    }

    /// Huge leaves that are all of `range` have lost rights.
    #[inline]
    pub fn touch_huge(&mut self, range: PageRange) {
        if self.low >= self.high {
            self.size = PageSize::Huge;
        }
        self.reach(range);
    }

    #[inline]
    fn reach(&mut self, range: PageRange) {
        self.low = self.low.min(range.start());
        self.high = self.high.max(range.end());
    }

    /// The TLBs that are flushed.
    #[inline]
    pub(crate) fn tlb(&self) -> &'a TlbState {
        self.tlb
    }

    /// Tables that span `range` lead elsewhere now, or are led to from elsewhere.
    #[inline]
    pub fn touch_tables(&mut self, range: PageRange) {
        self.moved_tables = true;
        self.touch(range);
    }

    /// Where the frames of data go that a loop takes over; it reports them by [`took`](Self::took). There is room.
    #[inline]
    pub(crate) fn batch(&mut self) -> &mut FrameBatch {
        &mut self.batch
    }

    /// The references of `pages` leaves, all in `range`, have gone into the [batch](Self::batch). The caller does not hold the
    /// page-table lock: this may flush.
    #[inline]
    pub(crate) fn took(&mut self, pages: u64, range: PageRange) {
        self.batch.count(pages);
        self.touch(range);
        self.flush_if_full();
    }

    /// Takes over a frame of data. There is room, and the page is reported by [`touch`](Self::touch).
    #[inline]
    pub(crate) fn push(&mut self, frame: Frame) {
        self.machine.frames().collect(frame, &mut self.batch);
    }

    /// Takes over the reference of a huge leaf to `block`. There is room, and the pages are reported by
    /// [`touch_huge`](Self::touch_huge).
    pub(crate) fn push_huge(&mut self, block: Frame) {
        self.machine.frames().collect_huge(block, &mut self.batch);
    }

    /// Whether nothing more can be taken over without a flush.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Makes room. The caller does not hold the page-table lock.
    #[inline]
    pub(crate) fn flush_if_full(&mut self) {
        if self.batch.is_full() {
            self.overflow();
        }
    }

    #[cold]
    fn overflow(&mut self) {
        self.flush();
        (self.low, self.high) = NOTHING;
        self.size = PageSize::Small;
        self.tables = 0;
        self.moved_tables = false;
    }

    /// Flushes what is to be flushed, frees what was gathered, and says how much that was in all. The caller does
    /// not hold the page-table lock.
    ///
    /// While another gather of the address space is under way, everything is flushed: the other may have cleared
    /// entries of this range that this one found absent, and not flushed them yet.
    #[inline]
    pub fn finish(&mut self) -> Freed {
        if self.tlb.is_nested() {
            (self.low, self.high) = EVERYTHING;
            self.size = PageSize::Small;
        }
        if self.low < self.high {
            self.flush();
        }
        self.end()
    }

    /// The end of a gather that owns nothing any more.
    #[inline]
    fn end(&mut self) -> Freed {
        self.tlb.leave();
        self.bomb.is_armed = false;
        self.freed
    }

    /// Flush, then free. What was flushed is noted still.
    fn flush(&mut self) {
        debug_assert!(self.low < self.high, "frames were unhooked from no page");
        let scope = match PageRange::new(self.low, self.high) {
            Some(range) => FlushScope::of(range, self.size),
            None => FlushScope::All,
        };
        self.freed.pages += self.batch.len() - self.tables;
        self.freed.tables += self.tables;
        if self.machine.has(Bug::FreeBeforeFlush) {
            self.machine.frames().put_batch(&mut self.batch);
        }
        self.machine.pause(Point::Flush);
        self.tlb.advance();
        self.machine.flush(self.tlb, Flush { scope, tables: self.tables != 0 || self.moved_tables });
        self.machine.trace(Step::Flush { pages: scope.single_pages() });
        self.machine.pause(Point::FreeFrames);
        self.machine.frames().put_batch(&mut self.batch);
    }
}

/// Makes the TLBs forget the huge leaf over `range`, which frees nothing. The caller does not hold the page-table lock.
pub(crate) fn forget_huge<P: Platform>(machine: &P, tlb: &TlbState, range: PageRange) {
    let mut gather = Gather::new(machine, tlb);
    gather.touch_huge(range);
    gather.flush();
    gather.end();
}

const NOTHING: (Page, Page) = (Page::new(u64::MAX), Page::ZERO);
const EVERYTHING: (Page, Page) = (Page::ZERO, Page::USER_END);

impl<P: Platform> fmt::Debug for Gather<'_, '_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("unhooked", &self.batch.len()).field("freed", &self.freed).finish()
    }
}

/// Goes off when a gather is dropped unfinished.
struct Bomb<'m, P: Platform> {
    machine: &'m P,
    is_armed: bool,
}

impl<P: Platform> Drop for Bomb<'_, P> {
    fn drop(&mut self) {
        if cfg!(debug_assertions) && self.is_armed && !self.machine.unwinding() {
            panic!("a gather was dropped without `finish`");
        }
    }
}
