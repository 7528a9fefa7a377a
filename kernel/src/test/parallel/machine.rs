//! The CPUs themselves.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{kernel_test, on_all};
use crate::arch::{self, cpu_number, heap, interrupts, parallel, smp};
use crate::memory::KernelStack;
use crate::time;

kernel_test! {
    fn every_cpu_does_what_it_is_asked_for_once() {
        let counts = [const { AtomicU32::new(0) }; u64::BITS as usize];
        for round in 1..=30 {
            on_all(|_| _ = counts[cpu_number() as usize].fetch_add(1, Ordering::Relaxed));
            for (number, count) in (0..).zip(&counts) {
                let expected = if smp::working() & 1 << number != 0 { round } else { 0 };
                assert_eq!(count.load(Ordering::Relaxed), expected, "CPU {number}");
            }
        }
    }

    fn one_cpu_is_asked_and_no_other() {
        for number in smp::numbers(smp::working()) {
            let answered = AtomicU64::new(0);
            parallel::on(1 << number, &|own| {
                assert_eq!(own, cpu_number());
                answered.fetch_or(1 << own, Ordering::Relaxed);
            });
            assert_eq!(answered.into_inner(), 1 << number);
        }
    }

    fn every_cpu_is_set_up_as_the_first_one() {
        use x86_64::registers::control::{Cr0, Cr4};
        use x86_64::registers::model_specific::{Efer, LStar, SFMask};
        use x86_64::registers::xcontrol::XCr0;
        let state = || (Cr0::read_raw(), Cr4::read_raw(), Efer::read_raw() , LStar::read(), SFMask::read(), XCr0::read_raw());
        let first = state();
        on_all(|_| {
            assert_eq!(state(), first, "CPU {}", cpu_number());
            assert!(x86_64::instructions::interrupts::are_enabled());
        });
    }

    fn every_cpu_gets_timer_interrupts() {
        // Each ends a halt.
        on_all(|_| (0..3).for_each(|_| interrupts::wait()));
    }

    fn time_on_no_cpu_is_behind_another() {
        let latest = AtomicU64::new(0);
        on_all(|_| {
            for _ in 0..5_000 {
                let seen = latest.load(Ordering::SeqCst);
                let now = time::now();
                assert!(now >= seen, "{now} on CPU {}, and {seen} on another before", cpu_number());
                latest.fetch_max(now, Ordering::SeqCst);
            }
        });
    }

    fn events_of_all_cpus_are_counted() {
        let event = mm::event::Event::VmaLockWait;
        let before = arch::counted(event);
        on_all(|_| (0..10_000).for_each(|_| arch::count(event)));
        assert_eq!(arch::counted(event) - before, 10_000 * u64::from(smp::count()));
    }

    fn the_heap_grows_on_all_cpus_at_once() {
        let (before, _) = heap::usage();
        on_all(|place| {
            for round in 0..20 {
                let blocks: Vec<Box<[u64]>> = (0..8)
                    .map(|index| alloc::vec![u64::from(place) << 32 | round << 8 | index; 2_000 + 700 * index as usize].into())
                    .collect();
                for (index, block) in (0..).zip(&blocks) {
                    assert!(block.iter().all(|&word| word == u64::from(place) << 32 | round << 8 | index));
                }
            }
        });
        assert_eq!(heap::usage().0, before);
    }

    fn stacks_come_and_go_on_all_cpus_at_once() {
        on_all(|place| {
            for _ in 0..20 {
                let stack = KernelStack::new().expect("memory for a stack");
                // A translation that outlives an earlier stack in the same place shows here.
                let words = crate::arch::trial::words(&stack);
                words.iter().for_each(|word| word.store(u64::from(place), Ordering::Relaxed));
                assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == u64::from(place)));
            }
        });
    }
}
