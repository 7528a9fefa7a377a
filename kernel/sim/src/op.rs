//! What a simulated program does: one operation at a time, printable as the Rust that repeats it.

use std::fmt;

use abi::mman::{MLOCK_ONFAULT, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, Map, Prot};
pub use mm::space::WriteProtection;

pub use crate::model::Touch;
pub use crate::userfaults::{Filling, Modes, copied_word};

/// Size of a page in bytes.
pub const PAGE: u64 = 4096;

/// One operation of a simulated program, with raw arguments as a system call gets them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `mmap` of anonymous memory.
    Mmap(Mmap),
    /// `munmap`.
    Munmap {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
    },
    /// `mprotect`.
    Mprotect {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// Bits of [`Prot`], and others.
        prot: u64,
    },
    /// `mremap`.
    Mremap(Mremap),
    /// `mseal`.
    Mseal {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// 0, if it is to work.
        flags: u64,
    },
    /// `madvise`.
    Madvise {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// `MADV_`, and others.
        advice: u64,
    },
    /// `mlock2`.
    Mlock {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// `MLOCK_ONFAULT`, and others.
        flags: u64,
    },
    /// `munlock`.
    Munlock {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
    },
    /// `mlockall`.
    Mlockall {
        /// `MCL_`, and others.
        flags: u64,
    },
    /// `munlockall`.
    Munlockall,
    /// `msync`.
    Msync {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// `MS_`, and others.
        flags: u64,
    },
    /// `mmap` of the file at exactly this place, as loaders do with the segments of an executable.
    File {
        /// First page.
        page: u64,
        /// Pages, at least 1.
        pages: u64,
        /// Bits of [`Prot`].
        prot: u64,
        /// Offset in the file, in pages.
        first: u64,
        /// Who sees stores.
        view: View,
    },
    /// `ftruncate` of the file.
    Resize {
        /// Its new size in bytes, a multiple of 8.
        size: u64,
    },
    /// `brk`.
    Brk {
        /// The new break.
        address: u64,
    },
    /// `UFFDIO_REGISTER`.
    Register {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// What for.
        modes: Modes,
        /// The number of the context, not 0.
        context: u32,
    },
    /// `UFFDIO_UNREGISTER`.
    Unregister {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// The number of the context.
        context: u32,
    },
    /// The descriptor of a context is closed.
    Release {
        /// The number of the context.
        context: u32,
    },
    /// `UFFDIO_COPY` or `UFFDIO_ZEROPAGE`, which wake nobody; the answer is how many pages have come.
    Fill {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// What comes.
        filling: Filling,
    },
    /// `UFFDIO_WRITEPROTECT`, which wakes nobody.
    WriteProtect {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// Whether it begins or ends.
        protection: WriteProtection,
    },
    /// `UFFDIO_WAKE`.
    Wake {
        /// First byte.
        address: u64,
        /// Bytes.
        length: u64,
        /// The number of the context.
        context: u32,
    },
    /// `fork`: a new process, whose number is the answer.
    Fork,
    /// The end of the process.
    Exit,
    /// A load, store or fetch of the word at an address.
    Touch {
        /// The CPU that does it.
        cpu: u32,
        /// A multiple of 8.
        address: u64,
        /// Load, store or fetch; a store stores a value of its own.
        touch: Touch,
    },
}

/// Who sees stores to a mapping of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// Nobody else (`MAP_PRIVATE`).
    Private,
    /// All who map it (`MAP_SHARED`).
    Shared,
    /// A segment of shared memory in place of the file, new and as long as the mapping (`shmat`).
    Segment,
}

/// The arguments of an `mmap`; without more said, private memory to read and write, anywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mmap {
    /// The hint or the address.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// Bits of [`Prot`], and others.
    pub prot: u64,
    /// Bits of [`Map`], and others; [`Map::ANONYMOUS`] goes without saying.
    pub flags: u64,
}

/// `mmap` of `length` bytes.
pub fn mmap(length: u64) -> Mmap {
    Mmap { address: 0, length, prot: Prot::READ_WRITE.bits(), flags: (Map::PRIVATE | Map::ANONYMOUS).bits() }
}

/// `munmap`.
pub fn munmap(address: u64, length: u64) -> Op {
    Op::Munmap { address, length }
}

/// `mprotect`.
pub fn mprotect(address: u64, length: u64, prot: Prot) -> Op {
    Op::Mprotect { address, length, prot: prot.bits() }
}

/// The arguments of an `mremap`; without more said, it may neither move nor keep what is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mremap {
    /// The old address.
    pub old: u64,
    /// Bytes there.
    pub old_length: u64,
    /// Bytes afterwards.
    pub new_length: u64,
    /// `MREMAP_`, and others.
    pub flags: u64,
    /// The new address, or a hint.
    pub new: u64,
}

/// `mremap` of `old_length` bytes at `old`, to be `new_length` bytes.
pub fn mremap(old: u64, old_length: u64, new_length: u64) -> Mremap {
    Mremap { old, old_length, new_length, flags: 0, new: 0 }
}

impl Mremap {
    /// It may move (`MREMAP_MAYMOVE`).
    pub fn may_move(self) -> Self {
        Mremap { flags: self.flags | MREMAP_MAYMOVE, ..self }
    }

    /// To exactly this address (`MREMAP_FIXED`).
    pub fn fixed(self, new: u64) -> Self {
        Mremap { flags: self.flags | MREMAP_FIXED, new, ..self }.may_move()
    }

    /// The old range stays mapped (`MREMAP_DONTUNMAP`).
    pub fn keep(self) -> Self {
        Mremap { flags: self.flags | MREMAP_DONTUNMAP, ..self }.may_move()
    }
}

impl From<Mremap> for Op {
    fn from(mremap: Mremap) -> Op {
        Op::Mremap(mremap)
    }
}

/// `mseal`.
pub fn mseal(address: u64, length: u64) -> Op {
    Op::Mseal { address, length, flags: 0 }
}

/// `madvise`.
pub fn madvise(address: u64, length: u64, advice: u64) -> Op {
    Op::Madvise { address, length, advice }
}

/// `mlock`.
pub fn mlock(address: u64, length: u64) -> Op {
    Op::Mlock { address, length, flags: 0 }
}

/// `mlock2` with `MLOCK_ONFAULT`.
pub fn mlock_on_fault(address: u64, length: u64) -> Op {
    Op::Mlock { address, length, flags: MLOCK_ONFAULT }
}

/// `munlock`.
pub fn munlock(address: u64, length: u64) -> Op {
    Op::Munlock { address, length }
}

/// A private mapping of the file, from its page `first` on, at page `page`.
pub fn image(page: u64, pages: u64, prot: Prot, first: u64) -> Op {
    Op::File { page, pages, prot: prot.bits(), first, view: View::Private }
}

/// A shared mapping of the file, from its page `first` on, at page `page`.
pub fn shared_image(page: u64, pages: u64, prot: Prot, first: u64) -> Op {
    Op::File { page, pages, prot: prot.bits(), first, view: View::Shared }
}

/// An attachment of a new segment of shared memory at page `page`; the segment goes with it.
pub fn attach(page: u64, pages: u64, prot: Prot) -> Op {
    Op::File { page, pages, prot: prot.bits(), first: 0, view: View::Segment }
}

/// The file gets another size, in bytes.
pub fn resize(size: u64) -> Op {
    Op::Resize { size }
}

/// `brk`.
pub fn brk(address: u64) -> Op {
    Op::Brk { address }
}

/// A load by CPU `cpu`.
pub fn read(cpu: u32, address: u64) -> Op {
    Op::Touch { cpu, address, touch: Touch::Read }
}

/// A store by CPU `cpu`.
pub fn write(cpu: u32, address: u64) -> Op {
    Op::Touch { cpu, address, touch: Touch::Write }
}

/// An instruction fetch by CPU `cpu`.
pub fn execute(cpu: u32, address: u64) -> Op {
    Op::Touch { cpu, address, touch: Touch::Execute }
}

impl Mmap {
    /// At exactly this address (`MAP_FIXED`).
    pub fn fixed(self, address: u64) -> Self {
        self.hint(address).with(Map::FIXED)
    }

    /// At this address if that is free.
    pub fn hint(self, address: u64) -> Self {
        Mmap { address, ..self }
    }

    /// With this protection.
    pub fn prot(self, prot: Prot) -> Self {
        Mmap { prot: prot.bits(), ..self }
    }

    /// With these flags too.
    pub fn with(self, flags: Map) -> Self {
        Mmap { flags: self.flags | flags.bits(), ..self }
    }

    /// Shared instead of private.
    pub fn shared(self) -> Self {
        Mmap { flags: self.flags & !Map::PRIVATE.bits() | Map::SHARED.bits(), ..self }
    }
}

impl From<Mmap> for Op {
    fn from(mmap: Mmap) -> Op {
        Op::Mmap(mmap)
    }
}

/// A byte count, as a program would write it.
struct Length(u64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes.is_multiple_of(PAGE) && bytes / PAGE < 10_000 => {
                write!(f, "{} * PAGE", bytes / PAGE)
            }
            bytes => write!(f, "{bytes:#x}"),
        }
    }
}

/// Protection bits, as a program would write them.
struct ProtBits(u64);

impl fmt::Display for ProtBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("Prot::NONE"),
            3 => f.write_str("Prot::READ_WRITE"),
            1 => f.write_str("Prot::READ"),
            bits => write!(f, "Prot::from_bits_retain({bits:#x})"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Mmap(Mmap { address, length, prot, flags }) => write!(
                f,
                "Mmap {{ address: {address:#x}, length: {}, prot: {prot:#x}, flags: {flags:#x} }}",
                Length(length)
            ),
            Op::Munmap { address, length } => write!(f, "munmap({address:#x}, {})", Length(length)),
            Op::Mprotect { address, length, prot } => {
                write!(f, "mprotect({address:#x}, {}, {})", Length(length), ProtBits(prot))
            }
            Op::Mremap(Mremap { old, old_length, new_length, flags, new }) => write!(
                f,
                "Mremap {{ old: {old:#x}, old_length: {}, new_length: {}, flags: {flags:#x}, new: {new:#x} }}",
                Length(old_length),
                Length(new_length)
            ),
            Op::Mseal { address, length, flags: 0 } => write!(f, "mseal({address:#x}, {})", Length(length)),
            Op::Mseal { address, length, flags } => write!(
                f,
                "Op::Mseal {{ address: {address:#x}, length: {}, flags: {flags:#x} }}",
                Length(length)
            ),
            Op::Madvise { address, length, advice } => {
                write!(f, "madvise({address:#x}, {}, {advice})", Length(length))
            }
            Op::Mlock { address, length, flags: 0 } => write!(f, "mlock({address:#x}, {})", Length(length)),
            Op::Mlock { address, length, flags } => write!(
                f,
                "Op::Mlock {{ address: {address:#x}, length: {}, flags: {flags:#x} }}",
                Length(length)
            ),
            Op::Munlock { address, length } => write!(f, "munlock({address:#x}, {})", Length(length)),
            Op::Mlockall { flags } => write!(f, "Op::Mlockall {{ flags: {flags:#x} }}"),
            Op::Munlockall => f.write_str("Op::Munlockall"),
            Op::Msync { address, length, flags } => write!(
                f,
                "Op::Msync {{ address: {address:#x}, length: {}, flags: {flags:#x} }}",
                Length(length)
            ),
            Op::File { page, pages, prot, view: View::Segment, .. } => {
                write!(f, "attach({page:#x}, {pages}, {})", ProtBits(prot))
            }
            Op::File { page, pages, prot, first, view } => {
                let verb = if view == View::Private { "image" } else { "shared_image" };
                write!(f, "{verb}({page:#x}, {pages}, {}, {first})", ProtBits(prot))
            }
            Op::Register { address, length, modes, context } => write!(
                f,
                "Op::Register {{ address: {address:#x}, length: {}, modes: Modes::{modes:?}, context: {context} }}",
                Length(length)
            ),
            Op::Unregister { address, length, context } => write!(
                f,
                "Op::Unregister {{ address: {address:#x}, length: {}, context: {context} }}",
                Length(length)
            ),
            Op::Release { context } => write!(f, "Op::Release {{ context: {context} }}"),
            Op::Fill { address, length, filling } => write!(
                f,
                "Op::Fill {{ address: {address:#x}, length: {}, filling: Filling::{filling:?} }}",
                Length(length)
            ),
            Op::WriteProtect { address, length, protection } => write!(
                f,
                "Op::WriteProtect {{ address: {address:#x}, length: {}, protection: WriteProtection::{protection:?} }}",
                Length(length)
            ),
            Op::Wake { address, length, context } => write!(
                f,
                "Op::Wake {{ address: {address:#x}, length: {}, context: {context} }}",
                Length(length)
            ),
            Op::Resize { size } => write!(f, "resize({size:#x})"),
            Op::Brk { address } => write!(f, "brk({address:#x})"),
            Op::Fork => f.write_str("Op::Fork"),
            Op::Exit => f.write_str("Op::Exit"),
            Op::Touch { cpu, address, touch } => {
                let verb = match touch {
                    Touch::Read => "read",
                    Touch::Write => "write",
                    Touch::Execute => "execute",
                };
                write!(f, "{verb}({cpu}, {address:#x})")
            }
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
