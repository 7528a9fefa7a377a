//! A guard keeps its page away from every access, takes no mapping of its own, and goes only when it is told to, or with
//! the mapping.
#![no_std]
#![no_main]

use abi::mman::{
    MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
};
use user::pages::{check_zero, needs_guards, stamp};
use user::prelude::*;
use user::probe::Probe;
use user::processes::{exited, fork, wait};
use user::sys::madvise;

program!(main);

fn main() {
    needs_guards();
    let base = reserve(24);
    let probe = Probe::new();
    let guarded = |first: u64, end: u64| {
        (first..end).all(|page| {
            let at = base + page * PAGE;
            probe.read(at).is_none() && !probe.write(at, 1)
        })
    };
    map_at(base, 12, Prot::READ_WRITE);
    stamp(base, 12);
    check_eq!(madvise(base + 3 * PAGE, 6 * PAGE, MADV_GUARD_INSTALL), Ok(0));
    check!(Maps::read().matches(base, base + 12 * PAGE, &[(0, 12, "rw-p")]));
    check!(guarded(3, 9) && !guarded(2, 3) && !guarded(9, 10));

    // What empties memory and what changes its rights leaves them.
    check_eq!(madvise(base, 12 * PAGE, MADV_DONTNEED), Ok(0));
    check_eq!(mprotect(base + 4 * PAGE, 2 * PAGE, Prot::READ), Ok(0));
    check_eq!(mprotect(base + 4 * PAGE, 2 * PAGE, Prot::READ_WRITE), Ok(0));
    check!(guarded(3, 9));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_READ), Err(Errno::EFAULT));
    check_eq!(madvise(base, 12 * PAGE, MADV_POPULATE_WRITE), Err(Errno::EFAULT));

    // A child has them too, and each its own.
    let child = fork(|| {
        check!(guarded(3, 9));
        check_eq!(madvise(base, 12 * PAGE, MADV_GUARD_REMOVE), Ok(0));
        check_zero(base + 3 * PAGE, 6);
        0
    });
    check_eq!(wait(child), exited(0));
    check!(guarded(3, 9));

    // They move with their memory.
    let moved = base + 12 * PAGE;
    check_eq!(mremap(base, 12 * PAGE, 12 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved), Ok(moved));
    check!(guarded(15, 21) && !guarded(14, 15) && !guarded(21, 22));

    check_eq!(madvise(moved, 4 * PAGE, MADV_GUARD_REMOVE), Ok(0));
    check_zero(moved, 4);
    check!(guarded(16, 21));
    map_at(moved + 4 * PAGE, 1, Prot::READ_WRITE);
    check_zero(moved + 4 * PAGE, 1);
    check_eq!(munmap(moved + 5 * PAGE, PAGE), Ok(0));
    map_at(moved + 5 * PAGE, 1, Prot::READ_WRITE);
    check_zero(moved + 5 * PAGE, 1);
    check!(guarded(18, 21));

    let locked = mmap(0, PAGE, Prot::READ_WRITE, Map::PRIVATE | Map::LOCKED).unwrap();
    check_eq!(madvise(locked, PAGE, MADV_GUARD_INSTALL), Err(Errno::EINVAL));
    check_eq!(madvise(locked, PAGE, MADV_GUARD_REMOVE), Ok(0));
    probe.close();
}
