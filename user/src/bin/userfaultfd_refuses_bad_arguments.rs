//! `userfaultfd` and its requests refuse what makes no sense, in the order and with the errors of Linux.
#![no_std]
#![no_main]

use abi::fs::{F_GETFD, F_GETFL, F_SETFL, O_CLOEXEC, O_NONBLOCK};
use abi::userfaultfd::*;
use user::files::fcntl;
use user::prelude::*;
use user::rt::memory::write_byte;
use user::rt::syscall::syscall3;
use user::sys::{close, read, write};
use user::userfaults::*;

program!(main);

const MISSING: u64 = UFFDIO_REGISTER_MODE_MISSING;
const WP: u64 = UFFDIO_REGISTER_MODE_WP;

/// `UFFDIO_API`, and whether what comes back is all zero.
fn agree(fd: i32, api: u64, features: u64) -> (Result<u64, Errno>, bool) {
    let mut structure = UffdioApi { api, features, ioctls: 5 };
    (request(fd, UFFDIO_API, &mut structure), structure == UffdioApi::default())
}

fn main() {
    check_eq!(userfaultfd(2), Err(Errno::EINVAL));
    let fd = match userfaultfd(O_CLOEXEC) {
        Ok(fd) => fd,
        Err(error) => user::skip::skip(format_args!("no userfaultfd here: {error:?}")),
    };
    check_eq!(fcntl(fd, F_GETFL, 0), Ok(0));
    check_eq!(fcntl(fd, F_GETFD, 0), Ok(1));
    before_the_agreement(fd);
    check_eq!(agree(fd, 0xab, 0), (Err(Errno::EINVAL), true));
    check_eq!(agree(fd, UFFD_API, 1 << 40), (Err(Errno::EINVAL), true));
    check_eq!(syscall3(nr::IOCTL, fd as u64, UFFDIO_API, 0), Err(Errno::EFAULT));
    let mut api = UffdioApi { api: UFFD_API, features: 0, ioctls: 0 };
    check_eq!(request(fd, UFFDIO_API, &mut api), Ok(0));
    let all = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_THREAD_ID;
    check_eq!((api.features & all, api.ioctls & UFFD_API_IOCTLS), (all, UFFD_API_IOCTLS));
    check_eq!(agree(fd, UFFD_API, 0), (Err(Errno::EINVAL), true));
    // Who may wait in a read is not to poll.
    check_eq!(poll(fd), 8);
    check_eq!(fcntl(fd, F_SETFL, O_NONBLOCK.into()), Ok(0));
    check_eq!(poll(fd), 0);
    let mut buffer = [0; 64];
    check_eq!(read(fd, &mut buffer), Err(Errno::EAGAIN));
    check_eq!(read(fd, &mut buffer[..31]), Err(Errno::EINVAL));
    check_eq!(write(fd, &[1]), Err(Errno::EBADF));
    check_eq!(syscall3(nr::IOCTL, fd as u64, 0x1234, 0), Err(Errno::EINVAL));
    let base = reserve(16);
    map_at(base, 16, Prot::READ_WRITE);
    registering(fd, base);
    resolving(fd, base);
    device();
    check_eq!(close(fd), Ok(0));
}

fn before_the_agreement(fd: i32) {
    let mut buffer = [0; 64];
    check_eq!(read(fd, &mut buffer), Err(Errno::EINVAL));
    check_eq!(poll(fd), 8);
    check_eq!(register(fd, 0, 1, MISSING), Err(Errno::EINVAL));
}

fn registering(fd: i32, base: u64) {
    for mode in [0, 8] {
        check_eq!(register(fd, base, 1, mode), Err(Errno::EINVAL));
    }
    check_eq!(register(fd, base + 1, 1, MISSING), Err(Errno::EINVAL));
    for address in [0u64.wrapping_sub(PAGE), 0x7fff_ffff_f000, 0] {
        check_eq!(register(fd, address, 1, MISSING), Err(Errno::EINVAL));
    }
    check_eq!(register(fd, base, 0, MISSING), Err(Errno::EINVAL));
    // There is nothing.
    check_eq!(register(fd, base - PAGE, 1, MISSING), Err(Errno::EINVAL));
    let range = UFFD_API_RANGE_IOCTLS;
    check_eq!(register(fd, base - PAGE, 5, MISSING), Ok(range));
    check_eq!(register(fd, base, 4, WP), Ok(range | UFFD_WRITEPROTECT_IOCTL));
    check_eq!(register(fd, base, 4, MISSING), Ok(range));
    check_eq!(register(fd, base, 4, MISSING | WP), Ok(range | UFFD_WRITEPROTECT_IOCTL));
    // Somebody else's, as a whole or in part.
    let other = agreed(0, 0);
    check_eq!(register(other, base, 1, MISSING), Err(Errno::EBUSY));
    check_eq!(register(other, base + 3 * PAGE, 2, MISSING), Err(Errno::EBUSY));
    check_eq!(registered(base + 4 * PAGE), 0);
    check_eq!(wake(other, base, 1), Ok(0));
    check_eq!(wake(other, base, 0), Err(Errno::EINVAL));
    check_eq!(close(other), Ok(0));
    check_eq!(unregister(fd, base + 8 * PAGE, 1), Ok(0));
    check_eq!(unregister(fd, base - PAGE, 1), Err(Errno::EINVAL));
    check_eq!(unregister(fd, base, 0), Err(Errno::EINVAL));
}

fn resolving(fd: i32, base: u64) {
    let page = |number: u64| base + number * PAGE;
    let source = reserve(3);
    map_at(source, 2, Prot::READ_WRITE);
    let untold = (Err(Errno::EINVAL), UNTOLD);
    let failed = |error: Errno| (Err(error), -i64::from(error.number()));
    check_eq!(copy(fd, page(0), source, 1, 0), (Ok(0), PAGE as i64));
    check_eq!(copy(fd, page(0), source, 1, 0), failed(Errno::EEXIST));
    check_eq!(copy(fd, page(1), 0x10, 1, 0), failed(Errno::EFAULT));
    check_eq!(copy(fd, page(0), 0x10, 1, 0), failed(Errno::EFAULT));
    check_eq!(copy(fd, page(8), 0x10, 1, 0), failed(Errno::ENOENT));
    check_eq!(copy(fd, page(1), source + 3, 1, 4), untold);
    check_eq!(copy(fd, page(1), source + 3, 1, UFFDIO_COPY_MODE_WP), (Ok(0), PAGE as i64));
    check_eq!(copy(fd, page(1), source, 2, 0), failed(Errno::EEXIST));
    check_eq!(copy(fd, page(3), source, 2, 0), failed(Errno::ENOENT));
    check_eq!(copy(fd, page(3), source, 0, 0), untold);
    check_eq!(copy(fd, page(3) + 1, source, 1, 0), untold);
    check_eq!(copy(fd, page(3), u64::MAX, 1, 0), untold);

    write_byte(page(8), 1);
    let range = UFFD_API_RANGE_IOCTLS;
    check_eq!(register(fd, page(4), 4, MISSING), Ok(range));
    check_eq!(register(fd, page(8), 4, MISSING), Ok(range));
    check_eq!(copy(fd, page(11), source, 1, UFFDIO_COPY_MODE_WP), failed(Errno::EINVAL));
    check_eq!(copy(fd, page(4), source + PAGE, 2, 0), (Err(Errno::EAGAIN), PAGE as i64));
    check_eq!(copy(fd, page(7), source, 2, 0), (Err(Errno::EAGAIN), PAGE as i64));
    check_eq!(zero(fd, page(4), 1, 0), failed(Errno::EEXIST));
    check_eq!(zero(fd, page(5), 1, 2), untold);
    check_eq!(zero(fd, page(6), 2, 0), (Err(Errno::EAGAIN), PAGE as i64));
    check_eq!(zero(fd, page(6), 2, 0), failed(Errno::EEXIST));
    check_eq!(zero(fd, page(15), 1, 0), failed(Errno::ENOENT));

    let (begin, quiet) = (UFFDIO_WRITEPROTECT_MODE_WP, UFFDIO_WRITEPROTECT_MODE_DONTWAKE);
    for (mode, answer) in [
        (begin, Ok(0)),
        (begin | quiet, Err(Errno::EINVAL)),
        (4, Err(Errno::EINVAL)),
        (0, Ok(0)),
        (quiet, Ok(0)),
    ] {
        check_eq!((mode, write_protect(fd, page(0), 1, mode)), (mode, answer));
    }
    check_eq!(write_protect(fd, page(8), 1, begin), Err(Errno::ENOENT));
    check_eq!(write_protect(fd, page(2), 3, begin), Err(Errno::ENOENT));
    check_eq!(write_protect(fd, page(0) - PAGE, 1, 0), Err(Errno::ENOENT));
    check_eq!(munmap(base, 16 * PAGE), Ok(0));
    check_eq!(munmap(source, 2 * PAGE), Ok(0));
}

/// The device makes descriptors, too.
fn device() {
    let Ok(device) = user::sys::open(c"/dev/userfaultfd", abi::fs::O_RDWR) else {
        user::skip::skip(format_args!("no /dev/userfaultfd here"));
    };
    let new = |flags: u64| syscall3(nr::IOCTL, device as u64, USERFAULTFD_IOC_NEW, flags);
    check_eq!(new(2), Err(Errno::EINVAL));
    let made = new(O_CLOEXEC.into()).expect("a descriptor") as i32;
    check_eq!(agree(made, UFFD_API, 0).0, Ok(0));
    check_eq!(syscall3(nr::IOCTL, device as u64, 0x77, 0), Err(Errno::EINVAL));
    check_eq!(read(device, &mut [0; 8]), Err(Errno::EINVAL));
    check_eq!(close(made), Ok(0));
    check_eq!(close(device), Ok(0));
}
