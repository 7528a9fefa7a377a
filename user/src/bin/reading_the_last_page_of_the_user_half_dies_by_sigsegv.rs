//! The page below the non-canonical hole stays unmapped: a return to its end would leave the user half.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

const LAST: u64 = 0x7fff_ffff_f000;

fn main() {
    check_eq!(mmap(LAST, PAGE, Prot::READ, Map::PRIVATE | Map::FIXED), Err(Errno::ENOMEM));

    fatal!(read_byte(LAST));
}
