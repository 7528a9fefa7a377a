//! Megabytes move between places at borders of 2 MiB and beside them, to and fro, with the contents of every page.
#![no_std]
#![no_main]

use user::pages::{check_moved_stamps, check_zero, stamp};
use user::prelude::*;

program!(main);

const SPAN: u64 = 512;

fn main() {
    let pages = 3 * SPAN + 7;
    let base = reserve(12 * SPAN).next_multiple_of(SPAN * PAGE);
    let far = base + 5 * SPAN * PAGE;
    let fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    for (from, to) in
        [(base, far), (base + 5 * PAGE, far + 5 * PAGE), (base, far + PAGE), (base + 511 * PAGE, far - PAGE)]
    {
        map_at(from, pages, Prot::READ_WRITE);
        stamp(from, pages);
        check_eq!(mremap(from, pages * PAGE, pages * PAGE, fixed, to), Ok(to));
        check_eq!(Maps::read().within(from, from + pages * PAGE).len(), 0);
        check_moved_stamps(from, to, pages);
        check_eq!(mremap(to, pages * PAGE, pages * PAGE, fixed | MREMAP_DONTUNMAP, from), Ok(from));
        check_zero(to, pages);
        check_moved_stamps(from, from, pages);
        check_eq!(munmap(base, 10 * SPAN * PAGE), Ok(0));
    }
}
