//! System calls: the numbers, argument rules and errnos of x86-64 Linux.
//!
//! A system call is a short function `fn(&mut Thread, &Arguments) -> Result<u64, Errno>` in the file of its
//! group, and one line in [`table`]. Flags become enums and addresses become [`user`] types in those
//! functions; what is below never sees a raw argument. A call that fails has changed nothing.
#![deny(unsafe_code)]

mod advice;
mod alarm;
mod arguments;
mod clone;
mod file;
mod file_content;
mod file_io;
mod file_mapping;
mod file_names;
mod file_status;
mod futex;
mod identity;
mod info;
mod kill;
mod lock;
mod memory;
mod poll;
mod process;
mod process_vm;
mod procmap;
mod schedule;
mod shm;
mod signal;
mod table;
#[cfg(feature = "test")]
mod tests;
mod time;
pub(crate) mod user;
mod userfault;
mod vectors;
mod wait;

pub(crate) use arguments::Arguments;
pub(crate) use table::dispatch;
