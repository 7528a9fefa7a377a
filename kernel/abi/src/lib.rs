//! The binary interface of x86-64 Linux that Sugarbush keeps: error numbers, system call numbers,
//! flag values and the layout of structures that cross the user boundary.
//!
//! Facts only; no behaviour. Shared by the kernel, the simulation and the user programs. Values come from the
//! manual pages named in each module, layouts are checked against their known sizes by the tests.

#![no_std]
#![forbid(unsafe_code)]

pub mod arch;
pub mod auxv;
pub mod clone;
mod errno;
pub mod fs;
pub mod ioctl;
mod iovec;
pub mod ipc;
pub mod mman;
pub mod nr;
pub mod reboot;
pub mod rlimit;
pub mod signal;
pub mod time;
pub mod userfaultfd;
pub mod uts;

pub use errno::{Errno, MAX_ERRNO};
pub use iovec::{IOV_MAX, IoVec};
pub use signal::Signal;
