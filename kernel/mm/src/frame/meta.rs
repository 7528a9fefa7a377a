//! What is known of every physical frame.

use core::fmt;

use x86_64::PhysAddr;

use crate::range::{PAGE_SHIFT, PAGE_SIZE};
use crate::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// A physical frame of 4 KiB, by number (address >> 12). 2^32 of them are 16 TiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(u32);

impl Frame {
    /// The frame with this number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        Frame(number)
    }

    /// The frame that starts at `address` (bytes), if that is page aligned and below 16 TiB.
    #[inline]
    pub fn from_address(address: PhysAddr) -> Option<Self> {
        if address.is_aligned(PAGE_SIZE) {
            u32::try_from(address.as_u64() >> PAGE_SHIFT).ok().map(Frame)
        } else {
            None
        }
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Address of its first byte.
    #[inline]
    pub const fn address(self) -> PhysAddr {
        PhysAddr::new_truncate((self.0 as u64) << PAGE_SHIFT)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// No memory that the allocator may hand out, or not the first frame of its block.
    Unusable = 0,
    /// First frame of a free block.
    Free,
    /// The kernel's own: stacks, heap, buffers.
    Kernel,
    /// Private memory of users; copied on write while several mappings share it.
    Anonymous,
    /// A block of private memory of users that huge leaves map as a whole.
    Huge,
    /// Memory of users that is shared on purpose: writes go to all who map it. Its object has a reference.
    Shared,
    /// Content of a file: writes through shared mappings go to all who map it. Its object has a reference, but may give it up.
    Cache,
    /// The page of zeroes that read faults map. Not counted, never freed, never writable.
    Zero,
    /// A page table.
    Table,
    /// A node of a shared object.
    Object,
    /// Cut into objects by a pool.
    Slab,
}

/// Number of kinds.
pub(super) const KINDS: usize = FrameKind::ALL.len();

impl FrameKind {
    /// All kinds, in order.
    pub const ALL: [FrameKind; 11] = [
        FrameKind::Unusable,
        FrameKind::Free,
        FrameKind::Kernel,
        FrameKind::Anonymous,
        FrameKind::Huge,
        FrameKind::Shared,
        FrameKind::Cache,
        FrameKind::Zero,
        FrameKind::Table,
        FrameKind::Object,
        FrameKind::Slab,
    ];

    /// The kind with this number, as [`FrameMeta`] stores it.
    #[inline]
    pub(super) const fn from_number(number: u8) -> FrameKind {
        // A power of two, as the kind is looked at for every frame that comes or goes.
        const KNOWN: [FrameKind; KINDS.next_power_of_two()] = {
            let mut known = [FrameKind::Unusable; KINDS.next_power_of_two()];
            let mut number = 0;
            while number < KINDS {
                known[number] = FrameKind::ALL[number];
                number += 1;
            }
            known
        };
        KNOWN[number as usize % KNOWN.len()]
    }
}

/// Metadata of one frame: 16 bytes, and all zeroes is a valid state (unusable), so that the metadata of a whole
/// machine needs no initialisation beyond zeroed memory.
///
/// | state | `kind` | `references` | `order` | links |
/// | --- | --- | --- | --- | --- |
/// | unusable, or inside a block | `Unusable` | 0 | any | any |
/// | first of a free block in a list | `Free` | 0 | its order | neighbours in the list |
/// | free single frame in a cache | `Free` | 0 | `CACHED` | `next` in the cache |
/// | first of an allocated block | the others | 1 or more | its order | `next` in a batch or chain, if in one |
/// | a page table | `Table` | 1 | 0 | `previous`: first of the tables that it keeps; `next`: next one that is kept with it |
///
/// Kind, order and links change under the lock of the lists, or of the cache that the frame is in, goes to or comes from; but for the link of a frame with one reference, which is
/// the holder's, that of a frame in a [chain](super::FrameChain), and those of a table, which are under its page-table lock; references change by whoever holds one, those of a block
/// that huge leaves map under the lock of the lists.
#[derive(Default)]
#[repr(C, align(16))]
pub struct FrameMeta {
    pub(super) references: AtomicU32,
    pub(super) next: AtomicU32,
    pub(super) previous: AtomicU32,
    /// Kind in the low byte, order in the high one: in one word, as whoever frees a buddy looks at both without the lock under which
    /// they change.
    state: AtomicU16,
}

const _: () = assert!(size_of::<FrameMeta>() == 16);

const fn state(kind: FrameKind, order: u8) -> u16 {
    kind as u16 | (order as u16) << 8
}

impl FrameMeta {
    /// What the frame is used for.
    #[inline]
    pub(super) fn kind(&self) -> FrameKind {
        FrameKind::from_number(self.state.load(Ordering::Relaxed) as u8)
    }

    /// The order of the block that begins here.
    #[inline]
    pub(super) fn order(&self) -> u8 {
        (self.state.load(Ordering::Relaxed) >> 8) as u8
    }

    /// Whether both are so.
    #[inline]
    pub(super) fn is(&self, kind: FrameKind, order: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state(kind, order)
    }

    /// Sets both at once.
    #[inline]
    pub(super) fn set(&self, kind: FrameKind, order: u8) {
        self.state.store(state(kind, order), Ordering::Relaxed);
    }

    /// Takes away one reference unless it is the only one; whether it did. What others have done with the frame is visible
    /// to the one whose reference is left.
    #[inline]
    pub(super) fn release_unless_last(&self) -> bool {
        let mut references = self.references.load(Ordering::Acquire);
        while references > 1 {
            match self.references.compare_exchange_weak(
                references,
                references - 1,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => references = now,
            }
        }
        false
    }
}
