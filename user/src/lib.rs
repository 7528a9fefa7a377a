//! A tiny runtime for ring-3 programs: start-up, system calls, output and checks.
//!
//! Each program in `src/bin` is one scenario and a plain static Linux executable. Its file name is the claim, and
//! ends in `_dies_by_SIGNAL` when death by that signal is the expected end; every other program ends with exit
//! status 0. A failed check exits with 1, a panic with 101. Except for names that begin with `only_`, each must
//! end the same way on Linux.
//!
//! A death that comes too early would look like success, so such a program does all its checks first and then
//! announces its last step with [`fatal!`].

#![no_std]

mod check;
pub use check::fail;
pub mod files;
pub mod huge;
pub mod io;
pub mod limit;
pub mod maps;
pub mod pages;
pub mod probe;
pub mod processes;
pub mod random;
pub mod rt;
pub mod shm;
pub mod signals;
pub mod skip;
pub mod sys;
pub mod threads;
pub mod userfaults;
pub mod vmstat;

/// What nearly every program uses.
pub mod prelude {
    pub use crate::maps::Maps;
    pub use crate::pages::{PAGE, map, map_at, reserve};
    pub use crate::rt::memory::{read_byte, write_byte};
    pub use crate::sys::{mmap, mprotect, mremap, munmap};
    pub use crate::{check, check_eq, fatal, print, println, program};
    pub use abi::mman::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Map, Prot};
    pub use abi::{Errno, nr};
}
