//! One area of the model: what Linux would call a VMA, as plain data.

use std::fmt;

use abi::mman::Prot;

/// Size of a page in bytes. The model has its own constants on purpose: it shares no code with `mm`.
pub(crate) const PAGE: u64 = 4096;

/// Who sees a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Only this address space (`MAP_PRIVATE`).
    Private,
    /// Everyone who maps the object (`MAP_SHARED`): the object's number, unique in the model.
    Shared(u64),
}

/// What stands behind the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Nothing: zeroes.
    Anonymous,
    /// The file.
    File,
}

/// Whether a stack grows out of the area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Growth {
    /// It stays as it is.
    Fixed,
    /// It grows down on faults below it (`MAP_GROWSDOWN`).
    Down,
}

/// Whether pages are locked in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locking {
    /// No.
    None,
    /// Yes, and faulted in at once (`MAP_LOCKED`, `mlock`).
    Now,
    /// Yes, as they come (`MLOCK_ONFAULT`).
    OnFault,
}

impl Locking {
    /// Whether they are, be it later.
    pub fn is_locked(self) -> bool {
        self != Locking::None
    }
}

bitflags::bitflags! {
    /// What `madvise` has noted about an area.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Advice: u32 {
        /// `MADV_RANDOM`.
        const RANDOM = 1 << 0;
        /// `MADV_SEQUENTIAL`.
        const SEQUENTIAL = 1 << 1;
        /// `MADV_DONTFORK`.
        const DONTFORK = 1 << 2;
        /// `MADV_WIPEONFORK`.
        const WIPEONFORK = 1 << 3;
        /// `MADV_DONTDUMP`.
        const DONTDUMP = 1 << 4;
        /// `MADV_HUGEPAGE`.
        const HUGEPAGE = 1 << 5;
        /// `MADV_NOHUGEPAGE`.
        const NOHUGEPAGE = 1 << 6;
        /// `MADV_MERGEABLE`.
        const MERGEABLE = 1 << 7;
    }
}

/// What an area is registered for, and with whom (`userfaultfd`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Registered {
    /// The context, 0 for none.
    pub context: u32,
    /// For pages that are missing.
    pub missing: bool,
    /// For writes to write-protected pages.
    pub protected: bool,
}

/// The attributes of all pages of an area. Two areas merge only if all of these are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// Permitted accesses; only `READ`, `WRITE`, `EXEC`.
    pub prot: Prot,
    /// Private, or the shared object.
    pub sharing: Sharing,
    /// Anonymous or the file.
    pub backing: Backing,
    /// Whether it grows.
    pub growth: Growth,
    /// Locked in memory.
    pub locking: Locking,
    /// `MAP_NORESERVE`.
    pub noreserve: bool,
    /// Counts as committed memory: private, and writable at some time (Linux: `VM_ACCOUNT`).
    pub account: bool,
    /// Sealed by `mseal`: it stays as it is.
    pub sealed: bool,
    /// An attachment of a segment (Linux: it has an operation for its end, so it never goes for a merge).
    pub attached: bool,
    /// Noted by `madvise`.
    pub advice: Advice,
    /// Faults that the program resolves.
    pub registered: Registered,
}

impl Attributes {
    /// Linux's `is_data_mapping`: private, writable, not a stack.
    pub(crate) fn is_data(&self) -> bool {
        self.prot.contains(Prot::WRITE) && self.sharing == Sharing::Private && self.growth == Growth::Fixed
    }

    /// Linux's `is_exec_mapping`: executable, not writable, not a stack.
    pub(crate) fn is_exec(&self) -> bool {
        self.prot.contains(Prot::EXEC) && !self.prot.contains(Prot::WRITE) && self.growth == Growth::Fixed
    }

    /// Linux's `is_stack_mapping`.
    pub(crate) fn is_stack(&self) -> bool {
        self.growth == Growth::Down
    }
}

/// The identity of a group of private pages that were written to: areas with different ones never merge
/// (Linux: `anon_vma`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnonGroup {
    pub(crate) number: u64,
    /// The pages may be those of a parent: such an area joins none that has no group (Linux: more than one entry in the
    /// `anon_vma_chain`).
    pub(crate) inherited: bool,
}

/// An area: `[start, end)` in page numbers, non-empty. The start is its key in the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// First page.
    pub start: u64,
    /// One past the last page.
    pub end: u64,
    /// What all its pages have in common.
    pub attributes: Attributes,
    /// Offset of the first page in what it maps, in pages.
    pub pgoff: u64,
    /// Set by the first write fault into a private area.
    pub group: Option<AnonGroup>,
}

impl Area {
    /// Number of pages.
    pub fn pages(&self) -> u64 {
        self.end - self.start
    }

    /// Offset of `page` in what the area maps.
    pub(crate) fn offset_of(&self, page: u64) -> u64 {
        self.pgoff + (page - self.start)
    }

    /// Whether range, attributes and offset are those of `other`, but for the names of objects and groups.
    pub fn is_like(&self, other: &Area) -> bool {
        let plain = |area: &Area| Area {
            group: None,
            attributes: Attributes {
                sharing: match area.attributes.sharing {
                    Sharing::Private => Sharing::Private,
                    Sharing::Shared(_) => Sharing::Shared(0),
                },
                ..area.attributes
            },
            ..*area
        };
        plain(self) == plain(other)
    }

    /// Where another mapping may end below: a stack keeps a guard gap of 256 pages (`vm_start_gap`).
    pub(crate) fn guarded_start(&self) -> u64 {
        match self.attributes.growth {
            Growth::Down => self.start.saturating_sub(STACK_GUARD_PAGES),
            Growth::Fixed => self.start,
        }
    }
}

/// Linux's `stack_guard_gap`, in pages.
pub(crate) const STACK_GUARD_PAGES: u64 = 256;

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attributes {
            prot,
            sharing,
            backing,
            growth,
            locking,
            noreserve,
            account,
            sealed,
            attached,
            advice,
            registered,
        } = self.attributes;
        write!(f, "{:#x}-{:#x} {prot:?} {sharing:?} {backing:?}", self.start * PAGE, self.end * PAGE)?;
        for (set, name) in [
            (growth == Growth::Down, "grows-down"),
            (locking == Locking::Now, "locked"),
            (locking == Locking::OnFault, "locked-on-fault"),
            (noreserve, "noreserve"),
            (account, "account"),
            (sealed, "sealed"),
            (attached, "attached"),
        ] {
            if set {
                write!(f, " {name}")?;
            }
        }
        if !advice.is_empty() {
            write!(f, " {advice:?}")?;
        }
        if registered != Registered::default() {
            write!(f, " {registered:?}")?;
        }
        write!(f, " pgoff {:#x}", self.pgoff)?;
        match self.group {
            Some(group) => write!(f, " {group:?}"),
            None => Ok(()),
        }
    }
}
