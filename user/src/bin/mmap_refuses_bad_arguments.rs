//! Each bad argument has its errno, and nothing is mapped.
#![no_std]
#![no_main]

use user::prelude::*;
use user::sys::mmap_file;

program!(main);

const USER_END: u64 = 0x7fff_ffff_f000;

fn main() {
    let base = reserve(4);
    let fixed = Map::PRIVATE | Map::FIXED;
    let refused = |address, length, flags, errno| {
        check_eq!((address, length, mmap(address, length, Prot::READ, flags)), (address, length, Err(errno)));
    };

    refused(base, 0, fixed, Errno::EINVAL);
    refused(0, 0, Map::PRIVATE, Errno::EINVAL);
    // Neither shared nor private, and types that do not exist.
    refused(0, PAGE, Map::empty(), Errno::EINVAL);
    refused(0, PAGE, Map::from_bits_retain(4), Errno::EINVAL);
    refused(0, PAGE, Map::from_bits_retain(15), Errno::EINVAL);
    // Shared and private at once is the type SHARED_VALIDATE, which anonymous memory does not have.
    refused(0, PAGE, Map::SHARED | Map::PRIVATE, Errno::EINVAL);
    // Unaligned, beyond the end, across the end.
    refused(base + 1, PAGE, fixed, Errno::EINVAL);
    refused(base + 1, PAGE, Map::PRIVATE | Map::FIXED_NOREPLACE, Errno::EINVAL);
    refused(USER_END, PAGE, fixed, Errno::ENOMEM);
    refused(USER_END - PAGE, 2 * PAGE, fixed, Errno::ENOMEM);
    refused(0xffff_8000_0000_0000, PAGE, fixed, Errno::ENOMEM);
    refused(u64::MAX - PAGE + 1, PAGE, fixed, Errno::ENOMEM);
    // Longer than the address space, also when rounding up wraps.
    refused(0, USER_END + PAGE, Map::PRIVATE | Map::NORESERVE, Errno::ENOMEM);
    refused(0, u64::MAX, Map::PRIVATE | Map::NORESERVE, Errno::ENOMEM);
    refused(base, u64::MAX - PAGE, fixed | Map::NORESERVE, Errno::ENOMEM);
    // The offset is checked even where it means nothing.
    check_eq!(mmap_file(0, PAGE, Prot::READ, Map::PRIVATE | Map::ANONYMOUS, -1, 1), Err(Errno::EINVAL));
    check_eq!(
        mmap_file(0, PAGE, Prot::READ, Map::PRIVATE | Map::ANONYMOUS, -1, PAGE / 2),
        Err(Errno::EINVAL)
    );
    // Without MAP_ANONYMOUS there must be a file.
    check_eq!(mmap_file(0, PAGE, Prot::READ, Map::PRIVATE, -1, 0), Err(Errno::EBADF));
    check_eq!(mmap_file(0, PAGE, Prot::READ, Map::PRIVATE, 12345, 0), Err(Errno::EBADF));

    check!(Maps::read().matches(base, base + 4 * PAGE, &[]));
}
