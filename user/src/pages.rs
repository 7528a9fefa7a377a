//! Shorthand for mappings of whole pages.

use crate::check_eq;
use crate::sys::{mmap, munmap};
use abi::Errno;
use abi::mman::{Map, Prot};

/// Size of a page in bytes.
pub const PAGE: u64 = 4096;

/// Addresses that no program can use: null, just above it, the end of the user half, the first non-canonical one,
/// two of the kernel's, and the last.
pub const WILD: [u64; 7] =
    [0, 1, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_8000_0000_0000, 0xffff_ffff_8020_0000, u64::MAX];

/// Maps this many private, readable and writable pages where the kernel likes, and returns the address.
pub fn map(pages: u64) -> u64 {
    mmap(0, pages * PAGE, Prot::READ_WRITE, Map::PRIVATE).expect("mmap")
}

/// Maps this many private pages at exactly this address, replacing what is there.
pub fn map_at(address: u64, pages: u64, prot: Prot) {
    check_eq!(mmap(address, pages * PAGE, prot, Map::PRIVATE | Map::FIXED), Ok(address));
}

/// The address of this many pages that are free, with a free page on both sides.
///
/// Mappings made inside with `MAP_FIXED` have neighbours and merge only as the program decides.
pub fn reserve(pages: u64) -> u64 {
    let address = map(pages + 2);
    check_eq!(munmap(address, (pages + 2) * PAGE), Ok(0));
    address + PAGE
}

/// Skips the program where the kernel has no `mseal`: Linux before 6.10.
pub fn needs_mseal() {
    if crate::sys::mseal(0, 0) == Err(Errno::ENOSYS) {
        crate::skip::skip(format_args!("this Linux has no mseal"));
    }
}

/// Skips the program where the kernel has no guards, or none but in private memory: Linux before 6.15.
pub fn needs_guards() {
    let shared = mmap(0, PAGE, Prot::READ_WRITE, Map::SHARED).expect("mmap");
    if crate::sys::madvise(shared, PAGE, abi::mman::MADV_GUARD_INSTALL) == Err(Errno::EINVAL) {
        crate::skip::skip(format_args!("this Linux has no guards"));
    }
}

/// Writes a different byte to the start of each of `pages` pages: see [`check_stamps`].
pub fn stamp(address: u64, pages: u64) {
    for page in 0..pages {
        crate::rt::memory::write_byte(address + page * PAGE, stamp_of(address + page * PAGE));
    }
}

/// Checks that each of `pages` pages still has the byte that [`stamp`] wrote.
pub fn check_stamps(address: u64, pages: u64) {
    for page in 0..pages {
        let address = address + page * PAGE;
        check_eq!((address, crate::rt::memory::read_byte(address)), (address, stamp_of(address)));
    }
}

/// Checks that `pages` pages that were at `old` when [`stamp`] wrote to them are at `new` now.
pub fn check_moved_stamps(old: u64, new: u64, pages: u64) {
    for page in 0..pages {
        let (old, new) = (old + page * PAGE, new + page * PAGE);
        check_eq!((new, crate::rt::memory::read_byte(new)), (new, stamp_of(old)));
    }
}

/// Checks that the first and the last word of each of `pages` pages are zero.
pub fn check_zero(address: u64, pages: u64) {
    for page in 0..pages {
        for word in [0, PAGE - 8] {
            let address = address + page * PAGE + word;
            check_eq!((address, crate::rt::memory::read_word(address)), (address, 0));
        }
    }
}

/// The byte that [`stamp`] writes to this page: never 0, and different for pages less than 255 apart.
fn stamp_of(address: u64) -> u8 {
    (address / PAGE % 255 + 1) as u8
}
