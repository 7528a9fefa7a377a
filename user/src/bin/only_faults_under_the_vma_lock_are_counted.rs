//! `/proc/vmstat` tells which lock page faults took. Only on our kernel: Linux counts that only if it was built to.
#![no_std]
#![no_main]

use user::prelude::*;
use user::probe::Probe;
use user::vmstat::values;

program!(main);

const PAGES: u64 = 50;

/// Faults, and those that succeeded under the VMA lock, needed the mmap lock as well, found no VMA to lock.
fn counters() -> [u64; 4] {
    values(["pgfault", "vma_lock_success", "vma_lock_retry", "vma_lock_abort"])
}

/// What the counters count while `action` runs.
fn during(action: impl FnOnce()) -> [u64; 4] {
    let before = counters();
    action();
    let after = counters();
    core::array::from_fn(|index| after[index] - before[index])
}

fn main() {
    let contended = values(["vma_lock_wait", "vma_lock_miss"]);
    let base = map(PAGES + 1);
    check_eq!(munmap(base + PAGES * PAGE, PAGE), Ok(0));
    let probe = Probe::new();
    // Whatever the stack and the probe need is there from now on, and all of the program.
    check_eq!(probe.read(base), Some(0));
    for vma in Maps::read().all().iter().filter(|vma| vma.name().starts_with(b"/")) {
        for address in (vma.start..vma.end).step_by(PAGE as usize) {
            read_byte(address);
        }
    }
    during(|| ());

    // The first write gives the memory its identity, for which the neighbours must stay as they are: the mmap lock, which nobody
    // has, is taken under the VMA lock.
    check_eq!(during(|| write_byte(base, 1)), [1, 1, 0, 0]);
    let writes = during(|| (1..PAGES).for_each(|page| write_byte(base + page * PAGE, 1)));
    check_eq!(writes, [PAGES - 1, PAGES - 1, 0, 0]);
    // The kernel may try more than once to read where nothing is.
    let [faults, others @ .., aborts] = during(|| check_eq!(probe.read(base + PAGES * PAGE), None));
    check!(faults > 0 && faults == aborts, "{} {}", faults, aborts);
    check_eq!(others, [0, 0]);

    // One thread makes nobody wait and meets nobody who unmaps.
    check_eq!(values(["vma_lock_wait", "vma_lock_miss"]), contended);
    probe.close();
}
