//! A user half made by hand, for tests.

use mm::frame::{Frame, FrameKind};
use mm::pgtable::{Installed, PageTables, Protection};
use mm::tlb::{Gather, TlbState};
use mm::{Page, PageRange, Platform};

use crate::arch::direct_map;
use crate::memory::{KERNEL, Kernel};

/// Where tests map their pages.
pub(super) const BASE: u64 = 0x40_0000;

/// An address space without VMAs, loaded as long as it lives.
pub(super) struct TestSpace {
    pub(super) tables: PageTables<'static, Kernel>,
    pub(super) tlb: TlbState,
}

impl TestSpace {
    pub(super) fn new() -> Self {
        let space =
            TestSpace { tables: PageTables::new(&KERNEL).expect("a root table"), tlb: TlbState::new() };
        KERNEL.load(space.tables.root(), &space.tlb);
        space
    }

    /// A new frame that begins with `content`.
    pub(super) fn frame(content: &[u8]) -> Frame {
        let frame = KERNEL.frames().alloc_frame(FrameKind::Anonymous).expect("a frame");
        KERNEL.zero(frame);
        // SAFETY: a new frame, and the content fits (the slice is checked below).
        let page = unsafe { &mut *direct_map::address(frame.address().as_u64()).cast::<[u8; 4096]>() };
        page[..content.len()].copy_from_slice(content);
        frame
    }

    /// Maps the page at `address` to a new frame that begins with `content`.
    pub(super) fn map(&self, address: u64, protection: Protection, content: &[u8]) -> Frame {
        let frame = TestSpace::frame(content);
        let installed = self.tables.install(Page::containing(address), frame, protection);
        assert_eq!(installed, Ok(Installed::New));
        frame
    }
}

impl Drop for TestSpace {
    fn drop(&mut self) {
        let all = PageRange::new(Page::ZERO, Page::USER_END).expect("not empty");
        let mut gather = Gather::new(&KERNEL, &self.tlb);
        self.tables.zap(all, &mut gather);
        self.tables.free(all, Page::ZERO, Page::USER_END, &mut gather);
        gather.finish();
        KERNEL.leave(&self.tlb);
    }
}
