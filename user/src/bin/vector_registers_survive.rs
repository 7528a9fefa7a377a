//! Vector registers keep their values across system calls, page faults, copies of pages, fork and handlers, and hold nothing at the
//! start.
#![no_std]
#![no_main]

use core::ops::Range;

use abi::Signal;
use user::pages::map_at;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::random::Random;
use user::rt::cpu::{Vectors, set_vectors, vector_words, vectors};
use user::signals::{Context, Info, handle};
use user::sys::{clock_gettime, getpid};

program!(main);

const PAGES: Range<u64> = 0..64;

/// Registers with random content.
fn random_vectors(random: &mut Random) -> Vectors {
    let mut vectors: Vectors = [[0; 4]; 16];
    for vector in &mut vectors {
        vector[..vector_words()].fill_with(|| random.below(u64::MAX));
    }
    vectors
}

/// Writes each page while the registers have another content.
fn write_pages(base: u64, random: &mut Random) {
    for page in PAGES {
        let values = random_vectors(random);
        set_vectors(&values);
        write_byte(base + page * PAGE, 2);
        check_eq!(vectors(), values);
    }
}

/// Puts memory where it is missing, and uses the registers and more memory on the way.
extern "C" fn mend(_: u64, info: Info, _: Context) {
    map_at(info.address() & !(PAGE - 1), 1, Prot::READ_WRITE);
    let base = map(PAGES.end);
    write_pages(base, &mut Random::new(3));
    check_eq!(munmap(base, PAGES.end * PAGE), Ok(0));
}

fn main() {
    check_eq!(vectors(), [[0; 4]; 16]);

    let mut random = Random::new(1);
    let base = map(PAGES.end);
    for page in PAGES {
        let values = random_vectors(&mut random);
        set_vectors(&values);
        write_byte(base + page * PAGE, 1);
        check_eq!(vectors(), values);
        check!(getpid().is_ok() && clock_gettime(1).is_ok());
        check_eq!(munmap(base + page * PAGE, PAGE), Ok(0));
        check_eq!(vectors(), values);
    }

    // Reads that find zeroes, and writes over them, and over what a child shares.
    let base = map(PAGES.end);
    let values = random_vectors(&mut random);
    set_vectors(&values);
    check!(PAGES.into_iter().all(|page| read_byte(base + page * PAGE) == 0));
    check_eq!(vectors(), values);
    write_pages(base, &mut random);
    set_vectors(&values);
    let child = fork(|| {
        check_eq!(vectors(), values);
        write_pages(base, &mut Random::new(2));
        0
    });
    check_eq!(vectors(), values);
    write_pages(base, &mut random);
    check_eq!(wait(child), exited(0));

    handle(Signal::SIGSEGV, mend, 0);
    check_eq!(munmap(base, PAGE), Ok(0));
    set_vectors(&values);
    check_eq!(read_byte(base), 0);
    check_eq!(vectors(), values);
}
