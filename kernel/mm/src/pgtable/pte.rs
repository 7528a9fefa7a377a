//! Page-table entries by value, and what they allow.

use core::fmt;

use x86_64::structures::paging::PageTableFlags as Flags;

use crate::frame::Frame;
use crate::range::{PAGE_SHIFT, Page, PageSize};

/// What user code may do with a page. x86 can read whatever is present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Nothing; the frame is kept (`PROT_NONE`).
    None,
    /// Read.
    Read,
    /// Read and execute.
    ReadExecute,
    /// Read and write.
    ReadWrite,
    /// Read, write and execute.
    ReadWriteExecute,
}

impl Protection {
    /// Whether user code may write.
    #[inline]
    pub const fn is_writable(self) -> bool {
        matches!(self, Protection::ReadWrite | Protection::ReadWriteExecute)
    }

    /// Whether user code may execute.
    #[inline]
    pub const fn is_executable(self) -> bool {
        matches!(self, Protection::ReadExecute | Protection::ReadWriteExecute)
    }

    /// The same without the right to write.
    #[inline]
    pub const fn without_write(self) -> Self {
        match self {
            Protection::ReadWrite => Protection::Read,
            Protection::ReadWriteExecute => Protection::ReadExecute,
            other => other,
        }
    }
}

/// Software bit: the entry maps a frame rather than leading to a table, be it present or not.
const LEAF: Flags = Flags::BIT_9;
/// All of an entry that leads to a table but the address.
const TABLE: Flags =
    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::USER_ACCESSIBLE).union(Flags::ACCESSED);
/// Software bit of an entry that is nothing else: an access is SIGSEGV.
const GUARD: Flags = Flags::BIT_10;
/// Software bit of a huge leaf that is being split.
const SPLITTING: Flags = Flags::BIT_11;
/// Software bit of a small leaf that the program has write-protected (`UFFDIO_WRITEPROTECT`); it is never writable.
const WRITE_PROTECTED: Flags = Flags::BIT_52;
/// Bits of the frame's address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// A page-table entry, by value (Intel SDM volume 3, 4.5.4; AMD APM volume 2, 5.3).
///
/// | `LEAF` | present | meaning |
/// | --- | --- | --- |
/// | 0 | 0 | absent; all bits are 0. Or a guard; all bits but one |
/// | 0 | 1 | leads to a table |
/// | 1 | 1 | maps a frame |
/// | 1 | 0 | keeps a frame that may not be accessed ([`Protection::None`]), or a huge leaf that is being split |
///
/// A huge leaf has the bit for a page of 2 MiB, be it present or not; it is in a table of level 1, all others are of level 0.
/// Accessed, and dirty where writable, are set from the start, so the processor never writes an entry.
/// Dirty without writable would be a shadow stack and does not occur.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Pte(u64);

/// The meaning of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PteView {
    /// Nothing.
    Absent,
    /// A table of the next level.
    Table(Frame),
    /// A page.
    Leaf {
        /// Its frame.
        frame: Frame,
        /// What user code may do with it.
        protection: Protection,
        /// How much it maps: the frame is the first one.
        size: PageSize,
    },
    /// No page, and there shall be none: a guard (`MADV_GUARD_INSTALL`).
    Guard,
}

impl Pte {
    /// Nothing.
    pub const ABSENT: Pte = Pte(0);
    /// A guard: no page, and faults do not bring one.
    pub const GUARD: Pte = Pte(GUARD.bits());

    /// The entry with these bits.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Pte(bits)
    }

    /// Its bits.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// An entry that leads to the table in `frame` and leaves all protection to the leaf.
    #[inline]
    pub const fn table(frame: Frame) -> Self {
        Pte(frame.address().as_u64() | TABLE.bits())
    }

    /// An entry that maps `frame`.
    #[inline]
    pub const fn leaf(frame: Frame, protection: Protection) -> Self {
        const READ: Flags = LEAF.union(Flags::PRESENT).union(Flags::USER_ACCESSIBLE).union(Flags::ACCESSED);
        const WRITE: Flags = READ.union(Flags::WRITABLE).union(Flags::DIRTY);
        let flags = match protection {
            // As if it were not executable, so that it grants nothing.
            Protection::None => LEAF.union(Flags::NO_EXECUTE),
            Protection::Read => READ.union(Flags::NO_EXECUTE),
            Protection::ReadExecute => READ,
            Protection::ReadWrite => WRITE.union(Flags::NO_EXECUTE),
            Protection::ReadWriteExecute => WRITE,
        };
        Pte(frame.address().as_u64() | flags.bits())
    }

    /// An entry of a table of level 1 that maps the block of 2 MiB at `block`.
    #[inline]
    pub const fn huge_leaf(block: Frame, protection: Protection) -> Self {
        Pte(Pte::leaf(block, protection).0 | Flags::HUGE_PAGE.bits())
    }

    /// A leaf of the same size with the same frame, and this protection.
    #[inline]
    pub(super) const fn with_protection(self, protection: Protection) -> Self {
        Pte(Pte::leaf(self.frame(), protection).0 | self.0 & Flags::HUGE_PAGE.bits())
    }

    /// A huge leaf while it is being split: nobody may access the block.
    #[inline]
    pub(super) const fn splitting(self) -> Self {
        Pte(self.0 & !Flags::PRESENT.bits() | SPLITTING.bits())
    }

    /// Whether it is a huge leaf that is being split. Its protection is not told.
    #[inline]
    pub const fn is_splitting(self) -> bool {
        self.0 & SPLITTING.bits() != 0
    }

    /// How much a leaf maps.
    #[inline]
    pub const fn size(self) -> PageSize {
        if self.0 & Flags::HUGE_PAGE.bits() != 0 { PageSize::Huge } else { PageSize::Small }
    }

    /// The frame that a leaf, which is the one for `page`, maps that page to.
    #[inline]
    pub const fn frame_of(self, page: Page) -> Frame {
        Frame::new(self.frame().number() + (page.number() % self.size().pages()) as u32)
    }

    /// A leaf without the right to write.
    #[inline]
    pub(super) const fn without_write(self) -> Self {
        const RIGHTS: Flags = Flags::WRITABLE.union(Flags::DIRTY);
        Pte(self.0 & !RIGHTS.bits())
    }

    /// A small leaf that the program has write-protected.
    #[inline]
    pub(super) const fn write_protected(self) -> Self {
        Pte(self.without_write().0 | WRITE_PROTECTED.bits())
    }

    /// A leaf that the program has not write-protected; it is as writable as before.
    #[inline]
    pub(super) const fn without_write_protection(self) -> Self {
        Pte(self.0 & !WRITE_PROTECTED.bits())
    }

    /// Whether it is a leaf that the program has write-protected.
    #[inline]
    pub const fn is_write_protected(self) -> bool {
        self.0 & WRITE_PROTECTED.bits() != 0
    }

    /// What it means.
    #[inline]
    pub const fn view(self) -> PteView {
        if self.0 & LEAF.bits() != 0 {
            PteView::Leaf { frame: self.frame(), protection: self.protection(), size: self.size() }
        } else if self.is_present() {
            PteView::Table(self.frame())
        } else if self.0 == Pte::GUARD.0 {
            PteView::Guard
        } else {
            PteView::Absent
        }
    }

    /// Whether it is absent.
    #[inline]
    pub const fn is_absent(self) -> bool {
        self.0 == 0
    }

    /// Whether it maps a frame, be it present or not.
    #[inline]
    pub const fn is_leaf(self) -> bool {
        self.0 & LEAF.bits() != 0
    }

    /// Whether the processor follows it.
    #[inline]
    pub const fn is_present(self) -> bool {
        self.0 & Flags::PRESENT.bits() != 0
    }

    /// The table it leads to, if it does.
    #[inline]
    pub(super) const fn as_table(self) -> Option<Frame> {
        // The low byte tells: no leaf is writable without being dirty.
        let is_table = self.0 as u8 == TABLE.bits() as u8;
        debug_assert!(is_table == matches!(self.view(), PteView::Table(_)));
        if is_table { Some(self.frame()) } else { None }
    }

    /// The frame of a leaf or table.
    #[inline]
    pub(crate) const fn frame(self) -> Frame {
        Frame::new(((self.0 & ADDRESS) >> PAGE_SHIFT) as u32)
    }

    /// The protection of a leaf.
    #[inline]
    const fn protection(self) -> Protection {
        let flags = Flags::from_bits_retain(self.0);
        if !flags.contains(Flags::PRESENT) {
            return Protection::None;
        }
        match (flags.contains(Flags::WRITABLE), flags.contains(Flags::NO_EXECUTE)) {
            (false, true) => Protection::Read,
            (false, false) => Protection::ReadExecute,
            (true, true) => Protection::ReadWrite,
            (true, false) => Protection::ReadWriteExecute,
        }
    }

    /// Whether a TLB that still holds this entry would allow something that `new` does not, or map another frame.
    #[inline]
    pub(super) const fn needs_flush(self, new: Pte) -> bool {
        self.is_present() && (self.has_of(lacks(new.0)) || (self.0 ^ new.0) & ADDRESS != 0)
    }

    /// This small leaf with other rights, and whether it loses some.
    #[inline]
    pub(super) const fn with_rights(self, rights: Rights) -> (Self, bool) {
        debug_assert!(self.is_present() || !self.has_of(GRANTS | DENIES));
        (Pte(self.0 & ADDRESS | rights.bits), self.has_of(rights.lacks))
    }

    /// Whether it, which is present or a small leaf, grants something of what another one [`lacks`].
    #[inline]
    const fn has_of(self, lacks: u64) -> bool {
        (self.0 ^ DENIES) & lacks != 0
    }
}

/// Bits that grant something when they are set.
const GRANTS: u64 = Flags::PRESENT.union(Flags::WRITABLE).bits();
/// The bit that grants something when it is not set.
const DENIES: u64 = Flags::NO_EXECUTE.bits();

/// What an entry of these bits does not grant.
#[inline]
const fn lacks(bits: u64) -> u64 {
    GRANTS & !bits | DENIES & bits
}

/// The rights of a small leaf, made up once for many.
#[derive(Clone, Copy)]
pub(super) struct Rights {
    /// All of the entry but the frame.
    bits: u64,
    /// What it does not grant.
    lacks: u64,
}

impl Rights {
    /// Those of this protection.
    pub(super) const fn of(protection: Protection) -> Self {
        let Pte(bits) = Pte::leaf(Frame::new(0), protection);
        Rights { bits, lacks: lacks(bits) }
    }
}

impl fmt::Debug for Pte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pte({:#x}: {:?})", self.0, self.view())
    }
}
