mod copy;
mod entry;
mod free;
mod huge;
mod install;
mod leaves;
mod relocate;
mod write_protect;

use super::*;
use crate::frame::{FrameBatch, FrameKind};
use crate::testing::Machine;
use crate::tlb::{Flush, FlushScope, Freed, Gather, TlbState};

use Protection::{Read, ReadExecute, ReadWrite, ReadWriteExecute};

const GIB: u64 = 1 << 18;
const MIB2: u64 = 1 << 9;

fn range(start: u64, end: u64) -> PageRange {
    PageRange::new(Page::new(start), Page::new(end)).unwrap()
}

/// Page tables with the state of the TLBs that cache them.
struct Space<'m> {
    machine: &'m Machine,
    tables: PageTables<'m, Machine>,
    tlb: TlbState,
}

impl<'m> Space<'m> {
    fn new(machine: &'m Machine) -> Self {
        Space { machine, tables: PageTables::new(machine).unwrap(), tlb: TlbState::new() }
    }

    /// Maps a new frame, and lets the TLB see it.
    fn map(&self, page: u64, protection: Protection) -> Frame {
        let frame = self.machine.data_frame(page);
        assert_eq!(self.tables.install(Page::new(page), frame, protection), Ok(Installed::New));
        self.access(page);
        frame
    }

    fn map_all(&self, pages: impl IntoIterator<Item = u64>, protection: Protection) {
        for page in pages {
            self.map(page, protection);
        }
    }

    /// Maps a new block over the 2 MiB from `page` on, whose first words are the numbers of its frames in it, and lets the TLB see
    /// some of it.
    fn map_huge(&self, page: u64, protection: Protection) -> Frame {
        let frames = self.machine.frames();
        let block = frames.alloc_huge().unwrap();
        self.machine.zero_huge(block);
        (0..512).for_each(|at| self.machine.set_word(Frame::new(block.number() + at), at.into()));
        assert_eq!(self.tables.install_huge(Page::new(page), block, protection), Ok(Installed::New));
        assert!(
            [0, 1, 255, 511]
                .iter()
                .all(|at| self.access(page + at).is_some() || protection == Protection::None)
        );
        block
    }

    fn access(&self, page: u64) -> Option<(Frame, Protection)> {
        self.machine.access(self.tables.root(), &self.tlb, Page::new(page))
    }

    fn gather(&self) -> Gather<'_, 'm, Machine> {
        Gather::new(self.machine, &self.tlb)
    }

    /// Zaps and frees as munmap does.
    fn unmap(&self, range: PageRange, floor: u64, ceiling: u64) -> Freed {
        let mut gather = self.gather();
        let pages = self.tables.zap(range, &mut gather);
        let tables = self.tables.free(range, Page::new(floor), Page::new(ceiling), &mut gather);
        let freed = gather.finish();
        assert_eq!(freed, Freed { pages, tables });
        self.check();
        freed
    }

    fn check(&self) {
        self.machine.check();
        assert_eq!(self.tables.tables(), self.tables.survey(|_| ()));
        assert!(self.machine.allocated(FrameKind::Table) >= self.tables.tables());
    }
}

impl Drop for Space<'_> {
    /// Unmaps everything, so that the root can go.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.unmap(range(0, Page::USER_END.number()), 0, Page::USER_END.number());
        }
    }
}

fn leaf(frame: Frame, protection: Protection) -> PteView {
    PteView::Leaf { frame, protection, size: PageSize::Small }
}
