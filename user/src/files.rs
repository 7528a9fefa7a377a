//! Files in memory, and calls on files.

use core::ffi::CStr;

use abi::fs::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MFD_ALLOW_SEALING, S_IFMT};
use abi::mman::{Map, Prot};
use abi::{Errno, nr};

use crate::check_eq;
use crate::pages::PAGE;
use crate::rt::syscall::{syscall1, syscall2, syscall3, syscall4, syscall5};
use crate::sys::{mmap_file, pwrite, stat};

/// A new file without a place in the tree, which can be sealed; its descriptor.
pub fn memory_file(name: &CStr) -> i32 {
    memfd_create(name, MFD_ALLOW_SEALING).expect("memfd_create")
}

/// `memfd_create`.
pub fn memfd_create(name: &CStr, flags: u32) -> Result<i32, Errno> {
    syscall2(nr::MEMFD_CREATE, name.as_ptr() as u64, flags.into()).map(|fd| fd as i32)
}

/// A new file of `pages` pages, each of which begins with its number plus 1.
pub fn numbered_file(pages: u64) -> i32 {
    let file = memory_file(c"numbered");
    check_eq!(ftruncate(file, pages * PAGE), Ok(0));
    for page in 0..pages {
        check_eq!(pwrite(file, &[page as u8 + 1], page * PAGE), Ok(1));
    }
    file
}

/// Maps `pages` pages of a file from its page `first` on, to read and write, where the kernel likes.
pub fn map_file(file: i32, pages: u64, flags: Map, first: u64) -> u64 {
    mmap_file(0, pages * PAGE, Prot::READ_WRITE, flags, file, first * PAGE).expect("mmap")
}

/// `ftruncate`.
pub fn ftruncate(fd: i32, size: u64) -> Result<u64, Errno> {
    syscall2(nr::FTRUNCATE, fd as u64, size)
}

/// `fallocate` that makes a hole.
pub fn punch_hole(fd: i32, offset: u64, length: u64) -> Result<u64, Errno> {
    let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    syscall4(nr::FALLOCATE, fd as u64, mode.into(), offset, length)
}

/// `open` with the permissions of a new file.
pub fn create(path: &CStr, flags: u32, permissions: u32) -> Result<i32, Errno> {
    syscall3(nr::OPEN, path.as_ptr() as u64, flags.into(), permissions.into()).map(|fd| fd as i32)
}

/// `fcntl`.
pub fn fcntl(fd: i32, command: u32, value: u64) -> Result<u64, Errno> {
    syscall3(nr::FCNTL, fd as u64, command.into(), value)
}

/// A call that takes one path.
pub fn on_path(number: u64, path: &CStr) -> Result<u64, Errno> {
    syscall1(number, path.as_ptr() as u64)
}

/// A call that takes two paths.
pub fn on_paths(number: u64, first: &CStr, second: &CStr) -> Result<u64, Errno> {
    syscall2(number, first.as_ptr() as u64, second.as_ptr() as u64)
}

/// `mkdir`.
pub fn mkdir(path: &CStr) -> Result<u64, Errno> {
    syscall2(nr::MKDIR, path.as_ptr() as u64, 0o755)
}

/// `renameat2` of two paths.
pub fn rename(old: &CStr, new: &CStr, flags: u32) -> Result<u64, Errno> {
    let here = abi::fs::AT_FDCWD as u64;
    syscall5(nr::RENAMEAT2, here, old.as_ptr() as u64, here, new.as_ptr() as u64, flags.into())
}

/// The type of the file at a path, as `S_IFMT` masks it.
pub fn file_type(path: &CStr) -> Result<u32, Errno> {
    stat(path).map(|status| status.st_mode & S_IFMT)
}

/// Makes an empty directory of this name in `/tmp` and goes there; [`leave_scratch`] removes it.
pub fn enter_scratch(name: &CStr) {
    check_eq!(on_path(nr::CHDIR, c"/tmp"), Ok(0));
    let _left_behind = on_path(nr::RMDIR, name);
    check_eq!(mkdir(name), Ok(0));
    check_eq!(on_path(nr::CHDIR, name), Ok(0));
}

/// Leaves and removes the directory of [`enter_scratch`], which is empty.
pub fn leave_scratch(name: &CStr) {
    check_eq!(on_path(nr::CHDIR, c".."), Ok(0));
    check_eq!(on_path(nr::RMDIR, name), Ok(0));
}
