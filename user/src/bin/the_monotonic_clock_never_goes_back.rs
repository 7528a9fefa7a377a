//! Time passes forwards, in seconds and less than a second; clocks that do not exist are refused.
#![no_std]
#![no_main]

use abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME};
use user::prelude::*;
use user::sys::clock_gettime;

program!(main);

fn main() {
    for clock in [CLOCK_MONOTONIC, CLOCK_REALTIME] {
        let time = clock_gettime(clock).unwrap();
        check!(time.seconds >= 0 && (0..1_000_000_000).contains(&time.nanoseconds), "{:?}", time);
    }
    let first = clock_gettime(CLOCK_MONOTONIC).unwrap();
    let mut last = first;
    for _ in 0..10_000 {
        let now = clock_gettime(CLOCK_MONOTONIC).unwrap();
        check!(now >= last, "{:?} after {:?}", now, last);
        last = now;
    }
    check!(last > first);
    check_eq!(clock_gettime(1000), Err(Errno::EINVAL));
    check_eq!(clock_gettime(12), Err(Errno::EINVAL));
}
