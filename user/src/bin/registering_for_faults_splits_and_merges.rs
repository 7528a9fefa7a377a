//! To be registered is a property of a mapping: it splits mappings, keeps them apart, and goes with a move and a fork.
#![no_std]
#![no_main]

use abi::userfaultfd::*;
use user::prelude::*;
use user::processes::{exited, fork, wait};
use user::sys::close;
use user::userfaults::*;

program!(main);

const MISSING: u64 = UFFDIO_REGISTER_MODE_MISSING;
const WP: u64 = UFFDIO_REGISTER_MODE_WP;

fn main() {
    let fd = agreed(0, 0);
    let base = reserve(24);
    let page = |number: u64| base + number * PAGE;
    let matches = |expected: &[(u64, u64, &str)]| check!(Maps::read().matches(base, page(24), expected));
    map_at(base, 12, Prot::READ_WRITE);
    matches(&[(0, 12, "rw-p")]);
    check!(register(fd, page(4), 4, MISSING).is_ok());
    matches(&[(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 12, "rw-p")]);
    check_eq!([3, 4, 8].map(|number| registered(page(number))), [0, MISSING, 0]);
    // Once more, and for more.
    check!(register(fd, page(5), 1, MISSING).is_ok());
    matches(&[(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 12, "rw-p")]);
    check!(register(fd, page(6), 6, MISSING).is_ok());
    matches(&[(0, 4, "rw-p"), (4, 12, "rw-p")]);
    check!(register(fd, page(8), 2, MISSING | WP).is_ok());
    matches(&[(0, 4, "rw-p"), (4, 8, "rw-p"), (8, 10, "rw-p"), (10, 12, "rw-p")]);
    check_eq!(unregister(fd, page(0), 10), Ok(0));
    matches(&[(0, 10, "rw-p"), (10, 12, "rw-p")]);

    // A new mapping does not join; one of the same descriptor does.
    map_at(page(12), 2, Prot::READ_WRITE);
    matches(&[(0, 10, "rw-p"), (10, 12, "rw-p"), (12, 14, "rw-p")]);
    check!(register(fd, page(12), 2, MISSING).is_ok());
    matches(&[(0, 10, "rw-p"), (10, 14, "rw-p")]);
    let other = agreed(0, 0);
    map_at(page(14), 2, Prot::READ_WRITE);
    check!(register(other, page(14), 2, MISSING).is_ok());
    matches(&[(0, 10, "rw-p"), (10, 14, "rw-p"), (14, 16, "rw-p")]);

    // Other properties come and go, this one stays.
    check_eq!(mprotect(page(11), PAGE, Prot::READ), Ok(0));
    check_eq!([10, 11, 12].map(|number| registered(page(number))), [MISSING; 3]);
    check_eq!(mprotect(page(11), PAGE, Prot::READ_WRITE), Ok(0));
    matches(&[(0, 10, "rw-p"), (10, 14, "rw-p"), (14, 16, "rw-p")]);
    // It grows where it is, and stays what it is.
    check_eq!(mremap(page(14), 2 * PAGE, 4 * PAGE, 0, 0), Ok(page(14)));
    check_eq!(registered(page(17)), MISSING);
    // Elsewhere it is not.
    check_eq!(mremap(page(10), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page(20)), Ok(page(20)));
    check_eq!(registered(page(20)), 0);
    matches(&[(0, 10, "rw-p"), (12, 14, "rw-p"), (14, 18, "rw-p"), (20, 22, "rw-p")]);
    // Not together with another mapping.
    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    let together = mremap(page(12), 4 * PAGE, 4 * PAGE, fixed, page(18));
    check_eq!(together, Err(Errno::EFAULT));

    let child = fork(|| {
        check_eq!([12, 14].map(|number| registered(page(number))), [0; 2]);
        0
    });
    check_eq!(wait(child), exited(0));
    check_eq!([12, 14].map(|number| registered(page(number))), [MISSING; 2]);
    // What is mapped anew is not registered.
    map_at(page(13), 1, Prot::READ_WRITE);
    check_eq!(registered(page(13)), 0);
    check_eq!(close(fd), Ok(0));
    matches(&[(0, 10, "rw-p"), (12, 14, "rw-p"), (14, 18, "rw-p"), (20, 22, "rw-p")]);
    check_eq!(close(other), Ok(0));
    matches(&[(0, 10, "rw-p"), (12, 18, "rw-p"), (20, 22, "rw-p")]);
}
