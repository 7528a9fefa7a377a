//! System V inter-process communication: shared memory.
//!
//! | module | what |
//! | --- | --- |
//! | [`segments`] | the table of segments, and what becomes of them as they are attached and detached |
//! | [`limits`] | the limits, which programs may set |
//! | [`text`] | `/proc/sysvipc/shm` |
#![deny(unsafe_code)]

pub(crate) mod limits;
pub(crate) mod segments;
pub(crate) mod text;
