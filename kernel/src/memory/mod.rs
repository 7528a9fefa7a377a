//! The kernel's memory: the boot memory map, the frame allocator over it, and the platform for `mm`.

pub(crate) mod map;
mod nodes;
mod platform;
#[cfg(feature = "test")]
mod refusal;
mod stack;
#[cfg(feature = "test")]
mod tests;
pub(crate) mod vmstat;

use core::ops::{Deref, Range};

use bootloader_api::BootInfo;
use mm::frame::{Frame, FrameAllocator, FrameKind, FrameMeta, FrameStore};
use mm::{PAGE_SHIFT, PAGE_SIZE};
use spin::{Mutex, Once};
use x86_64::PhysAddr;

use crate::arch::{cpu_number, direct_map, machine, paging};
use crate::ramdisk;
use map::MemoryMap;
#[cfg(feature = "test")]
pub(crate) use nodes::KernelNodes;
pub(crate) use platform::{COMMITMENT, HUGE_PAGES, KERNEL, Kernel, MAX_MAP_COUNT, set_huge_pages};
pub(crate) use stack::KernelStack;

/// The metadata of all frames.
pub(crate) struct Metadata(&'static [FrameMeta]);

impl Deref for Metadata {
    type Target = [FrameMeta];

    #[inline]
    fn deref(&self) -> &[FrameMeta] {
        self.0
    }
}

impl FrameStore for Metadata {
    #[inline]
    fn cpu(&self) -> usize {
        cpu_number() as usize
    }
}

/// What is known of physical memory. Used at boot, by one CPU.
static MAP: Mutex<MemoryMap> = Mutex::new(MemoryMap::empty());
static FRAMES: Once<FrameAllocator<Metadata>> = Once::new();

/// The allocator of physical frames. [`init`] has run.
#[inline]
pub(crate) fn frames() -> &'static FrameAllocator<Metadata> {
    FRAMES.get().expect("memory is set up")
}

/// Takes the machine over: reads what the boot loader tells, leaves its page tables and its stack for the
/// kernel's own, and continues in `main`. The boot info is gone then.
pub(crate) fn take_over(boot_info: &BootInfo, main: extern "C" fn() -> !) -> ! {
    machine::find_processors(boot_info);
    let ramdisk = machine::ramdisk(boot_info);
    let ramdisk_pages = ramdisk.start & !(PAGE_SIZE - 1)..ramdisk.end.next_multiple_of(PAGE_SIZE);
    ramdisk::locate(ramdisk);
    let tables = {
        let mut map = MAP.lock();
        map.read(boot_info);
        map.reserve(ramdisk_pages);
        crate::arch::build_tables(&mut map)
    };
    tables.leave_boot(main)
}

/// Sets up the frame allocator over all memory that is free, and what depends on it. First thing after
/// [`take_over`].
pub(crate) fn init() {
    let mut map = MAP.lock();
    map.reclaim_loader();
    let count = map.ram.end() >> PAGE_SHIFT;
    let pages = (count * size_of::<FrameMeta>() as u64).div_ceil(PAGE_SIZE);
    let physical = map.free.take(pages, u64::MAX).expect("memory for the metadata of all frames");
    let frames =
        FRAMES.call_once(|| FrameAllocator::new(Metadata(direct_map::frame_metadata(physical, count))));
    for range in map.free.as_slice() {
        frames.add_range(frame_at(range.start), frame_at(range.end));
    }
    platform::init();
}

/// Bytes of memory that the machine reports.
pub(crate) fn reported_bytes() -> u64 {
    MAP.lock().ram.bytes()
}

/// Physical address of five pages below 1 MiB that nobody uses, for the start of other CPUs; `None` without such memory.
pub(crate) fn start_up_pages() -> Option<u64> {
    MAP.lock().start_up
}

/// The frame at a page-aligned physical address below 16 TiB, as all memory of the map is.
fn frame_at(physical: u64) -> Frame {
    Frame::from_address(PhysAddr::new(physical)).expect("an aligned address of memory")
}

/// A new frame for the kernel's own tables, as the page-table builder wants it.
pub(crate) fn table_frames() -> paging::FrameSource<impl FnMut() -> Option<u64>> {
    paging::FrameSource(|| frames().alloc_frame(FrameKind::Kernel).map(|frame| frame.address().as_u64()))
}

/// Maps new frames at `pages` (bytes of kernel address space), readable and writable.
///
/// # Errors
/// When memory is short; nothing stays mapped then.
pub(crate) fn map_kernel_pages(pages: Range<u64>) -> Result<(), paging::OutOfFrames> {
    // Do not start on what cannot succeed.
    if (pages.end - pages.start) >> PAGE_SHIFT > frames().statistics().free {
        return Err(paging::OutOfFrames);
    }
    let mapped = paging::map_new(pages.clone(), paging::Access::Write, &mut table_frames());
    if mapped.is_err() {
        unmap_kernel_pages(pages);
    }
    mapped
}

/// Unmaps what [`map_kernel_pages`] mapped and frees the frames.
pub(crate) fn unmap_kernel_pages(pages: Range<u64>) {
    paging::unmap(pages, |physical| frames().put(frame_at(physical)));
}
