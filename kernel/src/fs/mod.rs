//! Files: what a descriptor can stand for.
//!
//! ```text
//! descriptor ──► open file ──► object: inode, pipe end, counter
//!   (table shared by threads)  (offset, flags)   │
//!                              directory entry ──► inode: directory, file, link, device, file of /proc, setting
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`tree`] | the name space: a tree of directories in memory, as the ramdisk says to begin with |
//! | [`inode`] | files, directories and links apart from their names |
//! | [`content`] | the content of regular files |
//! | [`names`] | mkdir, unlink, rename, link and kin |
//! | [`path`] | path resolution |
//! | [`files`] | the files of a process: the rules of open, dup, lseek and kin |
//! | [`open`] | open files and pipes, and the I/O on them |
//! | [`descriptors`] | the descriptor table |
//! | [`device`], [`pipe`], [`counter`], [`userfault`] | devices, pipes, `eventfd(2)`, `userfaultfd(2)` |
//! | [`procfs`], [`setting`] | what there is in `/proc`, the numbers in `/proc/sys` |
//! | [`transfer`] | where bytes go to and come from |
//! | [`directory`] | records of `getdents64(2)` |
//! | [`mapped`] | what files that are mapped are called |
//! | [`maps`] | the format of `/proc/self/maps` |
//! | [`text`] | text that grows fallibly |
//! | [`written`] | texts that are written while they are read |
//! | [`status`] | what `stat(2)` tells |
//!
//! What several threads use at once has a lock of its own; one under which user memory is touched is a mutex that sleeps.
#![deny(unsafe_code)]

pub(crate) mod build_id;
pub(crate) mod content;
pub(crate) mod counter;
pub(crate) mod descriptors;
pub(crate) mod device;
pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod inode;
pub(crate) mod mapped;
pub(crate) mod maps;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod path;
pub(crate) mod pipe;
pub(crate) mod procfs;
mod setting;
pub(crate) mod status;
#[cfg(feature = "test")]
mod tests;
pub(crate) mod text;
pub(crate) mod transfer;
pub(crate) mod tree;
pub(crate) mod userfault;
pub(crate) mod written;

pub(crate) use files::{Files, Share};
pub(crate) use open::Position;
pub(crate) use tree::{Member, Tree};
