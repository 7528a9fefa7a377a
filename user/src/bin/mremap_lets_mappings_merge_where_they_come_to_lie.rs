//! Memory that was never written merges where it moves; what was written merges at its old place only.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

fn main() {
    let base = reserve(12);
    let is = |expected: &[(u64, u64, &str)]| Maps::read().matches(base, base + 12 * PAGE, expected);
    let fixed = |from: u64, pages: u64, to: u64| {
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        let to = base + to * PAGE;
        check_eq!(mremap(base + from * PAGE, pages * PAGE, pages * PAGE, flags, to), Ok(to));
    };
    map_at(base, 4, Prot::READ_WRITE);
    map_at(base + 8 * PAGE, 2, Prot::READ_WRITE);
    fixed(0, 2, 10);
    check!(is(&[(2, 4, "rw-p"), (8, 12, "rw-p")]));
    fixed(2, 1, 4);
    check!(is(&[(3, 5, "rw-p"), (8, 12, "rw-p")]));

    write_byte(base + 9 * PAGE, 7);
    write_byte(base + 3 * PAGE, 8);
    fixed(9, 1, 5);
    check!(is(&[(3, 5, "rw-p"), (5, 6, "rw-p"), (8, 9, "rw-p"), (10, 12, "rw-p")]));
    fixed(5, 1, 9);
    check!(is(&[(3, 5, "rw-p"), (8, 12, "rw-p")]));
    check_eq!(read_byte(base + 9 * PAGE), 7);
    check_eq!(read_byte(base + 3 * PAGE), 8);
}
