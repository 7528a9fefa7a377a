//! The six arguments of a system call.

use abi::Errno;

use super::user::{UserPtr, UserSlice, UserString, UserValue};

/// Arguments by position, from 0, each in the type the call gives it. A 32-bit argument is the lower half of
/// its register, as in C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments(pub(crate) [u64; 6]);

impl Arguments {
    /// All 64 bits.
    pub(crate) fn u64(&self, index: usize) -> u64 {
        self.0[index]
    }

    /// The lower half.
    pub(crate) fn u32(&self, index: usize) -> u32 {
        self.0[index] as u32
    }

    /// The lower half, signed: descriptors, process numbers.
    pub(crate) fn i32(&self, index: usize) -> i32 {
        self.0[index] as i32
    }

    /// A pointer to a `T`.
    pub(crate) fn pointer<T: UserValue>(&self, index: usize) -> UserPtr<T> {
        UserPtr::new(self.0[index])
    }

    /// A pointer to a `T` that may be null.
    pub(crate) fn optional<T: UserValue>(&self, index: usize) -> Option<UserPtr<T>> {
        UserPtr::optional(self.0[index])
    }

    /// A buffer: its address, and its length in the argument behind.
    pub(crate) fn buffer(&self, index: usize) -> Result<UserSlice, Errno> {
        UserSlice::for_transfer(self.0[index], self.0[index + 1])
    }

    /// A path.
    pub(crate) fn path(&self, index: usize) -> Result<UserString, Errno> {
        UserString::read(self.0[index])
    }
}
