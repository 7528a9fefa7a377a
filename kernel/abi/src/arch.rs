//! Codes of `arch_prctl(2)`.

/// Sets the base of GS.
pub const ARCH_SET_GS: u64 = 0x1001;
/// Sets the base of FS.
pub const ARCH_SET_FS: u64 = 0x1002;
/// Stores the base of FS as a `u64` at the address given.
pub const ARCH_GET_FS: u64 = 0x1003;
/// Stores the base of GS as a `u64` at the address given.
pub const ARCH_GET_GS: u64 = 0x1004;
/// Asks whether `cpuid` may be executed.
pub const ARCH_GET_CPUID: u64 = 0x1011;
/// Permits or forbids `cpuid`.
pub const ARCH_SET_CPUID: u64 = 0x1012;
/// Asks for the state components that the kernel supports.
pub const ARCH_GET_XCOMP_SUPP: u64 = 0x1021;
/// Asks for the state components that the process may use.
pub const ARCH_GET_XCOMP_PERM: u64 = 0x1022;
/// Asks for permission to use a state component.
pub const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
/// Asks for the shadow stack features that are enabled; glibc tries it at start-up.
pub const ARCH_SHSTK_STATUS: u64 = 0x5005;
