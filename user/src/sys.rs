//! System calls with their types. Addresses and lengths are bytes, as the kernel takes them, and go unchecked.

use crate::rt::syscall::{raw, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
use abi::fs::Stat;
use abi::mman::{Map, Prot};
use abi::rlimit::Rlimit;
use abi::time::Timespec;
use abi::uts::Utsname;
use abi::{Errno, IoVec, nr};
use core::ffi::CStr;

/// Ends the program.
pub fn exit(status: i32) -> ! {
    loop {
        raw(nr::EXIT_GROUP, [status as u64, 0, 0, 0, 0, 0]);
    }
}

/// `mmap` of anonymous memory; `MAP_ANONYMOUS` is added to the flags.
pub fn mmap(address: u64, length: u64, prot: Prot, flags: Map) -> Result<u64, Errno> {
    mmap_file(address, length, prot, flags | Map::ANONYMOUS, -1, 0)
}

/// `mmap` with all its arguments.
pub fn mmap_file(a: u64, length: u64, prot: Prot, flags: Map, fd: i32, offset: u64) -> Result<u64, Errno> {
    syscall6(nr::MMAP, a, length, prot.bits(), flags.bits(), fd as u64, offset)
}

/// `munmap`.
pub fn munmap(address: u64, length: u64) -> Result<u64, Errno> {
    syscall2(nr::MUNMAP, address, length)
}

/// `mprotect`.
pub fn mprotect(address: u64, length: u64, prot: Prot) -> Result<u64, Errno> {
    syscall3(nr::MPROTECT, address, length, prot.bits())
}

/// `mremap` with all its arguments; flags are `MREMAP_`.
pub fn mremap(old: u64, old_length: u64, new_length: u64, flags: u64, new: u64) -> Result<u64, Errno> {
    syscall5(nr::MREMAP, old, old_length, new_length, flags, new)
}

/// `mseal` without flags.
pub fn mseal(address: u64, length: u64) -> Result<u64, Errno> {
    syscall3(nr::MSEAL, address, length, 0)
}

/// `madvise`; the advice is one of `MADV_`.
pub fn madvise(address: u64, length: u64, advice: u64) -> Result<u64, Errno> {
    syscall3(nr::MADVISE, address, length, advice)
}

/// `mlock2`; flags are `MLOCK_ONFAULT` or 0.
pub fn mlock(address: u64, length: u64, flags: u64) -> Result<u64, Errno> {
    syscall3(nr::MLOCK2, address, length, flags)
}

/// `munlock`.
pub fn munlock(address: u64, length: u64) -> Result<u64, Errno> {
    syscall2(nr::MUNLOCK, address, length)
}

/// `mlockall`; flags are `MCL_`.
pub fn mlockall(flags: u64) -> Result<u64, Errno> {
    syscall1(nr::MLOCKALL, flags)
}

/// `munlockall`.
pub fn munlockall() -> Result<u64, Errno> {
    syscall0(nr::MUNLOCKALL)
}

/// `mincore`: one byte a page.
pub fn mincore(address: u64, length: u64, answers: &mut [u8]) -> Result<u64, Errno> {
    syscall3(nr::MINCORE, address, length, answers.as_mut_ptr() as u64)
}

/// `msync`; flags are `MS_`.
pub fn msync(address: u64, length: u64, flags: u64) -> Result<u64, Errno> {
    syscall3(nr::MSYNC, address, length, flags)
}

/// `brk`: the end of the heap after the call, whether it moved or not. Never an error.
pub fn brk(address: u64) -> u64 {
    raw(nr::BRK, [address, 0, 0, 0, 0, 0])
}

/// `read`: the number of bytes read.
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    syscall3(nr::READ, fd as u64, buffer.as_mut_ptr() as u64, buffer.len() as u64).map(|n| n as usize)
}

/// `write`: the number of bytes written.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    syscall3(nr::WRITE, fd as u64, bytes.as_ptr() as u64, bytes.len() as u64).map(|n| n as usize)
}

/// `pread64`: the number of bytes read.
pub fn pread(fd: i32, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let address = buffer.as_mut_ptr() as u64;
    syscall4(nr::PREAD64, fd as u64, address, buffer.len() as u64, offset).map(|n| n as usize)
}

/// `pwrite64`: the number of bytes written.
pub fn pwrite(fd: i32, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
    syscall4(nr::PWRITE64, fd as u64, bytes.as_ptr() as u64, bytes.len() as u64, offset).map(|n| n as usize)
}

/// `writev`: the number of bytes written.
pub fn writev(fd: i32, vectors: &[IoVec]) -> Result<usize, Errno> {
    syscall3(nr::WRITEV, fd as u64, vectors.as_ptr() as u64, vectors.len() as u64).map(|n| n as usize)
}

/// `openat` from the current directory.
pub fn open(path: &CStr, flags: u32) -> Result<i32, Errno> {
    syscall4(nr::OPENAT, abi::fs::AT_FDCWD as u64, path.as_ptr() as u64, flags.into(), 0).map(|fd| fd as i32)
}

/// `close`.
pub fn close(fd: i32) -> Result<u64, Errno> {
    syscall1(nr::CLOSE, fd as u64)
}

/// `lseek`: the new position.
pub fn lseek(fd: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
    syscall3(nr::LSEEK, fd as u64, offset as u64, whence.into())
}

/// `fstat`.
pub fn fstat(fd: i32) -> Result<Stat, Errno> {
    let mut stat = Stat::default();
    syscall2(nr::FSTAT, fd as u64, (&raw mut stat) as u64)?;
    Ok(stat)
}

/// `newfstatat` from the current directory.
pub fn stat(path: &CStr) -> Result<Stat, Errno> {
    let mut stat = Stat::default();
    syscall4(nr::NEWFSTATAT, abi::fs::AT_FDCWD as u64, path.as_ptr() as u64, (&raw mut stat) as u64, 0)?;
    Ok(stat)
}

/// `readlink`: the length of the target, which is cut to the buffer and has no NUL.
pub fn readlink(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    syscall3(nr::READLINK, path.as_ptr() as u64, buffer.as_mut_ptr() as u64, buffer.len() as u64)
        .map(|n| n as usize)
}

/// The two ends of a pipe.
pub struct Pipe {
    /// The end to read from.
    pub reader: i32,
    /// The end to write to.
    pub writer: i32,
}

/// `pipe2` without flags.
pub fn pipe() -> Result<Pipe, Errno> {
    let mut fds = [0i32; 2];
    syscall2(nr::PIPE2, fds.as_mut_ptr() as u64, 0)?;
    Ok(Pipe { reader: fds[0], writer: fds[1] })
}

/// `uname`.
pub fn uname() -> Result<Utsname, Errno> {
    let mut name = Utsname::EMPTY;
    syscall1(nr::UNAME, (&raw mut name) as u64)?;
    Ok(name)
}

/// `clock_gettime`.
pub fn clock_gettime(clock: u32) -> Result<Timespec, Errno> {
    let mut time = Timespec::default();
    syscall2(nr::CLOCK_GETTIME, clock.into(), (&raw mut time) as u64)?;
    Ok(time)
}

/// `getrandom` without flags: the number of bytes filled.
pub fn getrandom(buffer: &mut [u8]) -> Result<usize, Errno> {
    syscall3(nr::GETRANDOM, buffer.as_mut_ptr() as u64, buffer.len() as u64, 0).map(|n| n as usize)
}

/// `prlimit64` of this process, reading only.
pub fn getrlimit(resource: u32) -> Result<Rlimit, Errno> {
    let mut limit = Rlimit::default();
    syscall4(nr::PRLIMIT64, 0, resource.into(), 0, (&raw mut limit) as u64)?;
    Ok(limit)
}

/// `arch_prctl`.
pub fn arch_prctl(code: u64, address: u64) -> Result<u64, Errno> {
    syscall2(nr::ARCH_PRCTL, code, address)
}

/// `getpid`.
pub fn getpid() -> Result<u64, Errno> {
    syscall0(nr::GETPID)
}
