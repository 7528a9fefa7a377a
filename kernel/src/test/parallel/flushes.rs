//! TLB shootdown: who is asked, who forgets, and that nobody waits for ever.

use core::sync::atomic::{AtomicU64, Ordering};

use abi::mman::Prot;

use super::shared::{Shared, load, store};
use super::{Meeting, kernel_test, on_all, set, wait_for, wake_others};
use crate::arch::user::Fault;
use crate::arch::{cpu_number, smp, tlb};

/// By CPU number: requests answered so far.
fn answered() -> [u64; 16] {
    core::array::from_fn(|cpu| tlb::answered(cpu as u32))
}

kernel_test! {
    fn a_flush_asks_exactly_the_cpus_that_have_the_address_space() {
        Shared::with(|shared| {
            shared.map(0, 8);
            let (loaded, flushed) = (Meeting::new(), Meeting::new());
            on_all(|place| match place {
                // Unmaps without having the address space.
                0 => {
                    loaded.wait_for_all();
                    let cpus = shared.space.tlb().cpus();
                    assert_eq!(cpus.count_ones(), smp::count() / 2);
                    let (before, flushes) = (answered(), shared.space.tlb().generation());
                    shared.unmap(0, 4);
                    shared.protect(4, 4, Prot::READ).expect("mapped");
                    let flushes = shared.space.tlb().generation() - flushes;
                    for (cpu, (before, after)) in before.into_iter().zip(answered()).enumerate() {
                        let expected = if cpus & 1 << cpu != 0 { flushes } else { 0 };
                        assert_eq!(after - before, expected, "CPU {cpu}, {flushes} flushes");
                    }
                    flushed.wait_for_all();
                }
                // Has it.
                _ if place % 2 == 1 => shared.loaded(|| {
                    (0..8).for_each(|page| store(page, 0, page).expect("mapped"));
                    loaded.wait_for_all();
                    flushed.wait_for_all();
                    assert!((0..4).all(|page| load(page, 0) == Err(Fault)));
                    assert!((4..8).all(|page| store(page, 0, 0) == Err(Fault) && load(page, 0) == Ok(page)));
                }),
                // Had it.
                _ => {
                    shared.loaded(|| (0..8).for_each(|page| _ = load(page, 0)));
                    loaded.wait_for_all();
                    flushed.wait_for_all();
                }
            });
        });
    }

    fn a_cpu_that_loads_late_finds_what_was_flushed_before() {
        const ROUNDS: u64 = 60;
        Shared::with(|shared| {
            // Rounds that the first CPU has prepared for the others, who load anew each time.
            let turn = AtomicU64::new(0);
            let looked = [const { AtomicU64::new(0) }; ROUNDS as usize];
            on_all(|place| {
                for round in 0..ROUNDS {
                    if place == 0 {
                        shared.map(0, 2);
                        shared.loaded(|| (0..2).for_each(|page| store(page, 1, round).expect("mapped")));
                        shared.unmap(1, 1);
                        set(&turn, round + 1);
                        wait_for(&looked[round as usize], u64::from(smp::count()) - 1);
                    } else {
                        wait_for(&turn, round + 1);
                        shared.loaded(|| assert_eq!((load(0, 1), load(1, 1)), (Ok(round), Err(Fault))));
                        looked[round as usize].fetch_add(1, Ordering::AcqRel);
                        wake_others();
                    }
                }
            });
        });
    }

    fn rights_that_go_from_cpu_to_cpu_are_lost_in_time() {
        const TURNS: u64 = 400;
        Shared::with(|shared| {
            shared.map(0, 1);
            let turn = AtomicU64::new(0);
            on_all(|place| shared.loaded(|| {
                for own in (u64::from(place)..TURNS).step_by(smp::count() as usize) {
                    wait_for(&turn, own);
                    if own % 2 == 0 {
                        store(0, 0, own).expect("writable");
                        shared.protect(0, 1, Prot::READ).expect("mapped");
                    } else {
                        assert_eq!((load(0, 0), store(0, 0, 1)), (Ok(own - 1), Err(Fault)));
                        shared.protect(0, 1, Prot::READ_WRITE).expect("mapped");
                    }
                    set(&turn, own + 1);
                }
                // So that translations stay for others to flush, until all are done.
                wait_for(&turn, TURNS);
            }));
        });
    }

    fn cpus_that_flush_each_other_all_get_on() {
        const ROUNDS: u64 = 200;
        Shared::with(|shared| {
            let before = answered();
            let (begin, end) = (Meeting::new(), Meeting::new());
            on_all(|place| shared.loaded(|| {
                let first = 16 * u64::from(place);
                    begin.wait_for_all();
                for round in 0..ROUNDS {
                    let value = u64::from(cpu_number()) << 32 | round;
                    shared.map(first, 3);
                    (first..first + 3).for_each(|page| store(page, 0, value).expect("mapped"));
                    assert!((first..first + 3).all(|page| load(page, 0) == Ok(value)));
                    shared.unmap(first, 3);
                    assert!((first..first + 3).all(|page| load(page, 0) == Err(Fault)));
                }
                end.wait_for_all();
            }));
            let asked: u64 = answered().into_iter().sum::<u64>() - before.into_iter().sum::<u64>();
            let others = u64::from(smp::count()) - 1;
            assert_eq!(asked, shared.space.tlb().generation() * others);
        });
    }
}
