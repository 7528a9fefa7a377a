//! Private memory that can be written is promised, and not all the memory in the world; what nobody may write, what is shared
//! and what is mapped without reserve can be larger.
#![no_std]
#![no_main]

use user::prelude::*;

program!(main);

/// 32 TiB: more than any machine of ours has, and less than the user half.
const PAGES: u64 = 1 << 33;

fn main() {
    let huge = |prot, flags| mmap(0, PAGES * PAGE, prot, Map::PRIVATE | flags);
    check_eq!(huge(Prot::READ_WRITE, Map::empty()), Err(Errno::ENOMEM));
    check_eq!(huge(Prot::WRITE, Map::STACK), Err(Errno::ENOMEM));
    let reserveless = huge(Prot::READ_WRITE, Map::NORESERVE).unwrap();
    write_byte(reserveless + PAGES / 2 * PAGE, 1);
    check_eq!(munmap(reserveless, PAGES * PAGE), Ok(0));
    let readable = huge(Prot::READ, Map::empty()).unwrap();
    check_eq!(mprotect(readable, PAGES * PAGE, Prot::READ_WRITE), Err(Errno::ENOMEM));
    check_eq!(mprotect(readable, PAGE, Prot::READ_WRITE), Ok(0));
    check_eq!(munmap(readable, PAGES * PAGE), Ok(0));
    let small = map(1);
    check_eq!(mremap(small, PAGE, PAGES * PAGE, MREMAP_MAYMOVE, 0), Err(Errno::ENOMEM));
}
