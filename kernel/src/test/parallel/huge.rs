//! Loads and stores in huge leaves while they come, are split and go.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::mman::{MADV_DONTNEED, MADV_HUGEPAGE, Prot};
use mm::frame::FrameKind;
use mm::pgtable::walk;
use mm::{PAGE_SIZE, Page, PageSize};

use super::shared::{Shared, load, store};
use super::{kernel_test, on_all};
use crate::arch::smp;
use crate::memory::{KERNEL, frames};
use crate::test::figure;

/// Pages that a huge leaf maps.
const HUGE: u64 = PageSize::Huge.pages();

/// Maps room for huge leaves from page 0 on, and advises them.
fn map_room(shared: &Shared, leaves: u64) {
    shared.map(0, leaves * HUGE);
    let length = leaves * HUGE * PAGE_SIZE;
    assert_eq!(shared.space.madvise(shared.address(0), length, MADV_HUGEPAGE), Ok(()));
}

kernel_test! {
    fn a_huge_leaf_maps_its_block_page_by_page() {
        Shared::with(|shared| shared.loaded(|| {
            map_room(shared, 1);
            let before = frames().statistics().allocated(FrameKind::Huge);
            store(9, 1, 0xface).expect("mapped");
            assert_eq!(frames().statistics().allocated(FrameKind::Huge) - before, HUGE);
            (0..HUGE).for_each(|page| store(page, 0, page).expect("mapped"));
            let frame = |page: u64| {
                let at = Page::containing(shared.address(page));
                walk(&KERNEL, shared.space.root(), at).frame_of(at)
            };
            // Seen through the direct map, each page lies where it should, before the split and after it.
            for step in 0..2 {
                for page in 0..HUGE {
                    assert_eq!(frame(page).number(), frame(0).number() + page as u32);
                    assert_eq!((load(page, 0), load(page, 1)), (Ok(page), Ok(if page == 9 { 0xface } else { 0 })));
                }
                if step == 0 {
                    assert_eq!(shared.protect(3, 1, Prot::READ), Ok(()));
                    assert_eq!(frames().statistics().allocated(FrameKind::Huge), before);
                }
            }
            assert!(store(3, 0, 1).is_err(), "a page that is read-only now");
        }));
    }

    fn what_other_cpus_store_in_a_huge_leaf_is_there_when_it_is_split() {
        const ROUNDS: u64 = 24;
        // In the huge leaf of this round, of each CPU but the first.
        let page = |round: u64, place: u32| round * HUGE + HUGE - u64::from(place);
        Shared::with(|shared| {
            map_room(shared, ROUNDS);
            let rounds = AtomicU64::new(0);
            let stores = AtomicU64::new(0);
            on_all(|place| shared.loaded(|| {
                if place != 0 {
                    let (mut last, mut value) = (0, 0);
                    loop {
                        let round = rounds.load(Ordering::Acquire);
                        if round == ROUNDS {
                            return;
                        }
                        value = if round == last { value } else { 0 };
                        last = round;
                        assert_eq!(load(page(round, place), 0), Ok(value), "a store is lost");
                        value += 1;
                        store(page(round, place), 0, value).expect("mapped");
                        stores.fetch_add(1, Ordering::Relaxed);
                    }
                }
                for round in 0..ROUNDS {
                    // The first pages are this CPU's.
                    let first = round * HUGE;
                    store(first + 1, 0, round + 1).expect("mapped");
                    // Now and then somebody else has the block, too.
                    let child = (round % 4 == 3).then(|| shared.space.fork().expect("memory"));
                    store(first + 1, 1, round + 1).expect("mapped");
                    assert_eq!(shared.space.madvise(shared.address(first), 2 * PAGE_SIZE, MADV_DONTNEED), Ok(()));
                    assert_eq!(load(first + 1, 0), Ok(0));
                    shared.unmap(first, 4);
                    assert!(load(first + 1, 0).is_err(), "nothing is mapped there");
                    drop(child);
                    rounds.store(round + 1, Ordering::Release);
                }
            }));
            figure(format_args!("{} CPUs: {} stores", smp::count(), stores.into_inner()));
            shared.space.check().expect("a sound address space");
        });
    }
}
