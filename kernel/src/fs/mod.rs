//! Files: what a descriptor can stand for.
//!
//! ```text
//! descriptor ──► open file ──► object: file or directory, console, device, pipe end, proc file, setting
//!   (table shared by threads)  (offset, flags)
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`tree`] | the name space: initramfs, `/dev`, `/proc`; read only, built once at boot |
//! | [`path`] | path resolution |
//! | [`files`] | the files of a process: the rules of open, dup, lseek and kin |
//! | [`open`] | open files and pipes, and the I/O on them |
//! | [`descriptors`] | the descriptor table |
//! | [`device`], [`pipe`] | devices, pipes |
//! | [`setting`] | the files of `/proc/sys` |
//! | [`transfer`] | where bytes go to and come from |
//! | [`directory`] | records of `getdents64(2)` |
//! | [`maps`] | the format of `/proc/self/maps` |
//! | [`text`] | text that grows fallibly |
//! | [`status`] | what `stat(2)` tells |
//!
//! What several threads use at once has a lock of its own; one under which user memory is touched is a mutex that sleeps.
#![deny(unsafe_code)]

pub(crate) mod descriptors;
mod device;
pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod maps;
pub(crate) mod open;
pub(crate) mod path;
pub(crate) mod pipe;
mod setting;
pub(crate) mod status;
#[cfg(feature = "test")]
mod tests;
pub(crate) mod text;
pub(crate) mod transfer;
pub(crate) mod tree;

pub(crate) use files::{Files, Share};
pub(crate) use open::Position;
pub(crate) use tree::{Member, Tree};
