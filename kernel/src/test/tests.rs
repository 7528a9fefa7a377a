//! The runner tests itself.

use super::{kernel_test, set_time_limit};
use crate::arch::{interrupts, trial};
use crate::time;

kernel_test! {
    panics("this panic is part of the test")
    fn panic_in_a_test_is_only_that_tests_failure() {
        panic!("this panic is part of the test");
    }

    panics("the test hangs")
    fn hang_in_a_test_is_only_that_tests_failure() {
        set_time_limit(2);
        loop {
            core::hint::spin_loop();
        }
    }

    fn test_runs_on_a_stack_that_can_be_abandoned() {
        assert!(trial::can_abandon());
        assert!(x86_64::instructions::interrupts::are_enabled());
    }

    fn timer_ticks_come() {
        let start = time::timer_ticks();
        while time::timer_ticks() < start + 3 {
            interrupts::wait();
        }
    }

    fn timer_ticks_come_at_the_rate_that_was_asked_for() {
        let (start, first) = (time::now(), time::timer_ticks());
        while time::timer_ticks() < first + 20 {
            interrupts::wait();
        }
        // The emulator delivers ticks late and catches up: only the order of magnitude is certain.
        let per_tick = (time::now() - start) / 20;
        let wanted = 1_000_000_000 / time::TICKS_PER_SECOND;
        assert!((wanted / 10..wanted * 10).contains(&per_tick), "{per_tick} ns per tick");
    }

    fn time_never_goes_back() {
        let mut last = time::now();
        for _ in 0..1000 {
            let now = time::now();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        assert!(last > 0);
    }

    fn time_wall_clock_is_in_this_century() {
        let seconds = time::wall_clock().as_secs();
        assert!((1_577_836_800..4_102_444_800).contains(&seconds), "{seconds} seconds since 1970");
    }
}
