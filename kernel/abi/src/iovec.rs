//! `readv(2)` and `writev(2)`.

/// Most vectors that one call takes.
pub const IOV_MAX: usize = 1024;

/// `struct iovec`: one piece of user memory.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct IoVec {
    /// Its user address.
    pub base: u64,
    /// Its length in bytes.
    pub len: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_that_of_linux() {
        assert_eq!(core::mem::size_of::<IoVec>(), 16);
    }
}
