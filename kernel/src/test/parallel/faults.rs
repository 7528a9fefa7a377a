//! Page faults while others change the same address space.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::mman::Prot;
use mm::event::Event;
use mm::vma::Access;
use mm::{PAGE_SIZE, Page};

use super::shared::{Shared, load, store};
use super::{Random, kernel_test, on_all};
use crate::arch::user::Fault;
use crate::arch::{counted, smp};
use crate::test::figure;

/// Pages of a CPU's own.
const OWN: u64 = 12;
/// From the pages of one CPU to those of the next: several share a page table.
const DISTANCE: u64 = 16;

/// What a CPU knows of one of its pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    Unmapped,
    Writable(u64),
    ReadOnly(u64),
}

/// One step of a CPU in its own pages, from `first` on; `stamp` is a value that nobody has used.
fn step(shared: &Shared, first: u64, model: &mut [Model; OWN as usize], random: &mut Random, stamp: u64) {
    let page = random.below(OWN);
    let pages = 1 + random.below(OWN - page);
    let range = page as usize..(page + pages) as usize;
    match random.below(8) {
        0 => {
            shared.map(first + page, pages);
            model[range].fill(Model::Writable(0));
        }
        1 => {
            shared.unmap(first + page, pages);
            model[range].fill(Model::Unmapped);
        }
        2 | 3 => {
            let writable = random.below(2) == 0;
            let prot = if writable { Prot::READ_WRITE } else { Prot::READ };
            // It stops at the first hole.
            let mapped = model[range.clone()].iter().take_while(|&&page| page != Model::Unmapped).count();
            assert_eq!(shared.protect(first + page, pages, prot).is_ok(), mapped == range.len());
            for page in &mut model[range][..mapped] {
                if let Model::Writable(value) | Model::ReadOnly(value) = *page {
                    *page = if writable { Model::Writable(value) } else { Model::ReadOnly(value) };
                }
            }
        }
        _ => {
            for index in range {
                let page = first + index as u64;
                let (loaded, stored) = (load(page, 0), store(page, 0, stamp));
                match &mut model[index] {
                    Model::Unmapped => assert_eq!((loaded, stored), (Err(Fault), Err(Fault))),
                    Model::ReadOnly(value) => assert_eq!((loaded, stored), (Ok(*value), Err(Fault))),
                    Model::Writable(value) => {
                        assert_eq!((loaded, stored), (Ok(*value), Ok(())));
                        *value = stamp;
                    }
                }
            }
        }
    }
}

kernel_test! {
    fn faults_and_changes_next_to_each_other_do_not_mix() {
        const STEPS: u64 = 600;
        Shared::with(|shared| {
            let success = counted(Event::VmaLockSuccess);
            on_all(|place| shared.loaded(|| {
                let mut random = Random::new(place);
                let mut model = [Model::Unmapped; OWN as usize];
                for round in 1..=STEPS {
                    let stamp = u64::from(place) << 48 | round;
                    step(shared, u64::from(place) * DISTANCE, &mut model, &mut random, stamp);
                }
            }));
            shared.space.check().expect("a sound address space");
            let faults = counted(Event::VmaLockSuccess) - success;
            figure(format_args!("{} CPUs: {faults} faults under the VMA lock alone", smp::count()));
            assert!(faults > 0);
        });
    }

    fn pages_that_are_replaced_are_never_absent_and_never_someone_elses() {
        const ROUNDS: u64 = 120;
        const PAGES: u64 = 8;
        let stamp = |page: u64, round: u64| 0xabcd << 48 | page << 32 | round;
        let is_own = |page: u64, value: u64| value == 0 || value >> 32 == stamp(page, 0) >> 32;
        Shared::with(|shared| {
            shared.map(0, PAGES);
            let rounds = AtomicU64::new(0);
            on_all(|place| shared.loaded(|| {
                let private = 64 + u64::from(place) * DISTANCE;
                if place == 0 {
                    for round in 1..=ROUNDS {
                        shared.map(0, PAGES);
                        (0..PAGES).for_each(|page| store(page, 1, stamp(page, round)).expect("never absent"));
                        rounds.store(round, Ordering::Release);
                    }
                    return;
                }
                // Takes the frames that the first CPU frees, and looks whether somebody still writes to them.
                while rounds.load(Ordering::Acquire) < ROUNDS {
                    shared.map(private, 4);
                    (private..private + 4).for_each(|page| store(page, 1, page).expect("mapped"));
                    for page in 0..PAGES {
                        let value = load(page, 1).expect("never absent");
                        assert!(is_own(page, value), "{value:#x} in page {page}");
                        store(page, 1, stamp(page, 0)).expect("never absent");
                    }
                    for page in private..private + 4 {
                        assert_eq!(load(page, 1), Ok(page), "somebody else's store");
                    }
                    shared.unmap(private, 4);
                }
            }));
        });
    }

    fn readers_without_locks_find_what_stays_while_writers_rebuild_the_tree() {
        const ROUNDS: u64 = 150;
        const VMAS: u64 = 40;
        Shared::with(|shared| {
            shared.map(0, 1);
            let address = shared.address(0);
            let writing = AtomicU64::new(0);
            let looked = AtomicU64::new(0);
            on_all(|place| {
                if place % 2 == 0 {
                    // VMAs with holes between them, which cannot become one: nodes are split, and joined again.
                    let first = 64 + u64::from(place) * 4 * VMAS;
                    for _ in 0..ROUNDS {
                        (0..VMAS).for_each(|index| shared.map(first + 2 * index, 1));
                        shared.unmap(first, 2 * VMAS);
                    }
                    writing.fetch_add(1, Ordering::Release);
                    return;
                }
                let writers = u64::from(smp::count().div_ceil(2));
                while writing.load(Ordering::Acquire) < writers {
                    assert!(shared.space.fault(address, Access::Read).is_resolved());
                    let [_, vma, _] = shared.space.vmas_around(Page::containing(address));
                    assert!(vma.is_some());
                    looked.fetch_add(1, Ordering::Relaxed);
                }
            });
            figure(format_args!("{} CPUs: {} looks", smp::count(), looked.into_inner()));
            shared.space.check().expect("a sound address space");
            assert!(!shared.space.fault(address + PAGE_SIZE, Access::Read).is_resolved());
        });
    }
}
