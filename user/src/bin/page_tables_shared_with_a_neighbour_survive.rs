//! Tables are freed only between the neighbours: pages just outside the range, in the same table (2 MiB) and in
//! the same directory (1 GiB), keep their contents (I22).
#![no_std]
#![no_main]

use user::pages::{check_stamps, stamp};
use user::prelude::*;

program!(main);

const TABLE: u64 = 2 << 20;
const DIRECTORY: u64 = 1 << 30;

fn main() {
    // Three gigabytes of address space, of which a few pages are used.
    let space = mmap(0, 3 * DIRECTORY, Prot::READ_WRITE, Map::PRIVATE | Map::NORESERVE).unwrap();
    let edge = space.next_multiple_of(DIRECTORY) + DIRECTORY;

    // Up to an edge of directories, from within the table below to within the table above.
    for (from, to) in [(edge - 3 * PAGE, edge + 3 * PAGE), (edge - 2 * TABLE, edge + 2 * TABLE + PAGE)] {
        stamp(from - PAGE, 2);
        stamp(edge - PAGE, 2);
        stamp(to - PAGE, 2);

        check_eq!(munmap(from, to - from), Ok(0));

        check_stamps(from - PAGE, 1);
        check_stamps(to, 1);
        map_at(from, (to - from) / PAGE, Prot::READ_WRITE);
    }
    check_eq!(munmap(space, 3 * DIRECTORY), Ok(0));
}
