//! Faults that the program resolves itself (`userfaultfd`), and the line of `smaps` that tells of them.

use abi::userfaultfd::*;
use abi::{Errno, nr};

use crate::check_eq;
use crate::io::for_each_line;
use crate::pages::PAGE;
use crate::rt::syscall::{syscall1, syscall3};

/// `userfaultfd`.
pub fn userfaultfd(flags: u32) -> Result<i32, Errno> {
    syscall1(nr::USERFAULTFD, flags.into()).map(|fd| fd as i32)
}

/// A new descriptor that has agreed on these features. Skips the program where Linux permits none, or has not the features.
pub fn agreed(flags: u32, features: u64) -> i32 {
    let fd = match userfaultfd(flags) {
        Ok(fd) => fd,
        Err(error) => crate::skip::skip(format_args!("no userfaultfd here: {error:?}")),
    };
    let mut api = UffdioApi { api: UFFD_API, features, ioctls: 0 };
    if request(fd, UFFDIO_API, &mut api).is_err() {
        crate::skip::skip(format_args!("this Linux lacks some of the features {features:#x}"));
    }
    check_eq!(api.ioctls & UFFD_API_IOCTLS, UFFD_API_IOCTLS);
    fd
}

/// A request, which may change its structure.
pub fn request<T>(fd: i32, request: u64, structure: &mut T) -> Result<u64, Errno> {
    syscall3(nr::IOCTL, fd as u64, request, (&raw mut *structure) as u64)
}

/// Registers `pages` pages; the requests that there are for them, without those that our kernel does not know.
pub fn register(fd: i32, start: u64, pages: u64, mode: u64) -> Result<u64, Errno> {
    let range = UffdioRange { start, len: pages * PAGE };
    let mut structure = UffdioRegister { range, mode, ioctls: 0 };
    request(fd, UFFDIO_REGISTER, &mut structure)?;
    Ok(structure.ioctls & (UFFD_API_RANGE_IOCTLS | UFFD_WRITEPROTECT_IOCTL))
}

/// Ends that.
pub fn unregister(fd: i32, start: u64, pages: u64) -> Result<u64, Errno> {
    request(fd, UFFDIO_UNREGISTER, &mut UffdioRange { start, len: pages * PAGE })
}

/// Wakes who waits for pages.
pub fn wake(fd: i32, start: u64, pages: u64) -> Result<u64, Errno> {
    request(fd, UFFDIO_WAKE, &mut UffdioRange { start, len: pages * PAGE })
}

/// Copies `pages` pages; the answer, and what the structure says.
pub fn copy(fd: i32, dst: u64, src: u64, pages: u64, mode: u64) -> (Result<u64, Errno>, i64) {
    let mut structure = UffdioCopy { dst, src, len: pages * PAGE, mode, copy: UNTOLD };
    (request(fd, UFFDIO_COPY, &mut structure), structure.copy)
}

/// Makes `pages` pages pages of zeroes; the answer, and what the structure says.
pub fn zero(fd: i32, start: u64, pages: u64, mode: u64) -> (Result<u64, Errno>, i64) {
    let range = UffdioRange { start, len: pages * PAGE };
    let mut structure = UffdioZeropage { range, mode, zeropage: UNTOLD };
    (request(fd, UFFDIO_ZEROPAGE, &mut structure), structure.zeropage)
}

/// Write-protects pages, or ends that.
pub fn write_protect(fd: i32, start: u64, pages: u64, mode: u64) -> Result<u64, Errno> {
    let range = UffdioRange { start, len: pages * PAGE };
    request(fd, UFFDIO_WRITEPROTECT, &mut UffdioWriteprotect { range, mode })
}

/// What a structure says that the kernel has not changed.
pub const UNTOLD: i64 = 77;

/// Reads the messages that there are, at most `N`; how many.
pub fn messages<const N: usize>(fd: i32, into: &mut [UffdMessage; N]) -> Result<usize, Errno> {
    let size = size_of_val(into) as u64;
    let read = syscall3(nr::READ, fd as u64, into.as_mut_ptr() as u64, size)?;
    Ok(read as usize / size_of::<UffdMessage>())
}

/// Waits for a message: flags and address.
pub fn message(fd: i32) -> (u64, u64) {
    let mut messages = [UffdMessage::default()];
    check_eq!(self::messages(fd, &mut messages), Ok(1));
    let [UffdMessage { event, flags, address, .. }] = messages;
    check_eq!(event, UFFD_EVENT_PAGEFAULT);
    (flags, address)
}

/// What `poll` says of a descriptor at once, of the bits that are asked for.
pub fn poll(fd: i32) -> u64 {
    // POLLIN and POLLOUT.
    let mut structure = fd as u32 as u64 | 0x5 << 32;
    check_eq!(syscall3(nr::POLL, (&raw mut structure) as u64, 1, 0).is_ok(), true);
    structure >> 48
}

/// For which modes the mapping at `address` is registered, as `smaps` says; the modes of `UFFDIO_REGISTER`.
pub fn registered(address: u64) -> u64 {
    let (mut is_there, mut found) = (false, None);
    for_each_line(c"/proc/self/smaps", |line| {
        if let Some(vma) = crate::maps::parse(line) {
            is_there = (vma.start..vma.end).contains(&address);
        }
        if is_there && let Some(flags) = line.strip_prefix(b"VmFlags:") {
            let has = |name: &[u8]| u64::from(flags.split(|&byte| byte == b' ').any(|flag| flag == name));
            found = Some(has(b"um") * UFFDIO_REGISTER_MODE_MISSING + has(b"uw") * UFFDIO_REGISTER_MODE_WP);
        }
    });
    found.expect("a mapping")
}
