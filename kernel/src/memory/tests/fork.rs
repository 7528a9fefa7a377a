//! fork on the real machine: copy-on-write, seen through the direct map.

use abi::mman::Prot;
use mm::frame::{Frame, FrameKind};
use mm::pgtable::{Pte, walk};
use mm::space::{AddressSpace, Config, MmapRequest, Sharing, Source};
use mm::vma::Access;
use mm::{PAGE_SIZE, Page, PageRange, Platform};

use crate::memory::{KERNEL, Kernel, frames};
use crate::test::kernel_test;

/// Where the tests map, in pages.
const PRIVATE: u64 = 0x1_0000;
const SHARED: u64 = 0x2_0000;

type Space = AddressSpace<'static, Kernel>;

/// The frame that `page` of `space`, which no CPU has loaded, is mapped to.
fn frame_of(space: &Space, page: u64) -> Option<Frame> {
    let pte = walk(&KERNEL, space.root(), Page::new(page));
    pte.is_leaf().then(|| pte.frame_of(Page::new(page)))
}

/// Stores to the first word of `page`, with the fault that a program would have had before.
fn store(space: &Space, page: u64, word: u64) {
    assert!(space.fault(page * PAGE_SIZE, Access::Write).is_resolved());
    let frame = frame_of(space, page).expect("a page");
    KERNEL.table(frame).set(0, Pte::from_bits(word));
}

/// Loads the first word of `page`.
fn load(space: &Space, page: u64) -> u64 {
    assert!(space.fault(page * PAGE_SIZE, Access::Read).is_resolved());
    KERNEL.table(frame_of(space, page).expect("a page")).get(0).bits()
}

kernel_test! {
    fn forked_address_space_copies_a_page_when_one_of_both_writes() {
        let before = frames().statistics();
        let parent = AddressSpace::new(&KERNEL, Config::default()).expect("an address space");
        let map = |first: u64, sharing| {
            let range = PageRange::from_start(Page::new(first), 2).expect("two pages");
            let request = MmapRequest::fixed(range, Prot::READ_WRITE, Source::Anonymous);
            parent.mmap(MmapRequest { sharing: Some(sharing), ..request }).expect("a mapping");
        };
        map(PRIVATE, Sharing::Private);
        map(SHARED, Sharing::Shared);
        store(&parent, PRIVATE, 1);
        store(&parent, PRIVATE + 1, 2);
        store(&parent, SHARED, 3);
        let child = parent.fork().expect("a child");
        let frame = frame_of(&parent, PRIVATE);
        assert!(frame.is_some() && frame_of(&child, PRIVATE) == frame);
        store(&child, PRIVATE, 10);
        store(&child, SHARED, 30);
        store(&child, SHARED + 1, 40);
        assert_ne!(frame_of(&child, PRIVATE), frame);
        assert_eq!([PRIVATE, PRIVATE + 1].map(|page| load(&parent, page)), [1, 2]);
        assert_eq!([PRIVATE, PRIVATE + 1].map(|page| load(&child, page)), [10, 2]);
        assert_eq!([SHARED, SHARED + 1].map(|page| load(&parent, page)), [30, 40]);
        store(&parent, PRIVATE, 11);
        assert_eq!((frame_of(&parent, PRIVATE), load(&child, PRIVATE)), (frame, 10));
        assert!(parent.check().is_ok() && child.check().is_ok());
        drop(parent);
        assert_eq!([PRIVATE + 1, SHARED].map(|page| load(&child, page)), [2, 30]);
        drop(child);
        let after = frames().statistics();
        for kind in [FrameKind::Anonymous, FrameKind::Huge, FrameKind::Shared, FrameKind::Object, FrameKind::Table] {
            assert_eq!(after.allocated(kind), before.allocated(kind), "{kind:?}");
        }
    }
}
