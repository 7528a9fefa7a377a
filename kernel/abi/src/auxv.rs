//! Keys of the auxiliary vector (`getauxval(3)`): pairs of `u64`, key and value, after the environment on
//! the initial stack.

/// The end of the vector.
pub const AT_NULL: u64 = 0;
/// An entry to ignore.
pub const AT_IGNORE: u64 = 1;
/// File descriptor of the program.
pub const AT_EXECFD: u64 = 2;
/// Address of the program headers in memory.
pub const AT_PHDR: u64 = 3;
/// Size of one program header in bytes.
pub const AT_PHENT: u64 = 4;
/// Number of program headers.
pub const AT_PHNUM: u64 = 5;
/// Page size in bytes.
pub const AT_PAGESZ: u64 = 6;
/// Load address of the interpreter; 0 without one.
pub const AT_BASE: u64 = 7;
/// Flags; 0.
pub const AT_FLAGS: u64 = 8;
/// Entry point of the program.
pub const AT_ENTRY: u64 = 9;
/// Non-zero if the program is not an ELF file.
pub const AT_NOTELF: u64 = 10;
/// Real user id.
pub const AT_UID: u64 = 11;
/// Effective user id.
pub const AT_EUID: u64 = 12;
/// Real group id.
pub const AT_GID: u64 = 13;
/// Effective group id.
pub const AT_EGID: u64 = 14;
/// Address of a string that names the platform.
pub const AT_PLATFORM: u64 = 15;
/// Processor features: `edx` of `cpuid` leaf 1.
pub const AT_HWCAP: u64 = 16;
/// Ticks per second of `times(2)`.
pub const AT_CLKTCK: u64 = 17;
/// Non-zero if the program should be careful (set-user-id and the like).
pub const AT_SECURE: u64 = 23;
/// Address of a string that names the real platform.
pub const AT_BASE_PLATFORM: u64 = 24;
/// Address of 16 random bytes.
pub const AT_RANDOM: u64 = 25;
/// More processor features.
pub const AT_HWCAP2: u64 = 26;
/// Size in bytes of the area for restartable sequences.
pub const AT_RSEQ_FEATURE_SIZE: u64 = 27;
/// Alignment in bytes of the area for restartable sequences.
pub const AT_RSEQ_ALIGN: u64 = 28;
/// Address of the path the program was started by.
pub const AT_EXECFN: u64 = 31;
/// Entry point of the vDSO (32 bit).
pub const AT_SYSINFO: u64 = 32;
/// Address of the vDSO.
pub const AT_SYSINFO_EHDR: u64 = 33;
/// The least stack size in bytes that a signal frame needs.
pub const AT_MINSIGSTKSZ: u64 = 51;
