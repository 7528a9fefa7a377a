//! What is known of every physical frame.

use core::fmt;

use x86_64::PhysAddr;

use crate::range::{PAGE_SHIFT, PAGE_SIZE};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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
    /// The page of zeroes that read faults map. Not counted, never freed, never writable: always as if others had it, too.
    Zero,
    /// A page table.
    Table,
    /// A node of a shared object.
    Object,
    /// Cut into objects by a pool.
    Slab,
}

/// log2 of the frames in a block that a huge leaf maps.
pub(super) const HUGE_ORDER: u8 = 9;

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

    /// Number of references that a new frame of this kind has.
    #[inline(always)]
    pub(super) const fn first_references(self) -> u32 {
        match self {
            // Never the last one.
            FrameKind::Zero => 2,
            _ => 1,
        }
    }

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
/// | state | kind | references | order | links |
/// | --- | --- | --- | --- | --- |
/// | unusable, or inside a block | `Unusable` | 0 | any | any |
/// | first of a free block in a list | `Free` | 0 | its order | neighbours in the list |
/// | free single frame in a cache | `Free` | 0 | `CACHED`, or `EMPTY` if it has zeroes only | `next` in the cache |
/// | first of an allocated block | the others | 1 or more | its order | `next` in a batch or chain, if in one |
/// | a page table | `Table` | 1 | 0 | `previous`: first of the tables that it keeps; `next`: next one that is kept with it |
///
/// Kind, order and links change under the lock of the lists, or of the cache that the frame is in, goes to or comes from;
/// but for the link of a frame with one reference, which is the holder's, that of a frame in a [chain](super::FrameChain),
/// and those of a table, which are under its page-table lock; references change by whoever holds one, those of a block that
/// huge leaves map under the lock of the lists.
#[derive(Default)]
#[repr(C, align(16))]
pub struct FrameMeta {
    /// [`State`], in one word: whoever frees a buddy looks at kind and order without the lock under which they change, and one
    /// look tells a frame that is nobody else's.
    state: AtomicU64,
    pub(super) next: AtomicU32,
    pub(super) previous: AtomicU32,
}

const _: () = assert!(size_of::<FrameMeta>() == 16);

/// Kind, order and references of a frame, by value: kind in the lowest byte, order in the next one, references in the high half.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u64);

impl State {
    const ONE_REFERENCE: u64 = 1 << u32::BITS;
    /// A frame of private memory that nobody else has.
    pub(super) const EXCLUSIVE: State = State::new(FrameKind::Anonymous, 0, 1);
    /// A block of private memory that nobody else has.
    pub(super) const EXCLUSIVE_BLOCK: State = State::new(FrameKind::Huge, HUGE_ORDER, 1);

    pub(super) const fn new(kind: FrameKind, order: u8, references: u32) -> Self {
        State(kind as u64 | (order as u64) << 8 | (references as u64) << u32::BITS)
    }

    /// What the frame is used for.
    #[inline]
    pub(super) const fn kind(self) -> FrameKind {
        FrameKind::from_number(self.0 as u8)
    }

    /// Whether it is used for that.
    #[inline]
    pub(super) const fn is(self, kind: FrameKind) -> bool {
        self.0 as u8 == kind as u8
    }

    /// The order of the block that begins here.
    #[inline]
    pub(super) const fn order(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Number of references.
    #[inline]
    pub(super) const fn references(self) -> u32 {
        (self.0 >> u32::BITS) as u32
    }
}

impl FrameMeta {
    /// All at once; what others have done with the frame before they gave up a reference is visible.
    #[inline]
    pub(super) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    /// Sets all at once. Nobody else changes references meanwhile.
    #[inline]
    pub(super) fn set(&self, state: State) {
        self.state.store(state.0, Ordering::Relaxed);
    }

    /// What the frame is used for.
    #[inline]
    pub(super) fn kind(&self) -> FrameKind {
        self.state().kind()
    }

    /// One reference more.
    #[inline]
    pub(super) fn add_reference(&self) {
        self.state.fetch_add(State::ONE_REFERENCE, Ordering::Relaxed);
    }

    /// One reference less; the state before.
    #[inline]
    pub(super) fn remove_reference(&self) -> State {
        State(self.state.fetch_sub(State::ONE_REFERENCE, Ordering::Release))
    }

    /// Takes away one reference unless it is the only one; whether it did. What others have done with the frame is visible
    /// to the one whose reference is left.
    #[inline]
    pub(super) fn release_unless_last(&self) -> bool {
        let mut state = self.state();
        while state.references() > 1 {
            match self.state.compare_exchange_weak(
                state.0,
                state.0 - State::ONE_REFERENCE,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => state = State(now),
            }
        }
        false
    }
}
