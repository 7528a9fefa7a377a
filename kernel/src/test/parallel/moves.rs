//! Loads and stores while their pages are moved, and while the address space is copied.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::mman::{MREMAP_FIXED, MREMAP_MAYMOVE};
use mm::pgtable::walk;
use mm::space::AddressSpace;
use mm::vma::Access;
use mm::{PAGE_SIZE, Page};

use super::shared::{Shared, load, store};
use super::{kernel_test, on_all, set, wait_for};
use crate::arch::{direct_map, smp};
use crate::memory::{KERNEL, Kernel};
use crate::test::figure;

/// The first word of `page` in an address space that no CPU has loaded.
fn look(space: &AddressSpace<'static, Kernel>, page: u64) -> u64 {
    assert!(space.fault(page * PAGE_SIZE, Access::Read).is_resolved());
    let pte = walk(&KERNEL, space.root(), Page::new(page));
    assert!(pte.is_leaf(), "page {page:#x} is not there");
    direct_map::table(pte.frame_of(Page::new(page)).address().as_u64()).get(0).bits()
}

kernel_test! {
    fn pages_that_are_moved_are_in_one_of_two_places_with_what_they_had() {
        const MOVES: u64 = 200;
        const PAGES: u64 = 5;
        // In different tables, and next to pages that stay.
        const PLACES: [u64; 2] = [3, 600];
        let stamp = |index: u64| 0x5eed << 32 | index;
        Shared::with(|shared| {
            shared.map(PLACES[0], PAGES);
            let moves = AtomicU64::new(0);
            let found = AtomicU64::new(0);
            on_all(|place| shared.loaded(|| {
                if place == 0 {
                    (0..PAGES).for_each(|index| store(PLACES[0] + index, 0, stamp(index)).expect("mapped"));
                    for round in 0..MOVES {
                        let [from, to] = [round % 2, 1 - round % 2].map(|side| shared.address(PLACES[side as usize]));
                        let length = PAGES * PAGE_SIZE;
                        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
                        assert_eq!(shared.space.mremap(from, length, length, flags, to), Ok(to));
                        moves.store(round + 1, Ordering::Release);
                    }
                    for index in 0..PAGES {
                        assert_eq!(load(PLACES[0] + index, 0), Ok(stamp(index)));
                    }
                    return;
                }
                while moves.load(Ordering::Acquire) < MOVES {
                    for (place, index) in PLACES.into_iter().flat_map(|place| (0..PAGES).map(move |index| (place, index))) {
                        // Before the first store it is zero.
                        if let Ok(value) = load(place + index, 0) && value != 0 {
                            assert_eq!(value, stamp(index));
                            found.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            }));
            figure(format_args!("{} CPUs: {} loads found a page", smp::count(), found.into_inner()));
            shared.space.check().expect("a sound address space");
        });
    }

    fn a_copy_of_the_address_space_is_of_one_moment_whoever_stores_meanwhile() {
        const COPIES: u64 = 60;
        // Of each CPU: the first is written before the second, so at one moment they are equal, or the first is one ahead.
        const FIRST: u64 = 0;
        const SECOND: u64 = 7;
        let page = |place: u32, which: u64| u64::from(place) * 16 + which;
        Shared::with(|shared| {
            (0..smp::count()).for_each(|place| {
                shared.map(page(place, FIRST), 1);
                shared.map(page(place, SECOND), 1);
            });
            let writing = AtomicU64::new(0);
            let copies = AtomicU64::new(0);
            on_all(|place| shared.loaded(|| {
                if place != 0 {
                    let mut value = 0;
                    while copies.load(Ordering::Acquire) < COPIES {
                        value += 1;
                        store(page(place, FIRST), 0, value).expect("mapped");
                        store(page(place, SECOND), 0, value).expect("mapped");
                        if value == 1 {
                            writing.fetch_add(1, Ordering::Release);
                        }
                    }
                    return;
                }
                wait_for(&writing, u64::from(smp::count() - 1));
                for copy in 1..=COPIES {
                    let child = shared.space.fork().expect("memory");
                    let see = || (1..smp::count()).map(|place| {
                        [FIRST, SECOND].map(|which| look(&child, shared.address(page(place, which)) / PAGE_SIZE))
                    });
                    for [first, second] in see() {
                        assert!(first == second || first == second + 1, "{first}, and {second}");
                    }
                    let sums = [0, 1].map(|_| see().flatten().sum::<u64>());
                    assert_eq!(sums[0], sums[1], "a store of the parent's is seen");
                    child.check().expect("a sound copy");
                    set(&copies, copy);
                }
            }));
            shared.space.check().expect("a sound address space");
        });
    }
}
