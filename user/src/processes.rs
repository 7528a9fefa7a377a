//! Processes: fork, wait, exec.

use core::ffi::CStr;

use crate::rt::syscall::{syscall0, syscall2, syscall3, syscall4};
use crate::sys;
use abi::{Errno, nr};

/// Do not wait.
pub const WNOHANG: u64 = 1;

/// Starts a child that runs `body` and exits with the status that it returns; its number.
pub fn fork(body: impl FnOnce() -> i32) -> u64 {
    match syscall0(nr::FORK).expect("fork") {
        0 => sys::exit(body()),
        pid => pid,
    }
}

/// A child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub pid: u64,
    /// As `wait4` tells it.
    pub status: u32,
}

/// The status of one that exited.
pub const fn exited(status: u32) -> u32 {
    status << 8
}

/// `wait4` for a child, -1 for any.
pub fn wait4(pid: i64, options: u64) -> Result<Ended, Errno> {
    let mut status = 0u32;
    let pid = syscall4(nr::WAIT4, pid as u64, (&raw mut status) as u64, options, 0)?;
    Ok(Ended { pid, status })
}

/// Waits for a child; its status.
pub fn wait(pid: u64) -> u32 {
    wait4(pid as i64, 0).expect("wait4").status
}

/// `execve` with these arguments and an empty environment.
pub fn exec(path: &CStr, arguments: &[&CStr]) -> Errno {
    let mut list = [0u64; 8];
    for (place, argument) in list.iter_mut().zip(arguments) {
        *place = argument.as_ptr() as u64;
    }
    let none = [0u64; 1];
    let result = syscall3(nr::EXECVE, path.as_ptr() as u64, list.as_ptr() as u64, none.as_ptr() as u64);
    result.expect_err("a new program does not come back")
}

/// `kill`.
pub fn kill(pid: u64, number: u8) -> Result<u64, Errno> {
    syscall2(nr::KILL, pid, number.into())
}
