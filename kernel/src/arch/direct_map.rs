//! Physical memory through the direct map.
//!
//! Frames are named by physical address here; who may touch which frame is the memory manager's business:
//! its allocator gives each frame to one owner.

use core::arch::asm;
use core::ops::Range;
use core::slice;

use maple::Node;
use mm::PAGE_SIZE;
use mm::frame::FrameMeta;
use mm::pgtable::Table;
use mm::platform::SlabPage;

use super::paging::DIRECT_MAP;
use super::vector;

/// Nodes that a frame holds.
pub(crate) const NODES_PER_PAGE: usize = PAGE_SIZE as usize / size_of::<Node>();
/// A frame cut into nodes.
type NodePage = [Node; NODES_PER_PAGE];

/// Where a physical address is mapped.
pub(super) fn address(physical: u64) -> *mut u8 {
    (DIRECT_MAP + physical) as *mut u8
}

/// Fills the frame at `physical` with zeroes. The caller owns the frame, which is RAM.
#[inline]
pub(crate) fn zero(physical: u64) {
    let page = address(physical);
    // SAFETY: the frame is in the direct map and owned by the caller.
    unsafe { if vector::is_wanted() { vector::zero(page) } else { zero_by_string(page) } }
}

/// # Safety
/// The page is mapped and the caller's to write.
#[inline]
pub(super) unsafe fn zero_by_string(page: *mut u8) {
    // SAFETY: the caller's contract; the direction flag is clear in the kernel.
    unsafe {
        asm!("rep stosq", inout("rdi") page => _, inout("ecx") 512 => _, in("eax") 0,
            options(nostack, preserves_flags));
    }
}

/// Copies the frame at `from` to the frame at `to`, which is another and owned by the caller; both are RAM.
#[inline]
pub(crate) fn copy(from: u64, to: u64) {
    let (from, to) = (address(from), address(to));
    // SAFETY: both are in the direct map; `to` is owned by the caller.
    unsafe { if vector::is_wanted() { vector::copy(from, to) } else { copy_by_string(from, to) } }
}

/// # Safety
/// Both pages are mapped, and `to` is the caller's to write.
#[inline]
pub(super) unsafe fn copy_by_string(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's contract; the direction flag is clear in the kernel.
    unsafe {
        asm!("rep movsq", inout("rsi") from => _, inout("rdi") to => _, inout("ecx") 512 => _,
            options(nostack, preserves_flags));
    }
}

/// The object at a physical address.
///
/// # Safety
/// RAM that holds a valid `T` there as long as the reference lives, with nobody changing it but through `T`'s
/// own interior mutability.
#[inline]
unsafe fn object<T>(physical: u64) -> &'static T {
    // SAFETY: the caller's contract.
    unsafe { &*address(physical).cast() }
}

/// Read-only memory at a physical address, such as the ramdisk.
///
/// # Safety
/// RAM that nobody writes any more.
unsafe fn bytes(physical: u64, len: usize) -> &'static [u8] {
    // SAFETY: the caller's contract; the direct map is contiguous.
    unsafe { slice::from_raw_parts(address(physical), len) }
}

/// Makes the metadata of `count` frames in the memory at `physical`, which the caller owns for good.
pub(crate) fn frame_metadata(physical: u64, count: u64) -> &'static [FrameMeta] {
    for page in 0..(count * size_of::<FrameMeta>() as u64).div_ceil(PAGE_SIZE) {
        zero(physical + page * PAGE_SIZE);
    }
    // SAFETY: all zeroes is a valid `FrameMeta`, the memory is page aligned and given away for good.
    unsafe { slice::from_raw_parts(address(physical).cast(), count as usize) }
}

/// The page table at `physical`.
#[inline]
pub(crate) fn table(physical: u64) -> &'static Table {
    // SAFETY: any content is a valid table of atomics. The memory manager asks only for frames that it allocated
    // for tables; that it does not use the reference after it freed the frame is its invariant (I23).
    unsafe { object(physical) }
}

/// Makes an object page of the frame at `physical`, which the caller gives away for good.
pub(crate) fn slab_page(physical: u64) -> &'static mut SlabPage {
    // SAFETY: any content is valid for memory that may be uninitialised; nobody else has the frame.
    unsafe { &mut *address(physical).cast() }
}

/// Memory for as many nodes of VMA trees as fit the frame at `physical`, which the caller gives away for good.
pub(crate) fn node_page(physical: u64) -> &'static mut NodePage {
    // SAFETY: nodes are memory with any content, and a page is aligned for them; nobody else has the frame.
    unsafe { &mut *address(physical).cast() }
}

/// Fills the frame at `physical` with zeroes from byte `start` on. It is RAM that the kernel allocated for users.
pub(crate) fn zero_from(physical: u64, start: usize) {
    with_frame_mut(physical, |bytes| bytes[start..].fill(0));
}

/// The content of the frame at `physical`, which is RAM that the caller keeps allocated meanwhile.
pub(crate) fn with_frame<R>(physical: u64, read: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: a frame of users is in the direct map. Programs may store to it at the same time: `read` copies the bytes, each of
    // which is then the old or the new one, and depends on none of them.
    read(unsafe { slice::from_raw_parts(address(physical), PAGE_SIZE as usize) })
}

/// As [`with_frame`], to be written.
pub(crate) fn with_frame_mut<R>(physical: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
    // SAFETY: as above; writers of one file exclude each other, and `write` stores bytes and depends on none of them.
    write(unsafe { slice::from_raw_parts_mut(address(physical), PAGE_SIZE as usize) })
}

/// The ramdisk at `physical`.
pub(crate) fn ramdisk(range: &Range<u64>) -> &'static [u8] {
    // SAFETY: its frames were taken out of what is free before anything was allocated, and nobody writes there.
    unsafe { bytes(range.start, (range.end - range.start) as usize) }
}
