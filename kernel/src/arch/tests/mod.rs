//! In-kernel tests of the machine: protection of the kernel, ring 3, copies, vector registers.

mod paging;
mod ring3;
mod space;
mod traps;
mod usercopy;
mod vector;
