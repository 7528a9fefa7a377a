//! `userfaultfd(2)`: requests, structures and messages (`ioctl_userfaultfd(2)`).

/// Flag of `userfaultfd`: only faults in user mode are handled.
pub const UFFD_USER_MODE_ONLY: u32 = 1;

/// The version of the interface.
pub const UFFD_API: u64 = 0xaa;

/// Agrees on the interface ([`UffdioApi`]).
pub const UFFDIO_API: u64 = 0xc018_aa3f;
/// Registers a range ([`UffdioRegister`]).
pub const UFFDIO_REGISTER: u64 = 0xc020_aa00;
/// Ends that ([`UffdioRange`]).
pub const UFFDIO_UNREGISTER: u64 = 0x8010_aa01;
/// Wakes who waits for pages of a range ([`UffdioRange`]).
pub const UFFDIO_WAKE: u64 = 0x8010_aa02;
/// Copies to pages that are missing ([`UffdioCopy`]).
pub const UFFDIO_COPY: u64 = 0xc028_aa03;
/// Makes pages that are missing pages of zeroes ([`UffdioZeropage`]).
pub const UFFDIO_ZEROPAGE: u64 = 0xc020_aa04;
/// Write-protects pages, or ends that ([`UffdioWriteprotect`]).
pub const UFFDIO_WRITEPROTECT: u64 = 0xc018_aa06;
/// Of `/dev/userfaultfd`: a new descriptor, as `userfaultfd` makes it.
pub const USERFAULTFD_IOC_NEW: u64 = 0xaa00;

/// The requests of a descriptor, as bits of `UffdioApi::ioctls`: register, unregister, the agreement.
pub const UFFD_API_IOCTLS: u64 = 1 << 63 | 0b11;
/// The requests for a registered range, as bits of `UffdioRegister::ioctls`: wake, copy, zero page.
pub const UFFD_API_RANGE_IOCTLS: u64 = 0b1_1100;
/// As above: write-protect.
pub const UFFD_WRITEPROTECT_IOCTL: u64 = 1 << 6;

/// Messages tell of writes to write-protected pages.
pub const UFFD_FEATURE_PAGEFAULT_FLAG_WP: u64 = 1 << 0;
/// Faults are SIGBUS, and there are no messages.
pub const UFFD_FEATURE_SIGBUS: u64 = 1 << 7;
/// Messages tell which thread it was.
pub const UFFD_FEATURE_THREAD_ID: u64 = 1 << 8;
/// Messages tell the address, not only its page.
pub const UFFD_FEATURE_EXACT_ADDRESS: u64 = 1 << 11;

/// A range is registered for pages that are missing.
pub const UFFDIO_REGISTER_MODE_MISSING: u64 = 1 << 0;
/// A range is registered for writes to write-protected pages.
pub const UFFDIO_REGISTER_MODE_WP: u64 = 1 << 1;
/// A copy wakes nobody.
pub const UFFDIO_COPY_MODE_DONTWAKE: u64 = 1 << 0;
/// The copies are write-protected.
pub const UFFDIO_COPY_MODE_WP: u64 = 1 << 1;
/// Pages of zeroes wake nobody.
pub const UFFDIO_ZEROPAGE_MODE_DONTWAKE: u64 = 1 << 0;
/// Pages are write-protected; otherwise that ends.
pub const UFFDIO_WRITEPROTECT_MODE_WP: u64 = 1 << 0;
/// The end of write protection wakes nobody.
pub const UFFDIO_WRITEPROTECT_MODE_DONTWAKE: u64 = 1 << 1;

/// The event of a message about a fault.
pub const UFFD_EVENT_PAGEFAULT: u8 = 0x12;
/// It was a write.
pub const UFFD_PAGEFAULT_FLAG_WRITE: u64 = 1 << 0;
/// It was a write to a write-protected page.
pub const UFFD_PAGEFAULT_FLAG_WP: u64 = 1 << 1;

/// `struct uffdio_api`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioApi {
    /// [`UFFD_API`].
    pub api: u64,
    /// Features that are wanted; then those that there are.
    pub features: u64,
    /// Requests that there are.
    pub ioctls: u64,
}

/// `struct uffdio_range`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioRange {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

/// `struct uffdio_register`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioRegister {
    /// The range.
    pub range: UffdioRange,
    /// What for.
    pub mode: u64,
    /// Requests that there are for it.
    pub ioctls: u64,
}

/// `struct uffdio_copy`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioCopy {
    /// Where to.
    pub dst: u64,
    /// Where from.
    pub src: u64,
    /// Bytes.
    pub len: u64,
    /// How.
    pub mode: u64,
    /// Bytes copied, or a negative error number.
    pub copy: i64,
}

/// `struct uffdio_zeropage`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioZeropage {
    /// The range.
    pub range: UffdioRange,
    /// How.
    pub mode: u64,
    /// Bytes done, or a negative error number.
    pub zeropage: i64,
}

/// `struct uffdio_writeprotect`.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdioWriteprotect {
    /// The range.
    pub range: UffdioRange,
    /// How.
    pub mode: u64,
}

/// `struct uffd_msg` about a fault.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UffdMessage {
    /// What happened.
    pub event: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// `UFFD_PAGEFAULT_FLAG_`.
    pub flags: u64,
    /// Where.
    pub address: u64,
    /// The thread, or 0.
    pub ptid: u32,
    /// Zero.
    pub reserved2: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::size_of;

    #[test]
    fn sizes_are_those_in_the_requests() {
        let size = |request: u64| (request >> 16 & 0x3fff) as usize;
        assert_eq!(size_of::<UffdioApi>(), size(UFFDIO_API));
        assert_eq!(size_of::<UffdioRegister>(), size(UFFDIO_REGISTER));
        assert_eq!(size_of::<UffdioRange>(), size(UFFDIO_UNREGISTER));
        assert_eq!(size_of::<UffdioRange>(), size(UFFDIO_WAKE));
        assert_eq!(size_of::<UffdioCopy>(), size(UFFDIO_COPY));
        assert_eq!(size_of::<UffdioZeropage>(), size(UFFDIO_ZEROPAGE));
        assert_eq!(size_of::<UffdioWriteprotect>(), size(UFFDIO_WRITEPROTECT));
        assert_eq!(size_of::<UffdMessage>(), 32);
    }
}
