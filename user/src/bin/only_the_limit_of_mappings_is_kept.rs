//! At the limit of `/proc/sys/vm/max_map_count` a hole and a split are refused, above it a new mapping and more heap.
//! Only on our kernel: on Linux everybody would have the new limit.
#![no_std]
#![no_main]

use user::limit::under;
use user::prelude::*;
use user::sys::brk;

program!(main);

fn main() {
    let base = reserve(12);
    map_at(base, 8, Prot::READ_WRITE);
    let at = |page: u64| base + page * PAGE;
    let count = || Maps::read().all().len() as u64;
    let mapped = |pages: &[(u64, u64, &str)]| Maps::read().matches(base, at(12), pages);
    let vmas = count();

    // E4: one VMA becomes two, which is one more.
    check_eq!(under(vmas - 1, || munmap(at(3), 2 * PAGE)), Err(Errno::ENOMEM));
    check_eq!(under(vmas, || munmap(at(3), 2 * PAGE)), Err(Errno::ENOMEM));
    check!(mapped(&[(0, 8, "rw-p")]));
    // Both ends may go whatever the limit.
    check_eq!(under(0, || (munmap(at(0), PAGE), munmap(at(7), PAGE))), (Ok(0), Ok(0)));
    check!(mapped(&[(1, 7, "rw-p")]));
    check_eq!(under(vmas + 1, || munmap(at(3), 2 * PAGE)), Ok(0));
    check!(mapped(&[(1, 3, "rw-p"), (5, 7, "rw-p")]));

    // M3: refused only when there are more than the limit.
    let vmas = count();
    let map_one = |page: u64| mmap(at(page), PAGE, Prot::READ, Map::PRIVATE | Map::FIXED_NOREPLACE);
    check_eq!(under(vmas - 1, || map_one(9)), Err(Errno::ENOMEM));
    check_eq!(under(vmas, || (map_one(9), map_one(11))), (Ok(at(9)), Err(Errno::ENOMEM)));
    check_eq!(count(), vmas + 1);
    check_eq!(munmap(at(9), PAGE), Ok(0));
    let heap = brk(0);
    check_eq!(under(vmas - 1, || brk(heap + PAGE)), heap);
    check_eq!(under(vmas, || brk(heap + PAGE)), heap + PAGE);
    check_eq!(under(0, || brk(heap)), heap);

    // A change in the middle wants two VMAs more, and keeps the first split when the second is refused.
    check_eq!(munmap(at(0), 12 * PAGE), Ok(0));
    map_at(base, 8, Prot::READ_WRITE);
    let vmas = count();
    check_eq!(under(vmas, || mprotect(at(3), 2 * PAGE, Prot::READ)), Err(Errno::ENOMEM));
    check!(mapped(&[(0, 8, "rw-p")]));
    check_eq!(under(vmas + 1, || mprotect(at(3), 2 * PAGE, Prot::READ)), Err(Errno::ENOMEM));
    check!(mapped(&[(0, 3, "rw-p"), (3, 8, "rw-p")]));
    check_eq!(under(vmas + 2, || mprotect(at(3), 2 * PAGE, Prot::READ)), Ok(0));
    check!(mapped(&[(0, 3, "rw-p"), (3, 5, "r--p"), (5, 8, "rw-p")]));
}
