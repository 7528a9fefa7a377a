//! What an mmap asks for: raw arguments become types here, once.

use abi::mman::{MAP_HUGE_MASK, MAP_HUGE_SHIFT, Map as MapFlags, MapType, Prot};
use bitflags::bitflags;

use crate::error::MmError;
use crate::object::ObjectId;
use crate::range::{PAGE_SIZE, Page, PageRange, USER_END};
use crate::space::pages_for;

/// Where a mapping goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Wherever there is room, highest first.
    Anywhere,
    /// There if that is free and below 2 GiB, else wherever there is room from 1 GiB to 2 GiB, lowest first
    /// (`MAP_32BIT`). Page 0 stands for no hint.
    Low(Page),
    /// There if that is free, else anywhere.
    Hint(Page),
    /// There; what is there goes.
    Fixed(Page),
    /// There if that is free, else not at all.
    FixedNoReplace(Page),
}

/// Who sees stores to a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// This address space alone.
    Private,
    /// All that map the same object.
    Shared,
}

/// What is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Zero-filled memory.
    Anonymous,
    /// All of an object of shared anonymous memory, of which the caller has a reference, as an attachment.
    Attachment {
        /// The object.
        object: ObjectId,
    },
    /// The content of a file, of which the caller has a reference. Shared with all who map it shared, else copied on write.
    File {
        /// The object.
        object: ObjectId,
        /// Offset in it, in pages.
        first_page: u64,
    },
}

bitflags! {
    /// Further wishes.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MmapOptions: u32 {
        /// Fault all pages in at once.
        const POPULATE = 1 << 0;
        /// Do not reserve memory.
        const NORESERVE = 1 << 1;
        /// A stack that grows downwards.
        const GROWSDOWN = 1 << 2;
        /// Lock the pages in memory, which faults them in.
        const LOCKED = 1 << 3;
        /// A thread's stack: not worth huge pages (Linux from 6.7 on).
        const STACK = 1 << 4;
        /// A shared file that is not open for writing: can never be made writable.
        const NEVER_WRITE = 1 << 5;
    }
}

/// A checked mmap call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MmapRequest {
    /// Where.
    pub placement: Placement,
    /// How many pages, at least 1, at most the user half.
    pub pages: u64,
    /// Permitted accesses.
    pub prot: Prot,
    /// Who sees stores. `None` if the call said neither or both: refused, but only after the placement.
    pub sharing: Option<Sharing>,
    /// What.
    pub source: Source,
    /// Further wishes.
    pub options: MmapOptions,
}

impl MmapRequest {
    /// The request of an mmap call for anonymous memory with these raw arguments (bytes, `PROT_`, `MAP_`). Unknown
    /// bits of `prot` and `flags` have no effect, as on Linux.
    ///
    /// # Errors
    /// [`MmError::Invalid`] for length 0 or an unaligned fixed address, [`MmError::NoMemory`] if the range does not fit
    /// the user half or huge pages are wanted (none are reserved).
    #[inline(always)]
    pub fn decode(address: u64, length: u64, prot: u64, flags: u64) -> Result<Self, MmError> {
        let flags = MapFlags::from_bits_retain(flags);
        if flags.contains(MapFlags::HUGETLB) {
            return Err(refusal_of_huge_pages(address, length, flags));
        }
        if length == 0 {
            return Err(MmError::Invalid);
        }
        let pages = pages_for(length);
        if pages == 0 || length > USER_END {
            return Err(MmError::NoMemory);
        }
        let mut options = MmapOptions::empty();
        let nonblock = flags.contains(MapFlags::NONBLOCK);
        options.set(MmapOptions::POPULATE, flags.contains(MapFlags::POPULATE) && !nonblock);
        options.set(MmapOptions::NORESERVE, flags.contains(MapFlags::NORESERVE));
        options.set(MmapOptions::GROWSDOWN, flags.contains(MapFlags::GROWSDOWN));
        options.set(MmapOptions::LOCKED, flags.contains(MapFlags::LOCKED));
        options.set(MmapOptions::STACK, flags.contains(MapFlags::STACK));
        Ok(MmapRequest {
            placement: placement(address, pages, flags)?,
            pages,
            prot: Prot::from_bits_truncate(prot),
            sharing: match flags.map_type() {
                Some(MapType::Shared) => Some(Sharing::Shared),
                Some(MapType::Private) => Some(Sharing::Private),
                _ => None,
            },
            source: Source::Anonymous,
            options,
        })
    }

    /// A private anonymous mapping of `range`, which replaces what is there: for loaders.
    pub fn fixed(range: PageRange, prot: Prot, source: Source) -> Self {
        MmapRequest {
            placement: Placement::Fixed(range.start()),
            pages: range.pages(),
            prot,
            sharing: Some(Sharing::Private),
            source,
            options: MmapOptions::empty(),
        }
    }
}

/// Why there is no mapping of huge pages: a wrong argument, or that none are reserved. (Linux makes one with
/// `MAP_NORESERVE`, and an access is SIGBUS.)
fn refusal_of_huge_pages(address: u64, length: u64, flags: MapFlags) -> MmError {
    const DEFAULT: u64 = 21;
    let size = match flags.bits() >> MAP_HUGE_SHIFT & MAP_HUGE_MASK {
        0 => 1 << DEFAULT,
        log @ (DEFAULT | 30) => 1 << log,
        _ => return MmError::Invalid,
    };
    let exact = flags.intersects(MapFlags::FIXED | MapFlags::FIXED_NOREPLACE);
    let empty = length.wrapping_add(size - 1) < size;
    if empty || (exact && !address.is_multiple_of(size)) || flags.map_type().is_none() {
        return MmError::Invalid;
    }
    MmError::NoMemory
}

fn placement(address: u64, pages: u64, flags: MapFlags) -> Result<Placement, MmError> {
    let no_replace = flags.contains(MapFlags::FIXED_NOREPLACE);
    if no_replace || flags.contains(MapFlags::FIXED) {
        if address > USER_END - pages * PAGE_SIZE {
            return Err(MmError::NoMemory);
        }
        let page = Page::starting_at(address).ok_or(MmError::Invalid)?;
        return Ok(if no_replace { Placement::FixedNoReplace(page) } else { Placement::Fixed(page) });
    }
    Ok(match Page::containing(address) {
        page if flags.contains(MapFlags::_32BIT) => Placement::Low(page),
        Page::ZERO => Placement::Anywhere,
        page => Placement::Hint(page),
    })
}
