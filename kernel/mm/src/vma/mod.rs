//! Virtual memory areas: a range of pages with one set of properties.
//!
//! ```text
//!        start                               end
//!          |------------- vma ----------------|        pages, half-open
//!        pgoff                                         offset of `start` in what is mapped, in pages
//! ```
//!
//! VMAs are type-stable: their memory is only ever a VMA (I25). All fields are atomics, so that a reader
//! may look at one that is being changed or recycled and notice. Plain loads are enough under any lock.

mod flags;
mod lock;
mod merge;
#[cfg(test)]
mod tests;

use core::fmt::{self, Write as _};

pub use flags::{Access, VmaFlags};
pub use lock::{Locked, WriteSection};
pub(crate) use lock::{NotLocked, ReadLocked};
pub(crate) use merge::Reach;

use crate::frame::Frame;
use crate::object::ObjectId;
use crate::range::{Page, PageRange, PageSize};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Link, Pool, linked};

/// The pool of all VMA objects of a machine.
pub type VmaPool = Pool<Vma>;

/// What lies behind the pages of a VMA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// Zero-filled memory.
    Anonymous,
    /// A shared object of zero-filled memory. Every shared anonymous mapping makes one of its own; a VMA holds a
    /// reference.
    SharedAnonymous {
        /// The object.
        object: ObjectId,
    },
    /// The content of a file, shared or private: as `VmaFlags::SHARED` says. A VMA holds a reference.
    File {
        /// The object.
        object: ObjectId,
    },
}

impl Backing {
    /// Bit of a file; the others are its root and 1. Roots are so far below that it is free.
    const FILE: u32 = 1 << 31;

    fn encode(self) -> u32 {
        match self {
            Backing::Anonymous => 0,
            Backing::SharedAnonymous { object } => object.root().number() + 1,
            Backing::File { object } => Self::FILE | (object.root().number() + 1),
        }
    }

    fn decode(word: u32) -> Self {
        match word {
            0 => Backing::Anonymous,
            word => {
                let object = ObjectId::new(Frame::new((word & !Self::FILE) - 1));
                if word & Self::FILE != 0 {
                    Backing::File { object }
                } else {
                    Backing::SharedAnonymous { object }
                }
            }
        }
    }
}

/// The identity of the anonymous memory of a VMA (Linux: its `anon_vma`). A VMA gets one at the first write
/// fault; VMAs with different ones never merge.
///
/// A child's VMA has an identity of its own, marked as inherited, for each of the parent's that had one (Linux: an
/// `anon_vma_chain` with more than one entry): it never becomes that of memory that had none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnonId(pub u64);

impl AnonId {
    const INHERITED: u64 = 1 << 63;

    /// The same, as the identity of memory that has pages of a parent.
    #[must_use]
    pub const fn inherited(self) -> Self {
        AnonId(self.0 | Self::INHERITED)
    }

    /// Whether the memory may have pages of a parent.
    pub const fn is_inherited(self) -> bool {
        self.0 & Self::INHERITED != 0
    }
}

/// The address space that a VMA belongs to, by a number that no two address spaces of a machine ever have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner(pub(crate) u64);

/// Everything that describes a VMA, by value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VmaInfo {
    /// The pages.
    pub range: PageRange,
    /// Properties.
    pub flags: VmaFlags,
    /// What lies behind.
    pub backing: Backing,
    /// Offset of the first page in what is mapped, in pages. For private anonymous memory the page number
    /// at which it was first mapped.
    pub pgoff: u64,
    /// Identity of the anonymous memory, once there is any.
    pub anon: Option<AnonId>,
}

/// A virtual memory area.
///
/// Fields are written under the mmap write lock and the VMA write lock, read under either lock for reading;
/// except `anon`, which goes from 0 to a value once, under the mmap read lock, by compare-and-exchange, and `owner`, which
/// is written while the VMA is detached and read by anybody who has a reference.
#[derive(Default)]
pub struct Vma {
    lock: lock::VmaLock,
    /// The address space that it is or was attached to last ([`Owner`]).
    owner: AtomicU64,
    /// Place in the list of VMAs that an unmap took out; owned by that unmap.
    link: Link<Vma>,
    /// First page.
    start: AtomicU64,
    /// One past the last page.
    end: AtomicU64,
    /// Offset of the first page in what is mapped.
    pgoff: AtomicU64,
    /// Identity of the anonymous memory, 0 for none yet.
    anon: AtomicU64,
    /// [`VmaFlags`].
    flags: AtomicU64,
    /// [`Backing`], encoded.
    backing: AtomicU32,
}

linked!(Vma, link);

impl Vma {
    /// The pages. The range is never empty in a VMA that is attached.
    #[inline]
    pub fn range(&self) -> PageRange {
        PageRange::new(self.start(), self.end()).unwrap_or(PageRange::single(self.start()))
    }

    /// First page.
    #[inline]
    pub fn start(&self) -> Page {
        Page::new(self.start.load(Ordering::Relaxed))
    }

    /// One past the last page.
    #[inline]
    pub fn end(&self) -> Page {
        Page::new(self.end.load(Ordering::Relaxed))
    }

    /// Number of pages.
    #[inline]
    pub fn pages(&self) -> u64 {
        self.end().number() - self.start().number()
    }

    /// Properties.
    #[inline]
    pub fn flags(&self) -> VmaFlags {
        VmaFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// What lies behind the pages.
    #[inline]
    pub fn backing(&self) -> Backing {
        Backing::decode(self.backing.load(Ordering::Relaxed))
    }

    /// Offset of the first page in what is mapped, in pages.
    #[inline]
    pub fn pgoff(&self) -> u64 {
        self.pgoff.load(Ordering::Relaxed)
    }

    /// Offset of `page`, which is inside, in what is mapped, in pages.
    #[inline]
    pub fn offset_of(&self, page: Page) -> u64 {
        self.pgoff().wrapping_add(page.number() - self.start().number())
    }

    /// Identity of the anonymous memory.
    #[inline]
    pub fn anon(&self) -> Option<AnonId> {
        match self.anon.load(Ordering::Relaxed) {
            0 => None,
            id => Some(AnonId(id)),
        }
    }

    /// Gives the VMA's anonymous memory the identity `id` if it has none yet. Caller holds the mmap lock (read).
    pub(crate) fn set_anon_once(&self, id: AnonId) {
        // A concurrent fault may have been first: then its identity stands.
        let _ = self.anon.compare_exchange(0, id.0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A copy of everything.
    pub fn info(&self) -> VmaInfo {
        VmaInfo {
            range: self.range(),
            flags: self.flags(),
            backing: self.backing(),
            pgoff: self.pgoff(),
            anon: self.anon(),
        }
    }
}

impl Locked<'_, '_> {
    /// Describes the VMA anew. It is write-locked, and either new or about to be adjusted in the tree.
    pub(crate) fn describe(self, info: &VmaInfo) {
        self.start.store(info.range.start().number(), Ordering::Relaxed);
        self.end.store(info.range.end().number(), Ordering::Relaxed);
        self.pgoff.store(info.pgoff, Ordering::Relaxed);
        self.anon.store(info.anon.map_or(0, |id| id.0), Ordering::Relaxed);
        self.flags.store(info.flags.bits(), Ordering::Relaxed);
        self.backing.store(info.backing.encode(), Ordering::Relaxed);
    }

    /// Changes the bounds; the offset moves with the start (I4).
    pub(crate) fn set_range(self, range: PageRange) {
        let moved = range.start().number().wrapping_sub(self.start().number());
        self.pgoff.store(self.pgoff().wrapping_add(moved), Ordering::Relaxed);
        self.start.store(range.start().number(), Ordering::Relaxed);
        self.end.store(range.end().number(), Ordering::Relaxed);
    }

    /// Forgets the identity of the anonymous memory: there is none any more.
    pub(crate) fn clear_anon(self) {
        self.anon.store(0, Ordering::Relaxed);
    }

    /// Changes the properties.
    pub(crate) fn set_flags(self, flags: VmaFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }
}

impl VmaInfo {
    /// Whether it is of private anonymous memory and covers what a huge leaf maps.
    pub fn has_room_for_huge_pages(&self) -> bool {
        let pages = PageSize::Huge.pages();
        let first = Page::new(self.range.start().number().next_multiple_of(pages));
        self.backing == Backing::Anonymous
            && PageRange::from_start(first, pages).is_some_and(|huge| self.range.covers(huge))
    }

    /// The part of this VMA that covers `range`, with its offset (I4).
    pub fn part(&self, range: PageRange) -> VmaInfo {
        let moved = range.start().number().wrapping_sub(self.range.start().number());
        VmaInfo { range, pgoff: self.pgoff.wrapping_add(moved), ..*self }
    }
}

impl VmaFlags {
    /// Permissions as in the second column of `/proc/PID/maps`.
    pub fn letters(self) -> [u8; 4] {
        let column = |flag, letter, none| if self.contains(flag) { letter } else { none };
        [
            column(VmaFlags::READ, b'r', b'-'),
            column(VmaFlags::WRITE, b'w', b'-'),
            column(VmaFlags::EXEC, b'x', b'-'),
            column(VmaFlags::SHARED, b's', b'p'),
        ]
    }
}

/// The permissions, as [`letters`](VmaFlags::letters).
impl fmt::Display for VmaFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters().into_iter().try_for_each(|letter| f.write_char(letter.into()))
    }
}

impl fmt::Display for VmaInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.range, self.flags)
    }
}

impl fmt::Debug for Vma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_attached() { "attached" } else { "detached" };
        write!(f, "Vma({} {state})", self.info())
    }
}
