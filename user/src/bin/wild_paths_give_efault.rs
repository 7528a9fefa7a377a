//! A path that cannot be read, or runs into memory that cannot, is EFAULT; bad paths have their own errnos.
#![no_std]
#![no_main]

use abi::fs::Stat;
use abi::fs::{AT_FDCWD, O_RDONLY, PATH_MAX};
use user::pages::WILD;
use user::prelude::*;
use user::rt::memory::write_bytes;
use user::rt::syscall::{syscall3, syscall4};

program!(main);

fn main() {
    let base = reserve(4);
    map_at(base, 2, Prot::READ_WRITE);
    for offset in 0..2 * PAGE {
        write_byte(base + offset, b'a');
    }
    let mut stat = Stat::default();
    let open = |path| syscall4(nr::OPENAT, AT_FDCWD as u64, path, O_RDONLY.into(), 0);
    let stat = &mut stat;
    let mut stat_of = |path| syscall4(nr::NEWFSTATAT, AT_FDCWD as u64, path, &raw mut *stat as u64, 0);

    for path in WILD.into_iter().chain([base + 3 * PAGE, base + 2 * PAGE - 5]) {
        check_eq!((path, open(path)), (path, Err(Errno::EFAULT)));
        check_eq!((path, stat_of(path)), (path, Err(Errno::EFAULT)));
        let mut target = [0u8; 16];
        let result = syscall3(nr::READLINK, path, target.as_mut_ptr() as u64, 16);
        check_eq!((path, result), (path, Err(Errno::EFAULT)));
    }
    check!(2 * PAGE as usize > PATH_MAX);
    check_eq!(open(base), Err(Errno::ENAMETOOLONG));
    write_bytes(base, b"\0");
    check_eq!(open(base), Err(Errno::ENOENT));
    write_bytes(base, b"/there/is/no/such/file\0");
    check_eq!(open(base), Err(Errno::ENOENT));
    check_eq!(stat_of(base), Err(Errno::ENOENT));
    // The last byte before the hole may be the end of the path.
    write_bytes(base + 2 * PAGE - 2, b"/\0");
    check_eq!(stat_of(base + 2 * PAGE - 2), Ok(0));
}
