//! Vector registers keep their values across system calls and page faults, and hold nothing at the start.
#![no_std]
#![no_main]

use user::prelude::*;
use user::random::Random;
use user::rt::cpu::{set_vectors, vectors};
use user::sys::{clock_gettime, getpid};

program!(main);

fn main() {
    check_eq!(vectors(), [[0; 2]; 16]);

    let mut random = Random::new(1);
    let base = map(64);
    for page in 0..64 {
        let values = core::array::from_fn(|_| [random.below(u64::MAX), random.below(u64::MAX)]);
        set_vectors(&values);
        write_byte(base + page * PAGE, 1);
        check_eq!(vectors(), values);
        check!(getpid().is_ok() && clock_gettime(1).is_ok());
        check_eq!(munmap(base + page * PAGE, PAGE), Ok(0));
        check_eq!(vectors(), values);
    }
}
